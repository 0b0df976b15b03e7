//! What packages need and what they provide.
//!
//! Both are a [`Kind`] and a name, written `kind(name)`: `soname(libz.so.1(x86_64))`,
//! `pkgconfig(zlib)`, `binary(msgfmt)`. A bare word is the name of a package.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What sort of thing a dependency names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// A package by its name.
    PackageName = 0,
    /// A shared library by its soname, with the machine in parentheses.
    Soname = 1,
    /// A pkg-config module.
    PkgConfig = 2,
    /// The program interpreter of an ELF file.
    Interpreter = 3,
    /// A CMake package.
    Cmake = 4,
    /// A Python distribution.
    Python = 5,
    /// A program in `/usr/bin`.
    Binary = 6,
    /// A program in `/usr/sbin`.
    SystemBinary = 7,
    /// A pkg-config module of the 32-bit libraries.
    PkgConfig32 = 8,
}

impl Kind {
    /// Every kind, in the order of their numbers.
    pub const ALL: [Self; 9] = [
        Self::PackageName,
        Self::Soname,
        Self::PkgConfig,
        Self::Interpreter,
        Self::Cmake,
        Self::Python,
        Self::Binary,
        Self::SystemBinary,
        Self::PkgConfig32,
    ];

    /// The kind of this number in a file.
    #[must_use]
    pub fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.get(usize::from(byte)).copied()
    }

    /// The number of this kind in a file.
    #[must_use]
    pub fn as_byte(self) -> u8 {
        self as u8
    }

    /// The word before the parenthesis.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PackageName => "name",
            Self::Soname => "soname",
            Self::PkgConfig => "pkgconfig",
            Self::Interpreter => "interpreter",
            Self::Cmake => "cmake",
            Self::Python => "python",
            Self::Binary => "binary",
            Self::SystemBinary => "sysbinary",
            Self::PkgConfig32 => "pkgconfig32",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a dependency or provider could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no name.
    #[error("a dependency needs a name")]
    EmptyName,
    /// The name holds a control character, such as a NUL or a line feed.
    #[error("the dependency name {name:?} holds a control character")]
    ControlCharacter {
        /// The name that was refused.
        name: String,
    },
    /// The word before the parenthesis is no known kind.
    #[error("{text:?} is of no known dependency kind: {word:?}")]
    UnknownKind {
        /// The whole text.
        text: String,
        /// The word before the parenthesis.
        word: String,
    },
    /// The parenthesis after the kind is not closed at the end.
    #[error("{text:?} lacks the closing parenthesis at its end")]
    Unclosed {
        /// The whole text.
        text: String,
    },
}

/// Kind and name: what [`Dependency`] and [`Provider`] have in common.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Named {
    kind: Kind,
    name: String,
}

impl Named {
    fn new(kind: Kind, name: String) -> Result<Self, Error> {
        if name.is_empty() {
            return Err(Error::EmptyName);
        }
        if name.chars().any(char::is_control) {
            return Err(Error::ControlCharacter { name });
        }
        Ok(Self { kind, name })
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A bare name with a parenthesis would read back as another kind.
        if self.kind == Kind::PackageName && !self.name.contains('(') {
            f.write_str(&self.name)
        } else {
            write!(f, "{}({})", self.kind, self.name)
        }
    }
}

impl FromStr for Named {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::exactly(text.trim())
    }
}

impl Named {
    /// What the text says to the last blank, as it is written by `Display`.
    fn exactly(text: &str) -> Result<Self, Error> {
        let Some((word, rest)) = text.split_once('(') else {
            return Self::new(Kind::PackageName, text.to_owned());
        };
        let kind = Kind::from_word(word).ok_or_else(|| Error::UnknownKind {
            text: text.to_owned(),
            word: word.to_owned(),
        })?;
        let name = rest.strip_suffix(')').ok_or_else(|| Error::Unclosed {
            text: text.to_owned(),
        })?;
        Self::new(kind, name.to_owned())
    }
}

/// Bytewise by `kind(name)`, also for plain names.
impl Ord for Named {
    fn cmp(&self, other: &Self) -> Ordering {
        fn kind(named: &Named) -> impl Iterator<Item = u8> {
            named.kind.as_str().bytes().chain([b'('])
        }
        fn name(named: &Named) -> impl Iterator<Item = u8> {
            named.name.bytes().chain([b')'])
        }
        if self.kind == other.kind {
            name(self).cmp(name(other))
        } else {
            kind(self).cmp(kind(other))
        }
    }
}

