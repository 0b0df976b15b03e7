//! The stone of the host's C library, by the same rules as that of a recipe that was built.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use api::id::{FileName, Sha256};
use avalanche::package::{self, HostTools, Input};
use moss_format::Meta;
use moss_format::recipe::{ParseFailure, Recipe};

use super::{Glibc, NAME};

/// The most that the files may hold together, in bytes: ten times what they do.
const MAX_BYTES: u64 = 64 << 20;

/// How long a tool may run. None does: what the host has is packaged as it is.
const TOOL_LIMIT: Duration = Duration::from_secs(1);

/// Why the C library was not packaged.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be copied or written.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What describes the package is no recipe.
    #[error("the recipe of the package is none")]
    Recipe(#[from] Box<ParseFailure>),
    /// It cannot be packaged.
    #[error(transparent)]
    Package(#[from] Box<package::Error>),
    /// The files came to more than one package, or to none.
    #[error("the files came to {0} packages, not to one")]
    Parts(usize),
    /// It would be one more package that a client refuses.
    #[error("the files need what they do not bring: {0}")]
    Open(String),
}

/// The stone, under its SHA-256 in a folder of its own.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) folder: PathBuf,
    pub(super) file_name: FileName,
    pub(super) sha256: Sha256,
    pub(super) size: u64,
    meta: Meta,
}

impl Made {
    /// What people read.
    pub(super) fn name(&self) -> String {
        let meta = &self.meta;
        format!("{}-{}-{}", meta.name, meta.version, meta.release)
    }
}

/// Makes the stone of `glibc` in `folder`, which is emptied.
pub(super) async fn make(
    glibc: Glibc,
    release: u64,
    folder: PathBuf,
) -> Result<Made, super::Error> {
    blocking(move || Ok(make_in(&glibc, release, &folder)?)).await
}

/// Does what blocks off the async threads.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, super::Error> + Send + 'static,
) -> Result<T, super::Error> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| super::Error::Cancelled)?
}

/// Removes the folder of a stone.
pub(super) async fn remove(folder: PathBuf) -> Result<(), super::Error> {
    blocking(move || Ok(remove_all(&folder)?)).await
}

fn remove_all(folder: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(file("remove", folder)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn make_in(glibc: &Glibc, release: u64, folder: &Path) -> Result<Made, Error> {
    remove_all(folder)?;
    let [scratch, stones] = ["scratch", "stones"].map(|name| folder.join(name));
    let root = folder.join("root");
    let libraries = root.join("usr/lib");
    for made in [&scratch, &stones, &libraries] {
        fs::create_dir_all(made).map_err(file("make", made))?;
    }
    // A folder with another mode than the usual one would get into the package.
    set_mode(&root.join("usr"))?;
    set_mode(&libraries)?;
    for (name, path) in &glibc.files {
        let copy = libraries.join(name);
        fs::copy(path, &copy).map_err(file("copy", path))?;
        set_mode(&copy)?;
    }
    let (recipe, _) = Recipe::parse(&recipe(glibc, release)).map_err(Box::new)?;
    let input = Input {
        recipe: &recipe,
        install_root: &root,
        build_release: 1,
        architecture: "x86_64",
        available: &BTreeSet::new(),
        limit: MAX_BYTES,
        tools: &HostTools::new(TOOL_LIMIT),
        scratch: &scratch,
        output: &stones,
    };
    let mut log = |line: &str| tracing::debug!(package.log = line, "packaging the C library");
    let output = package::emit(input, &mut log).map_err(Box::new)?;
    let [stone] = &output.stones[..] else {
        return Err(Error::Parts(output.stones.len()));
    };
    if !stone.meta.depends.is_empty() {
        let open: Vec<String> = stone.meta.depends.iter().map(ToString::to_string).collect();
        return Err(Error::Open(open.join(", ")));
    }
    let served = stones.join(stone.sha256.to_string());
    fs::rename(&stone.path, &served).map_err(file("rename", &stone.path))?;
    fs::remove_dir_all(&root).map_err(file("remove", &root))?;
    Ok(Made {
        folder: stones,
        file_name: stone.file_name.parse().expect("a stone has a file's name"),
        sha256: stone.sha256,
        size: stone.size,
        meta: stone.meta.clone(),
    })
}

/// What describes the package: it is no recipe that anybody could build.
fn recipe(glibc: &Glibc, release: u64) -> String {
    let Glibc { version, maker, .. } = glibc;
    format!(
        "\
name        : {NAME}
version     : \"{version}\"
release     : {release}
homepage    : https://www.gnu.org/software/libc/
summary     : The C library of this machine, for trying the line
description : |
    The C library, its loader and the libraries that belong to them ({maker}), copied from the machine
    that snekbook-dev runs on. No recipe was built for it: it stands in for the base of a
    distribution, so that what is published can be installed and run.
license     : LGPL-2.1-or-later
strip       : false
debug       : false
"
    )
}

fn set_mode(path: &Path) -> Result<(), Error> {
    let mode = Permissions::from_mode(0o755);
    fs::set_permissions(path, mode).map_err(file("set the mode of", path))
}

fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::File {
        action,
        path,
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host_glibc::find::LOADER;

    #[test]
    fn the_package_is_complete_in_itself_and_the_same_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let glibc = Glibc::find(Path::new(LOADER)).unwrap();
        let make = |release| make_in(&glibc, release, &folder.path().join("made")).unwrap();
        let made = make(1);
        assert_eq!(made.name(), format!("host-glibc-{}-1", glibc.version));
        assert_eq!(made.meta.source_id, NAME);
        let provides: Vec<String> = made.meta.provides.iter().map(ToString::to_string).collect();
        for wanted in [
            "interpreter(/lib64/ld-linux-x86-64.so.2(x86_64))",
            "soname(ld-linux-x86-64.so.2(x86_64))",
            "soname(libc.so.6(x86_64))",
            "soname(libm.so.6(x86_64))",
        ] {
            assert!(provides.iter().any(|text| text == wanted), "{provides:?}");
        }
        assert_eq!(made.meta.depends, BTreeSet::new());
        assert_eq!(make(1).sha256, made.sha256);
        assert_ne!(make(2).sha256, made.sha256);
    }

    #[test]
    fn the_description_reads_without_a_remark() {
        let glibc = Glibc {
            version: "2.36".to_owned(),
            maker: "Debian GLIBC 2.36-9+deb12u14".to_owned(),
            files: Vec::new(),
        };
        let text = recipe(&glibc, 3);
        let (read, remarks) = Recipe::parse(&text).unwrap();
        assert_eq!(*read.release.value(), 3);
        assert!(remarks.is_empty(), "{remarks:?}");
    }
}
