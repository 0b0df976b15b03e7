//! What each file provides and what it needs.
//!
//! Every rule looks at one file, knows which other files the build installed, and adds to the
//! [`Findings`] of the file's package. Nothing here fails: a file that cannot be understood is
//! packaged as it is, and the log says what was not understood.

mod cmake;
pub(crate) mod elf;
mod linkage;
mod pkgconfig;
mod python;

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::path::Path;

use moss_format::dependency::{self, Dependency, Provider};

use self::elf::Elf;
use super::collect::{self, Entry, Kind};
use super::path::InstalledPath;

/// The most that is read of a text file to be analysed, in bytes.
const TEXT_LIMIT: u64 = 4 << 20;
/// The Python for which requirements count when the path of the metadata names none.
const USUAL_PYTHON: &str = "3.12";

/// What the files of one package provide and need.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Findings {
    pub(crate) provides: BTreeSet<Provider>,
    pub(crate) depends: BTreeSet<Dependency>,
}

/// What the rules know beside the file they look at.
pub(crate) struct Surroundings<'a> {
    /// Every path that the build installed, of all its packages.
    pub(crate) installed: BTreeSet<&'a InstalledPath>,
    /// What the packages in the build's root provide.
    pub(crate) available: &'a BTreeSet<Provider>,
    /// The architecture that is built for, as Python names machines.
    pub(crate) architecture: &'a str,
}

impl Surroundings<'_> {
    /// Adds what `entry` provides and needs to `findings`. `elf` is what its headers say.
    pub(crate) fn analyse(
        &self,
        entry: &Entry,
        elf: Option<&Elf>,
        findings: &mut Findings,
        log: &mut dyn FnMut(&str),
    ) {
        let path = &entry.path;
        let mut add = Add {
            path,
            findings,
            log,
        };
        if path.below("/usr/bin").is_some() {
            add.provides(dependency::Kind::Binary, path.file_name());
        } else if path.below("/usr/sbin").is_some() {
            add.provides(dependency::Kind::SystemBinary, path.file_name());
        }
        if let Some(name) = cmake::package(path.file_name()) {
            add.provides(dependency::Kind::Cmake, name);
        }
        if let Some(elf) = elf {
            self.linkage(elf, &mut add);
        }
        if path.folder().has_component("pkgconfig")
            && let Some(name) = path.file_name().strip_suffix(".pc")
        {
            self.pkgconfig(name, entry, &mut add);
        }
        if python::is_metadata(path) {
            self.python(entry, &mut add);
        }
    }

    fn linkage(&self, elf: &Elf, add: &mut Add<'_>) {
        if let Some(soname) = linkage::provided(add.path, elf) {
            add.provides(dependency::Kind::Soname, &soname);
        }
        for path in linkage::interpreters(add.path, elf) {
            add.provides(dependency::Kind::Interpreter, &path);
            add.provides(dependency::Kind::Soname, &path);
        }
        if let Some(path) = &elf.interpreter {
            let name = format!("{path}({})", elf.machine);
            add.depends(dependency::Kind::Interpreter, &name);
        }
        let exists = |path: &InstalledPath| self.installed.contains(path);
        let available = |soname: &str| {
            Provider::new(dependency::Kind::Soname, soname)
                .is_ok_and(|provider| self.available.contains(&provider))
        };
        for soname in linkage::needed(add.path, elf, &exists, &available) {
            add.depends(dependency::Kind::Soname, &soname);
        }
    }

    /// A module of the 32-bit libraries needs others of its kind where they exist: beside it, or
    /// in the build's root. Modules without libraries, such as headers, come in one kind only.
    fn pkgconfig(&self, name: &str, entry: &Entry, add: &mut Add<'_>) {
        let own = if entry.path.has_component("lib32") {
            dependency::Kind::PkgConfig32
        } else {
            dependency::Kind::PkgConfig
        };
        add.provides(own, name);
        let Some(text) = add.read(entry) else {
            return;
        };
        let required = match pkgconfig::requirements(&text) {
            Ok(required) => required,
            Err(error) => return add.warn(&error.to_string()),
        };
        for name in required {
            let beside = entry.path.folder().join(&format!("{name}.pc"));
            let exists = self.installed.contains(&beside)
                || Provider::new(own, name.as_str())
                    .is_ok_and(|provider| self.available.contains(&provider));
            let kind = if exists {
                own
            } else {
                dependency::Kind::PkgConfig
            };
            add.depends(kind, &name);
        }
    }

    fn python(&self, entry: &Entry, add: &mut Add<'_>) {
        let Some(text) = add.read(entry) else {
            return;
        };
        let version = python::version_of(&entry.path).unwrap_or(USUAL_PYTHON);
        let environment = python::Environment::new(version, self.architecture);
        let distribution = python::read(&text, &environment);
        match &distribution.name {
            Some(name) => add.provides(dependency::Kind::Python, name),
            None => add.warn("it names no distribution"),
        }
        for name in &distribution.requires {
            add.depends(dependency::Kind::Python, name);
        }
        for requirement in &distribution.unread {
            add.warn(&format!("cannot read the requirement {requirement}"));
        }
    }
}

/// Adds findings about one file.
struct Add<'a> {
    path: &'a InstalledPath,
    findings: &'a mut Findings,
    log: &'a mut dyn FnMut(&str),
}

impl Add<'_> {
    fn provides(&mut self, kind: dependency::Kind, name: &str) {
        match Provider::new(kind, name) {
            Ok(provider) => {
                self.findings.provides.insert(provider);
            }
            Err(error) => self.warn(&error.to_string()),
        }
    }

    fn depends(&mut self, kind: dependency::Kind, name: &str) {
        match Dependency::new(kind, name) {
            Ok(dependency) => {
                self.findings.depends.insert(dependency);
            }
            Err(error) => self.warn(&error.to_string()),
        }
    }

    fn warn(&mut self, text: &str) {
        (self.log)(&format!("warning: {}: {text}", self.path));
    }

    /// The text of a regular file; of anything else none, and nothing is said.
    fn read(&mut self, entry: &Entry) -> Option<String> {
        let Kind::Regular(content) = &entry.kind else {
            return None;
        };
        match read_text(&content.source) {
            Ok(text) => Some(text),
            Err(error) => {
                self.warn(&format!("cannot be read: {error}"));
                None
            }
        }
    }
}

fn read_text(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    collect::open(path)?
        .take(TEXT_LIMIT)
        .read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
