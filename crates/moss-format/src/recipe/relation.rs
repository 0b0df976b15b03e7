//! Dependencies as recipes write them, which is narrower than what the binary
//! formats hold: whatever else stands in an entry was meant otherwise.

use crate::dependency::{self, Dependency, Kind};

use super::name::{self, Name};

/// Why an entry is no dependency.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Invalid {
    /// It is none in any format.
    #[error(transparent)]
    Dependency(#[from] dependency::Error),
    /// A bare word is no name of a package.
    #[error("as the name of a package, {0}")]
    Name(#[from] name::Invalid),
    /// There is white space in the parentheses.
    #[error("it contains {0:?}")]
    WhiteSpace(char),
    /// A parenthesis in the name is not closed, or was not opened.
    #[error("its parentheses do not match")]
    Parentheses,
}

/// Reads an entry of `builddeps` and the like.
pub(crate) fn read(text: &str) -> Result<Dependency, Invalid> {
    let read: Dependency = text.parse()?;
    let name = read.name();
    match read.kind() {
        Kind::PackageName => {
            name.parse::<Name>()?;
        }
        Kind::Soname
        | Kind::PkgConfig
        | Kind::Interpreter
        | Kind::Cmake
        | Kind::Python
        | Kind::Binary
        | Kind::SystemBinary
        | Kind::PkgConfig32 => {
            if let Some(space) = name.chars().find(|c| c.is_whitespace()) {
                return Err(Invalid::WhiteSpace(space));
            }
            if !is_balanced(name) {
                return Err(Invalid::Parentheses);
            }
        }
    }
    Ok(read)
}

fn is_balanced(name: &str) -> bool {
    let mut open = 0_usize;
    for c in name.chars() {
        match c {
            '(' => open += 1,
            ')' => match open.checked_sub(1) {
                Some(fewer) => open = fewer,
                None => return false,
            },
            _ => {}
        }
    }
    open == 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_recipes_write_is_read() {
        for text in [
            "zlib-devel",
            "libstdc++",
            "name(zlib)",
            "pkgconfig(gtk+-3.0)",
            "soname(libz.so.1(x86_64))",
            "interpreter(/usr/lib/ld-linux-x86-64.so.2(x86_64))",
            "binary([)",
            "cmake(Qt6Core)",
            "python(zope.interface)",
            "pkgconfig32(zlib)",
        ] {
            assert_eq!(read(text), Ok(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn what_was_meant_otherwise_is_refused() {
        let character = |c| Err(Invalid::Name(name::Invalid::Character(c)));
        let start = |c| Err(Invalid::Name(name::Invalid::Start(c)));
        for (text, refused) in [
            ("pkgconfig zlib", character(' ')),
            ("gcc >= 12", character(' ')),
            ("zlib, gcc", character(',')),
            ("pkgconfig[zlib]", character('[')),
            ("name)", character(')')),
            ("-devel", start('-')),
            ("- dbus", start('-')),
            ("name(a b)", character(' ')),
            ("pkgconfig( zlib )", Err(Invalid::WhiteSpace(' '))),
            ("pkgconfig(zlib\u{a0})", Err(Invalid::WhiteSpace('\u{a0}'))),
            ("pkgconfig(zlib) gcc)", Err(Invalid::WhiteSpace(' '))),
            ("pkgconfig(a)b)", Err(Invalid::Parentheses)),
            ("soname(libz.so.1(x86_64)", Err(Invalid::Parentheses)),
            ("", Err(Invalid::Dependency(dependency::Error::EmptyName))),
        ] {
            assert_eq!(read(text), refused, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_reads_back(text in "(soname|pkgconfig|name|so)?[a-z (),+]{0,9}") {
            if let Ok(read) = read(&text) {
                prop_assert_eq!(super::read(&read.to_string()), Ok(read.clone()));
                prop_assert!(!read.to_string().contains(char::is_whitespace));
            }
        }

        #[test]
        fn names_of_packages_are_dependencies(name in "[a-zA-Z0-9][a-zA-Z0-9+._-]{0,20}") {
            let read = read(&name).unwrap();
            prop_assert_eq!(read.kind(), Kind::PackageName);
            prop_assert_eq!(read.name(), name);
        }

        #[test]
        fn any_text_is_read_or_refused(text in any::<String>()) {
            let _ = read(&text);
        }
    }
}
