//! Python distributions: what their metadata provides and requires.
//!
//! The format of `METADATA` and `PKG-INFO` is that of the core metadata specification, of
//! requirements that of PEP 508, of names that of PEP 503.

mod marker;
mod requirement;

use std::collections::BTreeSet;

pub(crate) use marker::Environment;

use crate::package::path::InstalledPath;

/// What one distribution's metadata says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Distribution {
    /// The normalised name; `None` when the metadata gives none.
    pub(crate) name: Option<String>,
    /// The normalised names of what it always needs in the given environment.
    pub(crate) requires: BTreeSet<String>,
    /// Requirements that could not be read, each with its reason.
    pub(crate) unread: Vec<String>,
}

/// Whether this is a distribution's metadata file.
pub(crate) fn is_metadata(path: &InstalledPath) -> bool {
    let folder = path.folder();
    match path.file_name() {
        "METADATA" => folder.file_name().ends_with(".dist-info"),
        "PKG-INFO" => folder.file_name().ends_with(".egg-info"),
        _ => false,
    }
}

/// The version of Python whose library folder holds `path`: `3.11` for
/// `/usr/lib/python3.11/site-packages/…`.
pub(crate) fn version_of(path: &InstalledPath) -> Option<&str> {
    path.components().find_map(|part| {
        let version = part.strip_prefix("python")?;
        let (major, minor) = version.split_once('.')?;
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        (digits(major) && digits(minor)).then_some(version)
    })
}

/// Reads the header of a metadata file.
pub(crate) fn read(text: &str, environment: &Environment) -> Distribution {
    let mut found = Distribution {
        name: None,
        requires: BTreeSet::new(),
        unread: Vec::new(),
    };
    for (key, value) in headers(text) {
        if key.eq_ignore_ascii_case("Name") && found.name.is_none() {
            found.name = Some(normalise(&value)).filter(|name| !name.is_empty());
        } else if key.eq_ignore_ascii_case("Requires-Dist") {
            match requirement::required(&value, environment) {
                Ok(name) => found.requires.extend(name),
                Err(error) => found.unread.push(format!("`{value}`: {error}")),
            }
        }
    }
    found
}

/// The fields before the first empty line; indented lines continue a field.
fn headers(text: &str) -> Vec<(&str, String)> {
    let mut headers: Vec<(&str, String)> = Vec::new();
    for line in text.lines() {
        if line.trim().is_empty() {
            break;
        }
        if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = headers.last_mut() {
                value.push(' ');
                value.push_str(line.trim());
            }
        } else if let Some((key, value)) = line.split_once(':') {
            headers.push((key.trim(), value.trim().to_owned()));
        }
    }
    headers
}

/// The name as PEP 503 normalises it: lower case, runs of `-`, `_` and `.` become one `-`.
pub(crate) fn normalise(name: &str) -> String {
    let mut normal = String::with_capacity(name.len());
    for c in name.trim().chars() {
        if !matches!(c, '-' | '_' | '.') {
            normal.extend(c.to_lowercase());
        } else if !normal.ends_with('-') {
            normal.push('-');
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> InstalledPath {
        InstalledPath::normalise(text).unwrap()
    }

    #[test]
    fn names_are_normalised() {
        for (name, wanted) in [
            ("PyThOn-_-foo", "python-foo"),
            ("ruamel.yaml", "ruamel-yaml"),
            ("zope..interface__x", "zope-interface-x"),
            (" Jinja2 ", "jinja2"),
        ] {
            assert_eq!(normalise(name), wanted);
        }
    }

    #[test]
    fn metadata_files_and_the_version_of_their_python() {
        let dist = path("/usr/lib/python3.11/site-packages/a-1.dist-info/METADATA");
        assert!(is_metadata(&dist));
        assert_eq!(version_of(&dist), Some("3.11"));
        assert!(is_metadata(&path(
            "/usr/lib/python3.11/site-packages/a.egg-info/PKG-INFO"
        )));
        assert!(!is_metadata(&path(
            "/usr/lib/python3.11/site-packages/a-1.dist-info/RECORD"
        )));
        assert!(!is_metadata(&path("/usr/share/a.dist-info/x/METADATA")));
        assert_eq!(version_of(&path("/usr/lib/python3/dist-packages/x")), None);
        assert_eq!(version_of(&path("/usr/lib/python3.x/x")), None);
    }

    #[test]
    fn the_header_ends_at_the_empty_line() {
        let text = "Metadata-Version: 2.1\nName: My.Pkg\nVersion: 1\nRequires-Dist: Mark_Up>=2\n\
                    Requires-Dist: colorama ; sys_platform == \"win32\"\n\
                    Requires-Dist: pytest ; extra == 'test'\nRequires-Dist: ???\n\
                    Requires-Dist: folded\n  >=1\n\nRequires-Dist: body\n";
        let found = read(text, &Environment::new("3.11", "x86_64"));
        assert_eq!(found.name.as_deref(), Some("my-pkg"));
        assert_eq!(
            found.requires.into_iter().collect::<Vec<_>>(),
            ["folded", "mark-up"]
        );
        assert_eq!(found.unread, ["`???`: it does not begin with a name"]);
    }
}