impl PartialOrd for Named {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Something a package needs, at run time or to be built.
///
/// Ordered bytewise by its text, where a plain name counts as `name(x)`: the
/// order in which writers lay dependencies down.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Dependency(Named);

/// Something a package provides, or conflicts with.
///
/// Every package also provides its own name, which files leave out. Ordered as
/// [`Dependency`] is.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Provider(Named);

macro_rules! named {
    ($name:ident) => {
        impl $name {
            /// Of this kind and name.
            ///
            /// # Errors
            ///
            /// When the name is empty or holds a control character.
            pub fn new(kind: Kind, name: impl Into<String>) -> Result<Self, Error> {
                Named::new(kind, name.into()).map(Self)
            }

            /// What sort of thing it names.
            #[must_use]
            pub fn kind(&self) -> Kind {
                self.0.kind
            }

            /// The name, without its kind.
            #[must_use]
            pub fn name(&self) -> &str {
                &self.0.name
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self, Error> {
                text.parse().map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;

            /// Takes no blank away: people write texts that are parsed,
            /// programs those that are read back.
            fn try_from(text: String) -> Result<Self, Error> {
                Named::exactly(&text).map(Self)
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }
    };
}

named!(Dependency);
named!(Provider);

impl Provider {
    /// Whether this is what the dependency asks for.
    #[must_use]
    pub fn satisfies(&self, dependency: &Dependency) -> bool {
        self.0 == dependency.0
    }

    /// The dependency that this provider satisfies.
    #[must_use]
    pub fn to_dependency(&self) -> Dependency {
        Dependency(self.0.clone())
    }
}

impl From<Provider> for Dependency {
    /// The dependency that the provider satisfies; nothing is copied.
    fn from(provider: Provider) -> Self {
        Self(provider.0)
    }
}

impl Dependency {
    /// The provider that satisfies this dependency.
    #[must_use]
    pub fn to_provider(&self) -> Provider {
        Provider(self.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Dependency, Error, Kind, Provider};

    #[test]
    fn text_of_every_kind_reads_back() {
        for kind in Kind::ALL {
            let dependency = Dependency::new(kind, "libz.so.1(x86_64)").unwrap();
            assert_eq!(dependency.to_string().parse(), Ok(dependency.clone()));
            assert_eq!(Kind::from_byte(kind.as_byte()), Some(kind));
        }
        assert_eq!(Kind::from_byte(9), None);
    }

    #[test]
    fn a_bare_word_is_a_package() {
        let dependency: Dependency = " zlib-devel ".parse().unwrap();
        assert_eq!(dependency.kind(), Kind::PackageName);
        assert_eq!(dependency.name(), "zlib-devel");
        assert_eq!(dependency.to_string(), "zlib-devel");
        assert_eq!("name(zlib-devel)".parse(), Ok(dependency));
    }

    #[test]
    fn malformed_text_says_what_is_wrong() {
        let parse = |text: &str| text.parse::<Dependency>().unwrap_err();
        assert_eq!(parse(""), Error::EmptyName);
        assert_eq!(parse("soname()"), Error::EmptyName);
        assert!(matches!(parse("so(x)"), Error::UnknownKind { word, .. } if word == "so"));
        assert!(matches!(parse("soname(x"), Error::Unclosed { .. }));
        assert!(matches!(parse("a\0b"), Error::ControlCharacter { .. }));
    }

    #[test]
    fn a_provider_satisfies_only_its_own_kind_and_name() {
        let provider: Provider = "pkgconfig(zlib)".parse().unwrap();
        assert!(provider.satisfies(&"pkgconfig(zlib)".parse().unwrap()));
        assert!(!provider.satisfies(&"pkgconfig32(zlib)".parse().unwrap()));
        assert!(!provider.satisfies(&"zlib".parse().unwrap()));
    }

    fn sort_text(dependency: &Dependency) -> String {
        format!("{}({})", dependency.kind(), dependency.name())
    }

    fn any_dependency() -> impl Strategy<Value = Dependency> {
        (0..9u8, "[ -~é(]{1,6}").prop_map(|(kind, name)| {
            Dependency::new(Kind::from_byte(kind).unwrap(), name.trim().to_owned() + "x").unwrap()
        })
    }

    proptest! {
        #[test]
        fn order_is_that_of_the_text(a in any_dependency(), b in any_dependency()) {
            prop_assert_eq!(a.cmp(&b), sort_text(&a).as_bytes().cmp(sort_text(&b).as_bytes()));
        }

        #[test]
        fn what_is_shown_reads_back(dependency in any_dependency()) {
            prop_assert_eq!(dependency.to_string().parse::<Dependency>(), Ok(dependency));
        }

        #[test]
        fn no_text_panics(text in any::<String>()) {
            if let Ok(dependency) = text.parse::<Dependency>() {
                prop_assert_eq!(dependency.to_string().parse::<Dependency>(), Ok(dependency));
            }
        }
    }
}
