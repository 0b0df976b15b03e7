//! A digest over everything that a build could read of the host.
//!
//! Reading gigabytes at each look would be too slow; names, modes, sizes, times of change and the
//! texts of links stand for the contents, as they do for make and rsync.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use api::id::Sha256;
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RawDir};
use sha2::Digest as _;

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
    let mut digest = Fields::default();
    for (name, supply) in packages.names() {
        digest.put(name.as_bytes());
        digest.put(supply.as_bytes());
    }
    let mut paths = paths.to_vec();
    paths.sort();
    for path in &paths {
        let links = match leads_elsewhere(path, &paths) {
            true => AtFlags::empty(),
            false => AtFlags::SYMLINK_NOFOLLOW,
        };
        let mut text = path.as_os_str().as_bytes().to_vec();
        if let Ok(name) = CString::new(text.clone()) {
            add(&mut digest, CWD, &name, &mut text, links);
        }
    }
    digest.finish()
}

/// Adds what `name` in the folder `at` is, known as `path`. A host has hundreds of thousands of files:
/// each is looked at from its own folder, so that the system does not resolve its path anew.
fn add(digest: &mut Fields, at: BorrowedFd<'_>, name: &CStr, path: &mut Vec<u8>, links: AtFlags) {
    let Ok(stat) = rustix::fs::statat(at, name, links) else {
        return;
    };
    let kind = FileType::from_raw_mode(stat.st_mode);
    if kind == FileType::Directory {
        return add_folder(digest, at, name, path, links);
    }
    digest.put(path);
    digest.put(&stat.st_mode.to_be_bytes());
    if kind == FileType::Symlink {
        let target = rustix::fs::readlinkat(at, name, Vec::new()).unwrap_or_default();
        digest.put(target.as_bytes());
    } else {
        digest.put(&stat.st_size.to_be_bytes());
        digest.put(&stat.st_mtime.to_be_bytes());
        digest.put(&stat.st_mtime_nsec.to_be_bytes());
    }
}

/// Adds what lies below a folder, in the order of the names.
fn add_folder(
    digest: &mut Fields,
    at: BorrowedFd<'_>,
    name: &CStr,
    path: &mut Vec<u8>,
    links: AtFlags,
) {
    if IDLE.iter().any(|idle| idle.as_bytes() == path) {
        return;
    }
    let mut flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    flags.set(OFlags::NOFOLLOW, links.contains(AtFlags::SYMLINK_NOFOLLOW));
    let Ok(folder) = rustix::fs::openat(at, name, flags, Mode::empty()) else {
        return;
    };
    for (name, kind) in entries(&folder) {
        let length = path.len();
        path.push(b'/');
        path.extend_from_slice(name.to_bytes());
        let links = AtFlags::SYMLINK_NOFOLLOW;
        match kind {
            // The list has said it already.
            FileType::Directory => add_folder(digest, folder.as_fd(), &name, path, links),
            FileType::RegularFile
            | FileType::Symlink
            | FileType::Fifo
            | FileType::Socket
            | FileType::CharacterDevice
            | FileType::BlockDevice
            | FileType::Unknown => add(digest, folder.as_fd(), &name, path, links),
        }
        path.truncate(length);
    }
}

/// What a folder lists, sorted by name.
fn entries(folder: &OwnedFd) -> Vec<(CString, FileType)> {
    let mut buffer = Vec::with_capacity(16 << 10);
    let mut list = RawDir::new(folder, buffer.spare_capacity_mut());
    let mut entries = Vec::new();
    while let Some(Ok(entry)) = list.next() {
        let name = entry.file_name();
        if !matches!(name.to_bytes(), b"." | b"..") {
            entries.push((name.to_owned(), entry.file_type()));
        }
    }
    entries.sort_unstable_by(|(left, _), (right, _)| left.cmp(right));
    entries
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

/// So many gathered bytes go to the digest at once.
const GATHERED: usize = 16 << 10;

/// A digest over fields, which takes many of them at once: most are a few bytes long.
#[derive(Default)]
struct Fields {
    gathered: Vec<u8>,
    digest: sha2::Sha256,
}

impl Fields {
    /// Adds a field with its length, so that no two lists of fields look alike.
    fn put(&mut self, field: &[u8]) {
        self.gathered
            .extend_from_slice(&(field.len() as u64).to_be_bytes());
        self.gathered.extend_from_slice(field);
        if self.gathered.len() >= GATHERED {
            self.digest.update(&self.gathered);
            self.gathered.clear();
        }
    }

    fn finish(mut self) -> Sha256 {
        self.digest.update(&self.gathered);
        Sha256::from_bytes(self.digest.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_digested_as_if_one_by_one() {
        let mut fields = Fields::default();
        let mut digest = sha2::Sha256::new();
        for length in (0..200).chain([GATHERED - 1, GATHERED, 3 * GATHERED, 1]) {
            let field = vec![b'x'; length];
            fields.put(&field);
            digest.update((length as u64).to_be_bytes());
            digest.update(&field);
        }
        assert_eq!(
            fields.finish(),
            Sha256::from_bytes(digest.finalize().into())
        );
    }

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
