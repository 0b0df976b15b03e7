//! Folders whose paths git allows and summit does not.

use api::id::{RecipeFolder, Sha256};

/// The longest replacement of a path before its digest, in bytes.
const KEPT: usize = 900;

/// Why summit cannot build in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Oddity {
    /// The path is not UTF-8.
    #[error("its path is not UTF-8")]
    NotUtf8,
    /// The path has a control character.
    #[error("its path holds a control character")]
    Control,
    /// The path has a backslash.
    #[error("its path holds a backslash")]
    Backslash,
    /// The path is too long.
    #[error("its path is longer than 1024 bytes")]
    Long,
    /// The path has a component with a special meaning.
    #[error("its path has an empty component, or one called `.`, `..` or `.git`")]
    Component,
}

/// The folder with this path. If the path is not allowed, a replacement with a similar path, and
/// the reason.
pub(super) fn folder(path: &[u8]) -> (RecipeFolder, Option<Oddity>) {
    let text = match std::str::from_utf8(path) {
        Ok("") => Ok("."),
        // Only the top of the repository has this name.
        Ok(".") => Err(Oddity::Component),
        Ok(text) => Ok(text),
        Err(_) => Err(Oddity::NotUtf8),
    };
    match text.map(|text| (text, text.parse())) {
        Ok((_, Ok(folder))) => (folder, None),
        Ok((text, Err(_))) => (called(path), Some(oddity(text))),
        Err(oddity) => (called(path), Some(oddity)),
    }
}

fn oddity(text: &str) -> Oddity {
    if text.contains('\\') {
        Oddity::Backslash
    } else if text.contains(char::is_control) {
        Oddity::Control
    } else if text.len() > 1024 {
        Oddity::Long
    } else {
        Oddity::Component
    }
}

/// The replacement for a path that is not allowed. Each forbidden byte is written as `%` and two
/// hexadecimal digits. A path that is too long is cut, and a digest is appended.
fn called(path: &[u8]) -> RecipeFolder {
    let mut text = String::new();
    for component in path.split(|byte| *byte == b'/') {
        if !text.is_empty() {
            text.push('/');
        }
        let is_special = [&b""[..], b".", b"..", b".git"]
            .iter()
            .any(|name| component.eq_ignore_ascii_case(name));
        if is_special {
            text.push_str("%2E");
        }
        for byte in component.iter().skip(usize::from(is_special)) {
            match byte {
                b'%' | b'\\' | 0..0x20 | 0x7f.. => text.push_str(&format!("%{byte:02X}")),
                byte => text.push(char::from(*byte)),
            }
        }
    }
    if text.len() > KEPT {
        text.truncate(KEPT);
        let text = text.trim_end_matches('/');
        let digest = Sha256::of(path).to_string();
        return format!("{text}%-{}", &digest[..16])
            .parse()
            .expect("escaped and short");
    }
    text.parse()
        .expect("every byte that cannot stand is escaped")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_that_can_stand_are_themselves() {
        for path in ["n/nano", "a b/ü", "100%/x"] {
            assert_eq!(folder(path.as_bytes()), (path.parse().unwrap(), None));
        }
        assert_eq!(folder(b""), (".".parse().unwrap(), None));
    }

    #[test]
    fn others_are_called_alike_and_say_why() {
        let long = "x".repeat(2000);
        let seen: Vec<String> = [
            &b"n/na\\no"[..],
            b"n/na\nno",
            b"n/na\xffno",
            b"n/.GIT/x",
            b".",
            b"n/../x",
        ]
        .into_iter()
        .map(|path| {
            let (folder, oddity) = folder(path);
            format!("{folder}: {}", oddity.unwrap())
        })
        .collect();
        insta::assert_debug_snapshot!(seen);
        let (called, oddity) = folder(long.as_bytes());
        assert_eq!(oddity, Some(Oddity::Long));
        assert_eq!(called.as_str().len(), KEPT + 18);
        assert_ne!(called, folder(format!("{long}y").as_bytes()).0);
    }

    proptest! {
        #[test]
        fn every_path_is_called_something(path in proptest::collection::vec(any::<u8>(), 0..1500)) {
            folder(&path);
        }
    }
}
