//! An install root to fill, and a run of the packager over it.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use avalanche::package::{self, Error, HostTools, Input, Output, Tools};
use moss_format::dependency::Provider;
use moss_format::layout::Kind;
use moss_format::package::Package;
use moss_format::recipe::Recipe;

pub(crate) struct Bench {
    folder: tempfile::TempDir,
    available: RefCell<BTreeSet<Provider>>,
    log: RefCell<Vec<String>>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        testbed::machine::require();
        let folder = tempfile::tempdir().unwrap();
        for name in ["root", "scratch", "output", "source"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        Self {
            folder,
            available: RefCell::default(),
            log: RefCell::default(),
        }
    }

    /// A path in the install root.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join("root").join(path)
    }

    /// A folder beside the install root, which is made.
    pub(crate) fn temporary(&self, name: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::create_dir(&path).unwrap();
        path
    }

    pub(crate) fn folder(&self, path: &str) {
        fs::create_dir_all(self.path(path)).unwrap();
    }

    pub(crate) fn file(&self, path: &str, mode: u32, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }

    /// A file for the compiler.
    pub(crate) fn source(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join("source").join(name), text).unwrap();
    }

    /// Something that the build's root provides.
    pub(crate) fn available(&self, provider: &str) {
        self.available
            .borrow_mut()
            .insert(provider.parse().unwrap());
    }

    /// Compiles with debug information and a build id.
    pub(crate) fn compile(&self, arguments: &[&str]) {
        let arguments: Vec<&str> = ["-g", "-O1", "-Wl,--build-id=sha1"]
            .iter()
            .chain(arguments)
            .copied()
            .collect();
        self.run("gcc", &arguments);
    }

    /// Runs a program among the sources; `ROOT` stands for the install root.
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) {
        let root = self.path("");
        let root = root.to_str().unwrap().trim_end_matches('/');
        let output = Command::new(program)
            .args(
                arguments
                    .iter()
                    .map(|argument| argument.replace("ROOT", root)),
            )
            .current_dir(self.folder.path().join("source"))
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{program} {arguments:?}: {output:?}"
        );
    }

    pub(crate) fn emit(&self, recipe: &Recipe) -> Result<Output, Error> {
        self.emit_to(recipe, &self.folder.path().join("output"))
    }

    pub(crate) fn emit_to(&self, recipe: &Recipe, output: &Path) -> Result<Output, Error> {
        self.emit_with(recipe, output, &HostTools::new(Duration::from_secs(60)))
    }

    pub(crate) fn emit_with(
        &self,
        recipe: &Recipe,
        output: &Path,
        tools: &dyn Tools,
    ) -> Result<Output, Error> {
        let input = Input {
            recipe,
            install_root: &self.path(""),
            build_release: 7,
            architecture: "x86_64",
            available: &self.available.borrow(),
            limit: 1 << 30,
            tools,
            scratch: &self.folder.path().join("scratch"),
            output,
        };
        package::emit(input, &mut |line| {
            self.log.borrow_mut().push(line.to_owned());
        })
    }

    /// The warnings so far.
    pub(crate) fn log(&self) -> Vec<String> {
        let log = self.log.borrow();
        log.iter()
            .filter(|line| line.starts_with("warning"))
            .cloned()
            .collect()
    }

    /// The sorted names in one of the bench's folders.
    pub(crate) fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path().join(folder)).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

pub(crate) fn recipe(text: &str) -> Recipe {
    match Recipe::parse(text) {
        Ok((recipe, _)) => recipe,
        Err(failure) => panic!("{failure:?}\n{text}"),
    }
}

pub(crate) fn open(path: &Path) -> Package<File> {
    Package::open(File::open(path).unwrap()).unwrap()
}

/// The layout, a line for each record, in its order.
pub(crate) fn listing(package: &Package<File>) -> Vec<String> {
    let size = |digest| {
        let slice = package.slices().iter().find(|slice| slice.digest == digest);
        slice.map_or(0, moss_format::content::Slice::size)
    };
    let line = |entry: &moss_format::layout::Entry| {
        let what = match &entry.kind {
            Kind::Regular(digest) => format!("{} bytes", size(*digest)),
            Kind::Symlink(text) => format!("-> {text}"),
            Kind::Directory => "directory".to_owned(),
            Kind::CharDevice => "character device".to_owned(),
            Kind::BlockDevice => "block device".to_owned(),
            Kind::Fifo => "fifo".to_owned(),
            Kind::Socket => "socket".to_owned(),
            Kind::Other { number, .. } => format!("kind {number}"),
        };
        format!("{:06o} {} {what}", entry.mode, entry.target)
    };
    package.layout().iter().map(line).collect()
}

/// The text without what depends on the host's compiler: sizes of binaries, build ids, the
/// loader's path, the machine.
pub(crate) fn normal(text: &str) -> String {
    let replace = |text: &str, pattern: &str, with: &str| {
        regex::Regex::new(pattern)
            .unwrap()
            .replace_all(text, with)
            .into_owned()
    };
    let text = replace(
        text,
        r"\.build-id/[0-9a-f]{2}/[0-9a-f]+\.debug",
        ".build-id/ID.debug",
    );
    let text = replace(&text, r"interpreter\([^()]*\(", "interpreter(LOADER(");
    let text = replace(&text, r"\(386\)|\(aarch64\)|\(x86_64\)", "(MACHINE)");
    replace(
        &text,
        r"(?m)^(.*(?:\.so\S*|\.a|\.debug|bin/greet)) [0-9]+ bytes$",
        "$1 SIZE bytes",
    )
}
