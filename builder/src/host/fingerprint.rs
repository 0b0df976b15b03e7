//! A digest over everything that a build could read of the host.
//!
//! Reading gigabytes at each look would be too slow; names, modes, sizes, times of change and the
//! texts of links stand for the contents, as they do for make and rsync.

use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use api::id::Sha256;
use sha2::Digest as _;
use walkdir::WalkDir;

use super::packages::Packages;

/// What changes nothing in any build.
const IDLE: &[&str] = &[
    "/usr/share/doc",
    "/usr/share/man",
    "/usr/share/info",
    "/usr/share/locale",
];

/// The digest over the files below `paths` and the names under which some are known. What cannot be
/// read is left out, as a build cannot read it either.
pub(super) fn fingerprint(paths: &[PathBuf], packages: &Packages) -> Sha256 {
    let mut digest = sha2::Sha256::new();
    for (name, supply) in packages.names() {
        put(&mut digest, name.as_bytes());
        put(&mut digest, supply.as_bytes());
    }
    let mut paths = paths.to_vec();
    paths.sort();
    for path in &paths {
        let entries = WalkDir::new(path)
            .follow_links(false)
            .follow_root_links(leads_elsewhere(path, &paths))
            .sort_by_file_name()
            .into_iter()
            .filter_entry(|entry| !IDLE.iter().any(|idle| entry.path() == Path::new(idle)))
            .flatten();
        for entry in entries {
            let Ok(metadata) = entry.metadata() else {
                continue;
            };
            if metadata.is_dir() {
                continue;
            }
            put(&mut digest, entry.path().as_os_str().as_bytes());
            put(&mut digest, &metadata.mode().to_be_bytes());
            if metadata.is_symlink() {
                let target = std::fs::read_link(entry.path()).unwrap_or_default();
                put(&mut digest, target.as_os_str().as_bytes());
            } else {
                put(&mut digest, &metadata.size().to_be_bytes());
                put(&mut digest, &metadata.mtime().to_be_bytes());
                put(&mut digest, &metadata.mtime_nsec().to_be_bytes());
            }
        }
    }
    Sha256::from_bytes(digest.finalize().into())
}

/// Whether a path is a link to what none of the others has. A link such as `/lib` leads into `/usr`,
/// which is looked at in any case.
fn leads_elsewhere(path: &Path, paths: &[PathBuf]) -> bool {
    let Ok(real) = path.canonicalize() else {
        return false;
    };
    let others = paths.iter().filter(|other| other.as_path() != path);
    path.is_symlink() && !others.into_iter().any(|other| real.starts_with(other))
}

/// With its length, so that no two lists of fields look alike.
fn put(digest: &mut sha2::Sha256, field: &[u8]) {
    digest.update((field.len() as u64).to_be_bytes());
    digest.update(field);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_changes_with_the_files_and_only_then() {
        let folder = tempfile::tempdir().unwrap();
        let paths = [folder.path().to_owned()];
        std::fs::write(folder.path().join("a"), "1").unwrap();
        let packages = |configured: &[(&str, &str)]| {
            let configured = configured.iter();
            let configured =
                configured.map(|(name, supply)| (name.to_string(), supply.to_string()));
            Packages::new(&configured.collect()).unwrap()
        };
        let none = packages(&[]);
        let first = fingerprint(&paths, &none);
        assert_eq!(fingerprint(&paths, &none), first);
        std::fs::write(folder.path().join("a"), "12").unwrap();
        let second = fingerprint(&paths, &none);
        assert_ne!(second, first);
        std::os::unix::fs::symlink("a", folder.path().join("b")).unwrap();
        let third = fingerprint(&paths, &none);
        assert_ne!(third, second);
        let named = fingerprint(&paths, &packages(&[("a", "/usr/bin/a")]));
        assert_ne!(named, third);
        assert_ne!(fingerprint(&paths, &packages(&[("a", "binary(a)")])), named);
    }

    #[test]
    fn links_are_followed_only_to_what_is_not_looked_at_in_any_case() {
        let folder = tempfile::tempdir().unwrap();
        let [usr, other, lib, opt] =
            ["usr", "other", "lib", "opt"].map(|name| folder.path().join(name));
        for real in [&usr, &other] {
            std::fs::create_dir(real).unwrap();
        }
        std::os::unix::fs::symlink("usr", &lib).unwrap();
        std::os::unix::fs::symlink("other", &opt).unwrap();
        let none = Packages::new(&Default::default()).unwrap();
        let paths = [usr.clone(), lib.clone(), opt.clone()];
        assert!(!leads_elsewhere(&usr, &paths) && !leads_elsewhere(&lib, &paths));
        assert!(leads_elsewhere(&opt, &paths));
        let first = fingerprint(&paths, &none);
        std::fs::write(other.join("a"), "1").unwrap();
        let second = fingerprint(&paths, &none);
        assert_ne!(second, first, "it is seen through the link");
        std::fs::remove_file(&lib).unwrap();
        assert_ne!(fingerprint(&paths, &none), second, "the link counts");
    }
}
