//! From ELF headers to sonames and interpreters.
//!
//! A library directly in `/usr/<folder>/` is known by its plain soname. One that lies deeper is
//! found only by those who look there, so its soname carries the folders in between:
//! `soname(systemd/libsystemd-shared-254.so(x86_64))` for `/usr/lib/systemd/…`.

use super::elf::{Class, Elf};
use crate::package::path::InstalledPath;

/// The soname that a file provides, with its machine. Programs provide none, and a file is a
/// library when its name says so.
pub(super) fn provided(path: &InstalledPath, elf: &Elf) -> Option<String> {
    let soname = soname(path, elf)?;
    Some(format!(
        "{}({})",
        within(&path.folder(), soname),
        elf.machine
    ))
}

/// The paths under which programs ask for a dynamic loader, with its machine.
pub(super) fn interpreters(path: &InstalledPath, elf: &Elf) -> Vec<String> {
    let Some(soname) = soname(path, elf).filter(|soname| soname.starts_with("ld-")) else {
        return Vec::new();
    };
    if !path.as_str().starts_with("/usr/lib") {
        return Vec::new();
    }
    let folders = match elf.class {
        Class::Bits64 => ["/usr/lib64", "/lib64", "/lib"],
        Class::Bits32 => ["/usr/lib", "/lib32", "/lib"],
    };
    folders
        .iter()
        .map(|folder| format!("{folder}/{soname}({})", elf.machine))
        .chain([format!("{path}({})", elf.machine)])
        .collect()
}

/// The sonames that a file needs, with its machine.
///
/// A library that the build installed in a folder where the file looks (its own, then RUNPATH,
/// then RPATH) is named by that folder. `exists` says whether the build installed a path,
/// `available` whether a soname with folders is provided by the build's root.
pub(super) fn needed(
    path: &InstalledPath,
    elf: &Elf,
    exists: &dyn Fn(&InstalledPath) -> bool,
    available: &dyn Fn(&str) -> bool,
) -> Vec<String> {
    let origin = path.folder();
    let searched = elf
        .search
        .iter()
        .filter_map(|folder| expand(folder, &origin));
    let folders: Vec<InstalledPath> = std::iter::once(origin.clone()).chain(searched).collect();
    elf.needed
        .iter()
        .filter(|name| !name.is_empty())
        .map(|name| {
            let plain = format!("{name}({})", elf.machine);
            // A name with a slash is a path and is not searched for.
            if name.contains('/') {
                return plain;
            }
            let named =
                |folder: &InstalledPath| format!("{}({})", within(folder, name), elf.machine);
            folders
                .iter()
                .find_map(|folder| {
                    let soname = named(folder);
                    let elsewhere = soname != plain && available(&soname);
                    (exists(&folder.join(name)) || elsewhere).then_some(soname)
                })
                .unwrap_or(plain)
        })
        .collect()
}

/// The soname of a library: its DT_SONAME, else its file name.
fn soname<'a>(path: &'a InstalledPath, elf: &'a Elf) -> Option<&'a str> {
    if !path.file_name().contains(".so") {
        return None;
    }
    match elf.soname.as_deref() {
        None | Some("") => Some(path.file_name()),
        Some(soname) => Some(soname),
    }
}

/// `name` with the folders between `/usr/<folder>/` and itself.
fn within(folder: &InstalledPath, name: &str) -> String {
    let between = folder.components().skip(2);
    between.chain([name]).collect::<Vec<_>>().join("/")
}

/// A search path with `$ORIGIN` and `$LIB` replaced; `None` unless it is then absolute.
fn expand(folder: &str, origin: &InstalledPath) -> Option<InstalledPath> {
    let expanded = folder
        .replace("${ORIGIN}", origin.as_str())
        .replace("$ORIGIN", origin.as_str())
        .replace("${LIB}", "lib")
        .replace("$LIB", "lib");
    InstalledPath::normalise(&expanded)
}

#[cfg(test)]
mod tests {
    use super::super::elf::Form;
    use super::*;

    fn path(text: &str) -> InstalledPath {
        InstalledPath::normalise(text).unwrap()
    }

    fn library(soname: Option<&str>) -> Elf {
        Elf {
            machine: "x86_64".to_owned(),
            class: Class::Bits64,
            form: Form::Linked,
            interpreter: None,
            needed: Vec::new(),
            soname: soname.map(str::to_owned),
            search: Vec::new(),
            build_id: None,
        }
    }

