//! Signs that the host has changed.
//!
//! A look reads everything and takes a while. That a package was installed or removed shows at much
//! less cost: the folders that it goes to have another time of change. So these are compared often,
//! and the host is looked at anew when they differ. What changes within a file shows nowhere but
//! in a look.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::inventory::Inventory;
use super::packages::Packages;

/// What tells one state of a folder or file from another; none when it is not there.
type Sign = Option<(u64, i64, i64)>;

/// The signs of one time.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Signs(BTreeMap<PathBuf, Sign>);

impl Signs {
    /// Reads them from the folders that dependencies are found in, from `paths`, and from the files
    /// that stand for packages. Blocks.
    pub(super) fn read(paths: &[PathBuf], packages: &Packages) -> Self {
        let folders = Inventory::folders().into_iter();
        let all = folders
            .chain(paths.iter().cloned())
            .chain(packages.files().map(Path::to_owned));
        Self(all.map(|path| (path.clone(), sign(&path))).collect())
    }
}

fn sign(path: &Path) -> Sign {
    let metadata = path.metadata().ok()?;
    Some((metadata.ino(), metadata.ctime(), metadata.ctime_nsec()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_is_installed_and_removed_shows() {
        let folder = tempfile::tempdir().unwrap();
        let (path, file) = (folder.path().join("bin"), folder.path().join("cane"));
        fs::create_dir(&path).unwrap();
        let configured = [("cane".to_owned(), file.display().to_string())];
        let packages = Packages::new(&configured.into()).unwrap();
        let read = || Signs::read(std::slice::from_ref(&path), &packages);
        let first = read();
        assert_eq!(read(), first);
        fs::write(&file, "").unwrap();
        let with_file = read();
        assert_ne!(with_file, first);
        // A clock may be coarse: the first files can come at the time that the folder has already.
        let shows = |n: u32| {
            fs::write(path.join(n.to_string()), "").unwrap();
            read() != with_file
        };
        assert!((0..10_000).any(shows), "files come and it does not show");
        let with_files = read();
        fs::remove_file(&file).unwrap();
        assert_ne!(read(), with_files);
    }
}
