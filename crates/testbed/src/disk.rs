//! The file system that files lie on.

use std::path::Path;

/// The kind of the file system of `path`, as the kernel calls it: `ext4`, `tmpfs`. None where the
/// kernel does not say.
#[must_use]
pub fn file_system(path: &Path) -> Option<String> {
    let path = path.canonicalize().ok()?;
    kind(
        &std::fs::read_to_string("/proc/self/mountinfo").ok()?,
        &path,
    )
}

/// Of all mounts above `path` the deepest, and of those on one point the last: it hides the others.
fn kind(mounts: &str, path: &Path) -> Option<String> {
    let mounts = mounts.lines().filter_map(|mount| {
        // Any number of optional fields ends with a dash; the kind comes after it.
        let (before, after) = mount.split_once(" - ")?;
        let point = Path::new(before.split(' ').nth(4)?);
        let depth = path
            .starts_with(point)
            .then(|| point.components().count())?;
        Some((depth, after.split(' ').next()?))
    });
    mounts
        .max_by_key(|(depth, _)| *depth)
        .map(|(_, kind)| kind.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
        22 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n\
        24 22 0:22 / /tmp rw shared:5 - tmpfs tmpfs rw\n\
        25 22 0:23 / /tmpfiles rw - btrfs /dev/vdb rw\n\
        26 22 0:24 / /tmp rw shared:6 master:1 - xfs /dev/vdc rw\n";

    #[test]
    fn the_deepest_and_last_mount_counts() {
        let kind = |path| kind(MOUNTS, Path::new(path));
        assert_eq!(kind("/home/a").as_deref(), Some("ext4"));
        assert_eq!(kind("/tmp/a").as_deref(), Some("xfs"));
        assert_eq!(kind("/tmpfiles").as_deref(), Some("btrfs"));
    }

    #[test]
    fn this_machine_says_what_it_has() {
        assert_eq!(file_system(Path::new("/proc")).as_deref(), Some("proc"));
        assert_eq!(file_system(Path::new("/nowhere/at/all")), None);
    }
}