    #[test]
    fn sonames_by_place_and_name() {
        for (file, soname, wanted) in [
            (
                "/usr/lib/libz.so.1.3",
                Some("libz.so.1"),
                Some("libz.so.1(x86_64)"),
            ),
            ("/usr/lib/libplain.so", None, Some("libplain.so(x86_64)")),
            (
                "/usr/lib/libempty.so",
                Some(""),
                Some("libempty.so(x86_64)"),
            ),
            (
                "/usr/lib/gconv/UTF-7.so",
                None,
                Some("gconv/UTF-7.so(x86_64)"),
            ),
            (
                "/usr/lib/a/b/x.so.2",
                Some("y.so.2"),
                Some("a/b/y.so.2(x86_64)"),
            ),
            ("/usr/libexec/libx.so", None, Some("libx.so(x86_64)")),
            ("/usr/libx.so", None, Some("libx.so(x86_64)")),
            ("/usr/bin/program", Some("libodd.so.1"), None),
        ] {
            assert_eq!(
                provided(&path(file), &library(soname)).as_deref(),
                wanted,
                "{file}"
            );
        }
    }

    #[test]
    fn loaders_are_known_by_their_usual_paths() {
        let mut loader = library(Some("ld-linux-x86-64.so.2"));
        assert_eq!(
            interpreters(&path("/usr/lib/ld-linux-x86-64.so.2"), &loader),
            [
                "/usr/lib64/ld-linux-x86-64.so.2(x86_64)",
                "/lib64/ld-linux-x86-64.so.2(x86_64)",
                "/lib/ld-linux-x86-64.so.2(x86_64)",
                "/usr/lib/ld-linux-x86-64.so.2(x86_64)",
            ]
        );
        loader = Elf {
            machine: "386".to_owned(),
            class: Class::Bits32,
            soname: Some("ld-linux.so.2".to_owned()),
            ..loader
        };
        assert_eq!(
            interpreters(&path("/usr/lib32/ld-linux.so.2"), &loader),
            [
                "/usr/lib/ld-linux.so.2(386)",
                "/lib32/ld-linux.so.2(386)",
                "/lib/ld-linux.so.2(386)",
                "/usr/lib32/ld-linux.so.2(386)",
            ]
        );
        assert!(interpreters(&path("/usr/share/ld-linux.so.2"), &loader).is_empty());
        assert!(interpreters(&path("/usr/lib/libz.so"), &library(None)).is_empty());
    }

    #[test]
    fn needed_libraries_are_named_by_where_they_are_found() {
        let installed = [
            "/usr/lib/app/libinner.so.1",
            "/usr/lib/libouter.so.1",
            "/usr/lib/app/plugins/libpeer.so",
        ];
        for (file, search, needs, wanted) in [
            ("/usr/bin/app", "", "libinner.so.1", "libinner.so.1"),
            (
                "/usr/bin/app",
                "$ORIGIN/../lib/app",
                "libinner.so.1",
                "app/libinner.so.1",
            ),
            (
                "/usr/bin/app",
                "${ORIGIN}/../$LIB/app",
                "libinner.so.1",
                "app/libinner.so.1",
            ),
            (
                "/usr/bin/app",
                "/usr/lib/app",
                "libinner.so.1",
                "app/libinner.so.1",
            ),
            ("/usr/bin/app", "/usr/lib/app", "libc.so.6", "libc.so.6"),
            ("/usr/bin/app", "lib/app", "libinner.so.1", "libinner.so.1"),
            ("/usr/bin/app", "/usr/lib", "libouter.so.1", "libouter.so.1"),
            (
                "/usr/lib/app/plugins/x.so",
                "",
                "libpeer.so",
                "app/plugins/libpeer.so",
            ),
            (
                "/usr/bin/app",
                "/usr/lib/other",
                "libthere.so",
                "other/libthere.so",
            ),
            (
                "/usr/bin/app",
                "/usr/lib/app",
                "/usr/lib/x.so",
                "/usr/lib/x.so",
            ),
        ] {
            let mut elf = library(None);
            elf.needed = vec![needs.to_owned()];
            elf.search = vec![search.to_owned()];
            let exists = |path: &InstalledPath| installed.contains(&path.as_str());
            let available = |soname: &str| soname == "other/libthere.so(x86_64)";
            let found = needed(&path(file), &elf, &exists, &available);
            assert_eq!(
                found,
                [format!("{wanted}(x86_64)")],
                "{file} {search} {needs}"
            );
        }
    }
}
