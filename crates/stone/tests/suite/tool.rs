//! Running the binary in a folder of its own.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use moss_format::Meta;
use moss_format::package::{self, Folder};
use moss_format::payload::Encoding;
use tempfile::TempDir;

/// A folder that the binary is run in.
pub(crate) struct Place {
    folder: TempDir,
}

/// How a run ended and what it printed.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    /// All of it, for a snapshot.
    pub(crate) fn text(&self) -> String {
        let code = self
            .code
            .map_or("a signal".to_owned(), |code| code.to_string());
        format!(
            "exit code: {code}\n--- standard output\n{}--- standard error\n{}",
            self.out, self.err
        )
    }
}

impl Place {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// The binary, to be started in the folder.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stone"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn stone(&self, arguments: &[&str]) -> Ended {
        let output = self.command(arguments).output().unwrap();
        Ended {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The packages of the corpus, copied here; none where there is no corpus.
    pub(crate) fn with_packages() -> Option<Self> {
        let stones = testbed::corpus::find()?.join("stones");
        let place = Self::new();
        for entry in fs::read_dir(stones).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            place.write(&name, fs::read(entry.path()).unwrap());
        }
        Some(place)
    }
}

pub(crate) const NANO: &str = "nano-8.3-33-1-x86_64.stone";

/// Metadata with all that a package has.
pub(crate) fn meta(name: &str) -> Meta {
    Meta {
        name: name.to_owned(),
        version: "1.2".to_owned(),
        release: 3,
        build_release: 1,
        architecture: "x86_64".to_owned(),
        summary: "A sample".to_owned(),
        description: "Two lines\nof words.\n".to_owned(),
        source_id: "sample".to_owned(),
        homepage: "https://example.org/".to_owned(),
        licenses: vec!["MPL-2.0".to_owned()],
        depends: ["soname(libc.so.6(x86_64))".parse().unwrap()].into(),
        provides: ["binary(sample)".parse().unwrap()].into(),
        ..Meta::default()
    }
}

/// A small package: files, a link, a folder, a program with the set-user-id bit.
pub(crate) fn package(meta: &Meta) -> Vec<u8> {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let folder = tempfile::tempdir().unwrap();
    let at = |path: &str| folder.path().join(path);
    for below in ["bin", "share/doc"] {
        fs::create_dir_all(at(below)).unwrap();
    }
    for (path, mode, text) in [
        ("bin/sample", 0o4755, "#!/bin/sh\n"),
        ("share/doc/one", 0o644, "one\n"),
        ("share/doc/two", 0o600, "two\n"),
    ] {
        fs::write(at(path), text).unwrap();
        fs::set_permissions(at(path), fs::Permissions::from_mode(mode)).unwrap();
    }
    symlink("sample", at("bin/link")).unwrap();
    fs::create_dir(at("share/empty")).unwrap();
    fs::set_permissions(at("share/empty"), fs::Permissions::from_mode(0o750)).unwrap();
    let mut files = Folder::open(folder.path()).unwrap();
    let mut layout = files.scan().unwrap();
    for entry in &mut layout {
        (entry.uid, entry.gid) = (0, 0);
    }
    let out = Cursor::new(Vec::new());
    let encoding = Encoding::default();
    package::write(out, meta, &layout, &mut files, &encoding)
        .unwrap()
        .into_inner()
}

/// The names below a folder, sorted.
pub(crate) fn below(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let entry = entry.unwrap();
            let name = entry
                .path()
                .strip_prefix(folder)
                .unwrap()
                .display()
                .to_string();
            found.push(name);
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            }
        }
    }
    found.sort();
    found
}
