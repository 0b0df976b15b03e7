//! Package names that the host supplies.
//!
//! A host has no packages of ours, yet recipes name some: `make`, `cmake`. This table says what
//! stands for them; the configuration adds to it. A name that is not in it, the host lacks.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use moss_format::Dependency;
use moss_format::dependency::Kind;

use super::inventory::Inventory;

/// The built-in names.
const BUILT_IN: &[(&str, &str)] = &[
    ("autoconf", "binary(autoconf)"),
    ("automake", "binary(automake)"),
    ("bash", "binary(bash)"),
    ("bc", "binary(bc)"),
    ("binutils", "binary(ld)"),
    ("bison", "binary(bison)"),
    ("bzip2", "binary(bzip2)"),
    ("clang", "binary(clang)"),
    ("cmake", "binary(cmake)"),
    ("coreutils", "binary(install)"),
    ("diffutils", "binary(diff)"),
    ("file", "binary(file)"),
    ("findutils", "binary(find)"),
    ("flex", "binary(flex)"),
    ("gawk", "binary(gawk)"),
    ("gcc", "binary(gcc)"),
    ("gettext", "binary(msgfmt)"),
    ("git", "binary(git)"),
    ("glibc", "soname(libc.so.6(x86_64))"),
    ("glibc-devel", "/usr/include/stdio.h"),
    ("gperf", "binary(gperf)"),
    ("grep", "binary(grep)"),
    ("groff", "binary(groff)"),
    ("gzip", "binary(gzip)"),
    ("help2man", "binary(help2man)"),
    ("intltool", "binary(intltoolize)"),
    ("libtool", "binary(libtoolize)"),
    ("linux-headers", "/usr/include/linux/version.h"),
    ("lld", "binary(ld.lld)"),
    ("llvm", "binary(llvm-ar)"),
    ("m4", "binary(m4)"),
    ("make", "binary(make)"),
    ("meson", "binary(meson)"),
    ("nasm", "binary(nasm)"),
    ("ninja", "binary(ninja)"),
    ("patch", "binary(patch)"),
    ("perl", "binary(perl)"),
    ("pkgconf", "binary(pkg-config)"),
    ("python", "binary(python3)"),
    ("rust", "binary(rustc)"),
    ("sed", "binary(sed)"),
    ("tar", "binary(tar)"),
    ("texinfo", "binary(makeinfo)"),
    ("unzip", "binary(unzip)"),
    ("which", "binary(which)"),
    ("xz", "binary(xz)"),
    ("yasm", "binary(yasm)"),
    ("zip", "binary(zip)"),
    ("zstd", "binary(zstd)"),
];

/// Which package names the host supplies, and by what. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Packages(Arc<BTreeMap<String, Supply>>);

#[derive(Debug)]
enum Supply {
    Dependency(Dependency),
    File(PathBuf),
}

/// The configuration says something that is no dependency and no absolute path.
#[derive(Debug, thiserror::Error)]
#[error(
    "`host.packages` says that {supply:?} stands for {name:?}: it takes a dependency other \
         than a package name, or an absolute path"
)]
pub struct InvalidSupply {
    name: String,
    supply: String,
}

impl Packages {
    /// The built-in names and `configured` ones.
    pub(super) fn new(configured: &BTreeMap<String, String>) -> Result<Self, InvalidSupply> {
        let built_in = BUILT_IN.iter().map(|(name, supply)| (*name, *supply));
        let configured = configured.iter().map(|(name, supply)| (&**name, &**supply));
        let mut packages = BTreeMap::new();
        for (name, supply) in built_in.chain(configured) {
            packages.insert(name.to_owned(), parse(name, supply)?);
        }
        Ok(Self(Arc::new(packages)))
    }

    /// The names, and what stands for each, as text.
    pub(super) fn names(&self) -> impl Iterator<Item = (&str, String)> {
        self.0.iter().map(|(name, supply)| {
            let supply = match supply {
                Supply::Dependency(dependency) => dependency.to_string(),
                Supply::File(path) => path.display().to_string(),
            };
            (name.as_str(), supply)
        })
    }

    /// The files that stand for packages.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        self.0.values().filter_map(|supply| match supply {
            Supply::Dependency(_) => None,
            Supply::File(path) => Some(path.as_path()),
        })
    }

    /// Whether the host supplies the package that `dependency` names.
    pub(super) fn supplied(&self, dependency: &Dependency, inventory: &Inventory) -> bool {
        if dependency.kind() != Kind::PackageName {
            return false;
        }
        match self.0.get(dependency.name()) {
            Some(Supply::Dependency(dependency)) => inventory.has(dependency),
            Some(Supply::File(path)) => path.exists(),
            None => false,
        }
    }
}

fn parse(name: &str, supply: &str) -> Result<Supply, InvalidSupply> {
    if Path::new(supply).is_absolute() {
        return Ok(Supply::File(PathBuf::from(supply)));
    }
    match supply.parse::<Dependency>() {
        Ok(dependency) if dependency.kind() != Kind::PackageName => {
            Ok(Supply::Dependency(dependency))
        }
        Ok(_) | Err(_) => Err(InvalidSupply {
            name: name.to_owned(),
            supply: supply.to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_names_are_sorted_and_configured_ones_win() {
        assert!(BUILT_IN.is_sorted());
        let configured = [("make".to_owned(), "/nowhere/make".to_owned())];
        let packages = Packages::new(&BTreeMap::from(configured)).unwrap();
        let make = "make".parse().unwrap();
        assert!(!packages.supplied(&make, &Inventory::default()));
        let circular = [("a".to_owned(), "make".to_owned())];
        assert!(Packages::new(&BTreeMap::from(circular)).is_err());
    }
}
