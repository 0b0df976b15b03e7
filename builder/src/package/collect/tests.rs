use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};

use moss_format::Digest;

use super::*;

struct Root(tempfile::TempDir);

impl Root {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, path: &str) -> PathBuf {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    fn file(&self, path: &str, mode: u32) -> &Self {
        let path = self.path(path);
        fs::write(&path, path.as_os_str().as_bytes()).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        self
    }

    fn walk(&self) -> Collected {
        walk(self.0.path(), Libtool::LeaveOut, u64::MAX).unwrap()
    }
}

fn listing(collected: &Collected) -> Vec<String> {
    let line = |entry: &Entry| {
        let kind = match &entry.kind {
            Kind::Regular(_) => "file".to_owned(),
            Kind::Symlink(text) => format!("-> {text}"),
            Kind::Directory => "directory".to_owned(),
            Kind::CharDevice => "char".to_owned(),
            Kind::BlockDevice => "block".to_owned(),
            Kind::Fifo => "fifo".to_owned(),
            Kind::Socket => "socket".to_owned(),
        };
        format!("{} {:06o} {kind}", entry.path, entry.mode)
    };
    collected.entries.iter().map(line).collect()
}

#[test]
fn depth_first_by_bytes_with_directories_last() {
    let root = Root::new();
    root.file("usr/bin/b", 0o755)
        .file("usr/bin/B", 0o4755)
        .file("usr/bin/b-x", 0o644);
    // `b` sorts before `b.d` as an entry although `/` is greater than `.` as a byte.
    root.file("usr/share/b.d/x", 0o644)
        .file("usr/share/b/x", 0o600);
    fs::create_dir(root.path("usr/share/empty")).unwrap();
    fs::set_permissions(root.path("usr/share/b"), fs::Permissions::from_mode(0o1777)).unwrap();
    symlink("/nowhere/at all", root.path("usr/share/link")).unwrap();
    symlink("share", root.path("usr/folder-link")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        root.path("usr/share/pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(root.path("usr/share/s")).unwrap();
    fs::set_permissions(root.path("usr/share/s"), fs::Permissions::from_mode(0o700)).unwrap();
    let collected = root.walk();
    assert_eq!(
        listing(&collected),
        [
            "/usr/bin/B 104755 file",
            "/usr/bin/b 100755 file",
            "/usr/bin/b-x 100644 file",
            "/usr/folder-link 120777 -> share",
            "/usr/share/b/x 100600 file",
            "/usr/share/b 041777 directory",
            "/usr/share/b.d/x 100644 file",
            "/usr/share/empty 040755 directory",
            "/usr/share/link 120777 -> /nowhere/at all",
            "/usr/share/pipe 010600 fifo",
            "/usr/share/s 140700 socket",
        ]
    );
    assert_eq!(collected.left, []);
}

#[test]
fn hard_links_are_two_files_with_one_digest() {
    let root = Root::new();
    root.file("usr/bin/a", 0o755);
    fs::hard_link(root.path("usr/bin/a"), root.path("usr/bin/z")).unwrap();
    let collected = root.walk();
    let content = |entry: &Entry| {
        let Kind::Regular(content) = &entry.kind else {
            panic!("{entry:?}");
        };
        (content.size, content.digest)
    };
    let digests: Vec<_> = collected.entries.iter().map(content).collect();
    assert_eq!(digests.len(), 2);
    assert_eq!(digests[0], digests[1]);
    let bytes = fs::read(root.path("usr/bin/a")).unwrap();
    assert_eq!(digests[0], (bytes.len() as u64, Digest::of(&bytes)));
}

#[test]
fn what_is_left_out_is_named() {
    let root = Root::new();
    root.file("etc/x.conf", 0o644)
        .file("usr/lib/x/libx.la", 0o644);
    root.file("usr/lib32/liby.la", 0o644)
        .file("usr/share/z.la", 0o644);
    root.file("usrlocal", 0o644).file("usr/lib64/w.la", 0o644);
    fs::create_dir_all(root.path("var/cache")).unwrap();
    let collected = root.walk();
    let left: Vec<_> = collected
        .left
        .iter()
        .map(|left| (left.path.as_str(), left.reason))
        .collect();
    assert_eq!(
        left,
        [
            ("/etc/x.conf", Reason::OutsideUsr),
            ("/usr/lib/x/libx.la", Reason::Libtool),
            ("/usr/lib32/liby.la", Reason::Libtool),
            ("/usrlocal", Reason::OutsideUsr),
            ("/var/cache", Reason::OutsideUsr),
        ]
    );
    assert_eq!(
        listing(&collected),
        ["/usr/lib64/w.la 100644 file", "/usr/share/z.la 100644 file"]
    );
    let kept = walk(root.0.path(), Libtool::Keep, u64::MAX).unwrap();
    assert_eq!(kept.entries.len(), 4);
}

#[test]
fn a_usr_that_is_a_symlink_is_not_followed() {
    let root = Root::new();
    symlink("/bin", root.path("usr")).unwrap();
    let collected = root.walk();
    assert_eq!(listing(&collected), Vec::<String>::new());
    assert_eq!(collected.left.len(), 1);
}

#[test]
fn names_and_links_must_be_utf8() {
    let bad = std::ffi::OsStr::from_bytes(b"caf\xe9");
    let root = Root::new();
    fs::write(root.path("usr/share/x").with_file_name(bad), "").unwrap();
    let error = walk(root.0.path(), Libtool::LeaveOut, 10).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the name of `/usr/share/caf\u{fffd}` in the install root is not UTF-8"
    );
    let root = Root::new();
    symlink(bad, root.path("usr/share/x")).unwrap();
    let error = walk(root.0.path(), Libtool::LeaveOut, 10).unwrap_err();
    assert!(error.to_string().contains("`/usr/share/x`"), "{error}");
}

#[test]
fn folders_that_nest_without_end_are_refused() {
    let root = Root::new();
    fs::create_dir_all(root.path("usr").join("d/".repeat(300))).unwrap();
    let error = walk(root.0.path(), Libtool::LeaveOut, 10).unwrap_err();
    assert!(
        matches!(&error, Error::TooDeep { path } if path.len() == "/usr".len() + 256 * 2),
        "{error}"
    );
}

#[test]
fn a_tree_over_the_limit_is_refused_before_it_is_read() {
    let root = Root::new();
    let file = File::create(root.path("usr/share/hole")).unwrap();
    file.set_len(1 << 40).unwrap();
    let error = walk(root.0.path(), Libtool::LeaveOut, 1 << 30).unwrap_err();
    assert!(matches!(&error, Error::TooLarge { path, .. } if path == "/usr/share/hole"));
}
