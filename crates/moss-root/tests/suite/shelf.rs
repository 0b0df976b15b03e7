//! A folder with packages and their index.

use std::fs;
use std::io::Cursor;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use moss_format::index::{self, Entry};
use moss_format::package::{self, Folder};
use moss_format::payload::Encoding;
use moss_format::{Dependency, Limits, Meta};
use moss_root::{Error, Installed, Order};
use tempfile::TempDir;
use url::Url;

pub(crate) struct Shelf {
    folder: TempDir,
    metas: Vec<Meta>,
}

impl Shelf {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("pool")).unwrap();
        fs::create_dir(folder.path().join("index")).unwrap();
        Self {
            folder,
            metas: Vec::new(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Adds a package. A file whose text begins with `-> ` is a link; programs have mode 0755.
    pub(crate) fn add(&mut self, name: &str, depends: &[&str], provides: &[&str], files: Files) {
        let meta = Meta {
            name: name.to_owned(),
            version: "1.0".to_owned(),
            release: 1,
            build_release: 1,
            architecture: "x86_64".to_owned(),
            summary: "A sample".to_owned(),
            description: "A sample.".to_owned(),
            source_id: name.to_owned(),
            homepage: "https://example.org/".to_owned(),
            licenses: vec!["MPL-2.0".to_owned()],
            depends: depends.iter().map(|text| text.parse().unwrap()).collect(),
            provides: provides.iter().map(|text| text.parse().unwrap()).collect(),
            ..Meta::default()
        };
        let path = self.path("pool").join(format!("{name}.stone"));
        fs::write(&path, stone(&meta, files)).unwrap();
        let surveyed = package::survey(&[path], 1.try_into().unwrap(), Limits::default());
        let meta = surveyed.into_iter().next().unwrap().unwrap();
        self.metas.push(Meta {
            uri: Some(format!("../pool/{name}.stone")),
            ..meta
        });
    }

    /// Changes what the index says of a package.
    pub(crate) fn say(&mut self, name: &str, change: impl FnOnce(&mut Meta)) {
        let meta = self.metas.iter_mut().find(|meta| meta.name == name);
        change(meta.unwrap());
    }

    /// Writes the index; its URL.
    pub(crate) fn index(&self) -> Url {
        let entries = self.metas.iter();
        let entries = entries.map(|meta| Entry::new(meta, &Encoding::default()).unwrap());
        let mut bytes = Vec::new();
        index::write(&entries.collect::<Vec<_>>(), &mut bytes).unwrap();
        let path = self.path("index/stone.index");
        fs::write(&path, bytes).unwrap();
        Url::from_file_path(path).unwrap()
    }

    /// Installs into the folder `root`.
    pub(crate) async fn install(&self, wanted: &[&str]) -> Result<Installed, Error> {
        self.install_from(self.index(), wanted).await
    }

    pub(crate) async fn install_from(
        &self,
        index: Url,
        wanted: &[&str],
    ) -> Result<Installed, Error> {
        let wanted = wanted.iter().map(|text| text.parse::<Dependency>());
        let order = Order {
            index,
            wanted: wanted.map(Result::unwrap).collect(),
            folder: self.path("root"),
        };
        moss_root::install(&order).await
    }

    /// What lies at the top of the shelf: nothing of an install that failed is left there.
    pub(crate) fn top(&self) -> Vec<String> {
        names(self.folder.path())
    }
}

/// Paths below `/usr` and what is there.
pub(crate) type Files<'a> = &'a [(&'a str, &'a str)];

fn stone(meta: &Meta, files: Files) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match text.strip_prefix("-> ") {
            Some(target) => symlink(target, &path).unwrap(),
            None => fs::write(&path, text).unwrap(),
        }
        if path.parent().unwrap().ends_with("bin") && !path.is_symlink() {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o4755)).unwrap();
        }
    }
    let mut content = Folder::open(folder.path()).unwrap();
    let layout = content.scan().unwrap();
    let out = Cursor::new(Vec::new());
    package::write(out, meta, &layout, &mut content, &Encoding::default())
        .unwrap()
        .into_inner()
}

pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
