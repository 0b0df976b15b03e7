//! Files of packages, laid into one root.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use moss_format::layout::{Entry, Kind};
use moss_format::package::Package;
use moss_format::unpack::{self, FolderModes, Options};

use crate::Error;
use crate::fetch::Stone;

/// The links at the top of a root, and where they lead. Packages bring files below `/usr` only; a
/// loader that programs ask for as `/lib64/…` lies in `/usr/lib`.
pub const LINKS: [(&str, &str); 5] = [
    ("bin", "usr/bin"),
    ("sbin", "usr/sbin"),
    ("lib", "usr/lib"),
    ("lib64", "usr/lib"),
    ("lib32", "usr/lib32"),
];

/// Two packages have the same path. The file of the first one is in the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The path.
    pub path: String,
    /// The package whose file is there.
    pub first: String,
    /// The package whose file is left out.
    pub second: String,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path,
            first,
            second,
        } = self;
        write!(
            f,
            "{first} and {second} both have {path}: that of {first} is kept"
        )
    }
}

/// Lays all stones and the links into the empty folder `root`. Blocks.
pub(crate) fn lay(stones: &[Stone], root: &Path) -> Result<Vec<Conflict>, Error> {
    let mut taken = Taken::default();
    let mut modes = FolderModes::default();
    for stone in stones {
        lay_one(stone, root, &mut taken, &mut modes)?;
    }
    for (name, target) in LINKS {
        let path = root.join(name);
        let linked = std::os::unix::fs::symlink(target, &path);
        linked.map_err(|source| Error::File {
            action: "make the link",
            path,
            source,
        })?;
    }
    // After all packages: a folder that nobody may write into can hold files of several.
    modes
        .set(root)
        .map_err(|source| Error::Modes(Box::new(source)))?;
    Ok(taken.conflicts)
}

fn lay_one(
    stone: &Stone,
    root: &Path,
    taken: &mut Taken,
    modes: &mut FolderModes,
) -> Result<(), Error> {
    let meta = &stone.meta;
    let unsound = |source| Error::Stone {
        package: meta.name.clone(),
        source: Box::new(source),
    };
    let file = File::open(&stone.path).map_err(|source| Error::File {
        action: "open the stone",
        path: stone.path.clone(),
        source,
    })?;
    let mut package = Package::open(BufReader::new(file)).map_err(unsound)?;
    let own = package.meta();
    let is_it = (&own.name, &own.version, own.release, own.build_release)
        == (&meta.name, &meta.version, meta.release, meta.build_release);
    if !is_it {
        return Err(Error::OtherPackage {
            package: format!("{} {}-{}", meta.name, meta.version, meta.release),
            found: format!("{} {}-{}", own.name, own.version, own.release),
        });
    }
    let options = Options::default();
    let is_wanted = |entry: &Entry| taken.take(entry, &meta.name);
    unpack::unpack_before_modes(&mut package, root, &options, is_wanted, modes).map_err(|source| {
        Error::Lay {
            package: meta.name.clone(),
            source: Box::new(source),
        }
    })
}

/// The paths that are taken, and by whom.
#[derive(Debug, Default)]
struct Taken {
    paths: HashMap<String, Owner>,
    conflicts: Vec<Conflict>,
}

#[derive(Debug)]
struct Owner {
    package: String,
    is_folder: bool,
}

impl Taken {
    /// Whether `package` may have the path of `entry`: when nobody has it, or both are folders.
    fn take(&mut self, entry: &Entry, package: &str) -> bool {
        let is_folder = entry.kind == Kind::Directory;
        let Some(owner) = self.paths.get(&entry.target) else {
            let owner = Owner {
                package: package.to_owned(),
                is_folder,
            };
            self.paths.insert(entry.target.clone(), owner);
            return true;
        };
        if owner.is_folder && is_folder {
            return true;
        }
        self.conflicts.push(Conflict {
            path: format!("/usr/{}", entry.target),
            first: owner.package.clone(),
            second: package.to_owned(),
        });
        false
    }
}
