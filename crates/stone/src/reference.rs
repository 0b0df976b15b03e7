//! How an index names a package: by a URL reference relative to itself.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, percent_encode};

/// What a path in a URL cannot carry as it is. `+ ~ : ^ @ = ,` are safe, as in the repository
/// manager's references.
const ESCAPED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'#')
    .add(b'?')
    .add(b'%')
    .add(b'\\')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The reference to `file` from an index in `folder`; both are absolute and without links.
pub(crate) fn from(folder: &Path, file: &Path) -> String {
    let shared = folder
        .components()
        .zip(file.components())
        .take_while(|(a, b)| a == b)
        .count();
    let up = folder.components().skip(shared).map(|_| "..".to_owned());
    let down = file.components().skip(shared);
    let down = down.map(|part| percent_encode(part.as_os_str().as_bytes(), ESCAPED).to_string());
    let reference = up.chain(down).collect::<Vec<_>>().join("/");
    // What stands before a colon in the first part would be a scheme.
    match reference.split('/').next() {
        Some(first) if first.contains(':') => format!("./{reference}"),
        _ => reference,
    }
}

/// The file that a relative reference from an index in `folder` names; none for a URL or an
/// absolute path.
pub(crate) fn resolve(folder: &Path, reference: &str) -> Option<PathBuf> {
    let first = reference.split('/').next()?;
    if first.contains(':') || reference.starts_with('/') {
        return None;
    }
    let bytes: Vec<u8> = percent_decode_str(reference).collect();
    let mut path = folder.to_owned();
    for part in Path::new(OsStr::from_bytes(&bytes)).components() {
        match part {
            Component::ParentDir => {
                path.pop();
            }
            Component::Normal(name) => path.push(name),
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn references_lead_from_the_index_to_the_package_and_back() {
        for (folder, file, reference) in [
            ("/r", "/r/a-1.stone", "a-1.stone"),
            ("/r", "/r/b/a#1?%.stone", "b/a%231%3F%25.stone"),
            ("/r/h/1/x", "/r/pool/a.stone", "../../../pool/a.stone"),
            ("/r", "/r/a:1+2~3^4.stone", "./a:1+2~3^4.stone"),
            ("/", "/x y/é.stone", "x%20y/%C3%A9.stone"),
        ] {
            assert_eq!(from(Path::new(folder), Path::new(file)), reference);
            let back = resolve(Path::new(folder), reference);
            assert_eq!(back.as_deref(), Some(Path::new(file)), "{reference}");
        }
    }

    /// A name of a file or folder: any bytes that a system takes.
    fn any_name() -> impl Strategy<Value = Vec<u8>> {
        let bytes = prop_oneof![
            prop::collection::vec(1..=u8::MAX, 1..8),
            "[a:#?%. ]{1,6}".prop_map(String::into_bytes),
        ];
        bytes.prop_filter("a name", |name| {
            !name.contains(&b'/') && name != b"." && name != b".."
        })
    }

    fn path(names: &[Vec<u8>]) -> PathBuf {
        let names = names.iter().map(|name| OsStr::from_bytes(name));
        Path::new("/").join(names.collect::<PathBuf>())
    }

    /// A folder and a file, of which some first parts are the same.
    fn any_places() -> impl Strategy<Value = (PathBuf, PathBuf)> {
        let names = |most| prop::collection::vec(any_name(), 0..most);
        let file = prop::collection::vec(any_name(), 1..4);
        (names(3), names(3), file).prop_map(|(shared, folder, file)| {
            let folder = [&shared[..], &folder].concat();
            (path(&folder), path(&[&shared[..], &file].concat()))
        })
    }

    proptest! {
        #[test]
        fn every_reference_leads_back((folder, file) in any_places()) {
            let reference = from(&folder, &file);
            let back = resolve(&folder, &reference);
            prop_assert_eq!(back.as_deref(), Some(file.as_path()), "{}", reference);
            let odd = |c: char| !c.is_ascii_graphic() || "#?\\\"<>`{|}".contains(c);
            prop_assert!(!reference.contains(odd), "{}", reference);
        }

        #[test]
        fn no_reference_leads_to_no_place(reference in any::<String>()) {
            let resolved = resolve(Path::new("/r/s"), &reference);
            if let Some(path) = resolved {
                prop_assert!(path.is_absolute());
                let mut parts = path.components();
                prop_assert!(!parts.any(|part| part == Component::ParentDir));
            }
        }
    }

    #[test]
    fn what_lies_elsewhere_is_not_resolved() {
        for reference in [
            "https://example.org/a.stone",
            "/a.stone",
            "file:///a",
            "%2Fa",
        ] {
            assert_eq!(resolve(Path::new("/r"), reference), None, "{reference}");
        }
    }
}
