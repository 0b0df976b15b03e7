//! What lies in the host's folders, by the kind of dependency that it meets.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use moss_format::Dependency;
use moss_format::dependency::Kind;

/// The folders of `PATH` in scripts.
const PROGRAMS: &[&str] = &["/usr/bin", "/usr/sbin", "/bin", "/sbin"];

/// The folders of modules and packages beside those of the library folders.
const SHARED_MODULES: &str = "/usr/share/pkgconfig";
const MODULES_32: &str = "/usr/lib32/pkgconfig";
const SHARED_CMAKE: &str = "/usr/share/cmake";

/// What the host has.
#[derive(Debug, Default)]
pub(super) struct Inventory {
    programs: BTreeSet<String>,
    modules: BTreeSet<String>,
    modules32: BTreeSet<String>,
    /// As `libz.so.1(x86_64)`.
    libraries: BTreeSet<String>,
    cmake: BTreeSet<String>,
    python: BTreeSet<String>,
}

impl Inventory {
    pub(super) fn take() -> Self {
        let libraries = library_folders();
        let mut inventory = Self::default();
        for folder in PROGRAMS {
            inventory.programs.extend(names(Path::new(folder)));
        }
        for folder in &libraries {
            inventory
                .modules
                .extend(stems(&folder.join("pkgconfig"), ".pc"));
            inventory.libraries.extend(sonames(folder));
            inventory
                .cmake
                .extend(cmake_packages(&folder.join("cmake")));
        }
        inventory
            .modules
            .extend(stems(Path::new(SHARED_MODULES), ".pc"));
        inventory
            .modules32
            .extend(stems(Path::new(MODULES_32), ".pc"));
        inventory
            .cmake
            .extend(cmake_packages(Path::new(SHARED_CMAKE)));
        inventory.python.extend(python_projects());
        inventory
    }

    /// The folders in which something appears when it is installed.
    pub(super) fn folders() -> Vec<PathBuf> {
        let mut folders: Vec<PathBuf> = PROGRAMS.iter().map(PathBuf::from).collect();
        for folder in library_folders() {
            folders.extend([folder.join("pkgconfig"), folder.join("cmake"), folder]);
        }
        folders.extend([SHARED_MODULES, MODULES_32, SHARED_CMAKE].map(PathBuf::from));
        folders.extend(python_folders());
        folders
    }

    /// Whether the host has what `dependency` asks for. Package names it never has by itself.
    pub(super) fn has(&self, dependency: &Dependency) -> bool {
        let name = dependency.name();
        match dependency.kind() {
            Kind::PackageName => false,
            // Hosts draw the line between the two in different places; scripts search both.
            Kind::Binary | Kind::SystemBinary => self.programs.contains(name),
            Kind::PkgConfig => self.modules.contains(name),
            Kind::PkgConfig32 => self.modules32.contains(name),
            Kind::Soname => self.libraries.contains(name),
            Kind::Cmake => self.cmake.contains(name),
            Kind::Python => self.python.contains(&normalised(name)),
            Kind::Interpreter => has_interpreter(name),
        }
    }
}

/// `/usr/lib` and its like, with the folders for one architecture that some hosts have in them.
fn library_folders() -> Vec<PathBuf> {
    let mut folders = Vec::new();
    for folder in ["/usr/lib", "/usr/lib64", "/lib64"].map(PathBuf::from) {
        for name in names(&folder).filter(|name| name.ends_with("-linux-gnu")) {
            folders.push(folder.join(name));
        }
        folders.push(folder);
    }
    folders
}

fn names(folder: &Path) -> impl Iterator<Item = String> + use<> {
    std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
}

fn stems(folder: &Path, ending: &'static str) -> impl Iterator<Item = String> + use<> {
    names(folder).filter_map(move |name| name.strip_suffix(ending).map(ToOwned::to_owned))
}

/// The libraries by their file names, which are their sonames for those that have one.
fn sonames(folder: &Path) -> Vec<String> {
    names(folder)
        .filter(|name| name.contains(".so"))
        .filter_map(|name| Some(format!("{name}({})", find_machine(&folder.join(&name))?)))
        .collect()
}

/// The machine of an ELF file, as dependencies name it.
fn find_machine(path: &Path) -> Option<&'static str> {
    let mut header = [0u8; 20];
    File::open(path).ok()?.read_exact(&mut header).ok()?;
    if !header.starts_with(b"\x7fELF") {
        return None;
    }
    match (header[18], header[19]) {
        (62, 0) => Some("x86_64"),
        (3, 0) => Some("386"),
        (183, 0) => Some("aarch64"),
        (243, 0) => Some("riscv"),
        _ => None,
    }
}

/// A path with its machine in parentheses.
fn has_interpreter(name: &str) -> bool {
    let Some((path, machine)) = name
        .strip_suffix(')')
        .and_then(|name| name.rsplit_once('('))
    else {
        return false;
    };
    Path::new(path).is_absolute() && find_machine(Path::new(path)) == Some(machine)
}

fn cmake_packages(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let below = names(folder)
        .map(|name| folder.join(name))
        .filter(|path| path.is_dir());
    for folder in below {
        for name in names(&folder) {
            if let Some(package) = name.strip_suffix("-config.cmake") {
                found.push(package.to_owned());
            } else if let Some(package) = name.strip_suffix("Config.cmake")
                && !package.ends_with('-')
                && !package.is_empty()
            {
                found.push(package.to_owned());
            }
        }
    }
    found
}

/// Projects by the folders of their metadata, `name-1.0.dist-info`.
fn python_projects() -> Vec<String> {
    let mut found = Vec::new();
    for name in python_folders().iter().flat_map(|folder| names(folder)) {
        let Some(project) = name
            .strip_suffix(".dist-info")
            .or_else(|| name.strip_suffix(".egg-info"))
        else {
            continue;
        };
        let name = project.split_once('-').map_or(project, |(name, _)| name);
        found.push(normalised(name));
    }
    found
}

/// Where Python looks for what is installed.
fn python_folders() -> Vec<PathBuf> {
    let library = Path::new("/usr/lib");
    names(library)
        .filter(|name| name.starts_with("python3"))
        .flat_map(|python| {
            let sites = ["site-packages", "dist-packages"];
            sites.map(|site| library.join(&python).join(site))
        })
        .collect()
}

/// The spelling of PEP 503.
fn normalised(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '-' | '_' | '.' if out.ends_with('-') => {}
            '-' | '_' | '.' => out.push('-'),
            c => out.push(c.to_ascii_lowercase()),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cmake_packages_are_named_by_both_spellings() {
        let folder = tempfile::tempdir().unwrap();
        let package = folder.path().join("Foo");
        std::fs::create_dir(&package).unwrap();
        for name in [
            "FooConfig.cmake",
            "bar-config.cmake",
            "Baz-Config.cmake",
            "Foo.cmake",
        ] {
            std::fs::write(package.join(name), "").unwrap();
        }
        let mut found = cmake_packages(folder.path());
        found.sort();
        assert_eq!(found, ["Foo", "bar"]);
    }

    #[test]
    fn python_names_are_compared_as_pep_503_says() {
        assert_eq!(normalised("Foo_.-Bar"), "foo-bar");
        let mut inventory = Inventory::default();
        inventory.python.insert(normalised("typing_extensions"));
        assert!(inventory.has(&"python(typing-extensions)".parse().unwrap()));
    }
}
