//! The two texts that become part of file names: a package's name and its
//! version.

use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

/// How long a name or a version may be, so that `name-version-release-…` fits
/// into a file name of 255 bytes.
const MAX_LENGTH: usize = 96;

/// Why a text is not a name or a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// It is empty.
    #[error("it is empty")]
    Empty,
    /// It is longer than any file system takes as part of a file name.
    #[error("it is longer than {MAX_LENGTH} characters")]
    TooLong,
    /// It starts with a character that it may not start with.
    #[error("it starts with {0:?}")]
    Start(char),
    /// It contains a character that it may not contain.
    #[error("it contains {0:?}")]
    Character(char),
}

fn check(
    text: &str,
    start: impl Fn(char) -> bool,
    inside: impl Fn(char) -> bool,
) -> Result<(), Invalid> {
    let first = text.chars().next().ok_or(Invalid::Empty)?;
    if !start(first) {
        return Err(Invalid::Start(first));
    }
    if let Some(bad) = text.chars().find(|&c| !inside(c)) {
        return Err(Invalid::Character(bad));
    }
    if text.len() > MAX_LENGTH {
        return Err(Invalid::TooLong);
    }
    Ok(())
}

macro_rules! text_newtype {
    ($type:ident, $start:expr, $inside:expr) => {
        impl FromStr for $type {
            type Err = Invalid;

            fn from_str(text: &str) -> Result<Self, Invalid> {
                check(text, $start, $inside)?;
                Ok(Self(text.to_owned()))
            }
        }

        text_newtype!($type);
    };
    ($type:ident) => {
        impl $type {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Deref for $type {
            type Target = str;

            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

/// The name of a package: letters, digits and `+ . _ -`, the first a letter or
/// a digit. It is safe as a part of a file name and in a shell.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

text_newtype!(Name, |c| c.is_ascii_alphanumeric(), |c| c
    .is_ascii_alphanumeric()
    || matches!(c, '+' | '.' | '_' | '-'));

/// The version of a recipe, exactly as written: letters, digits and
/// `+ . _ - ~`, the first none of `+ _ - ~`. It is safe as a part of a file
/// name and in a shell.
///
/// It should start with a digit, but real recipes have `r22` and `.23`; see
/// [`Version::starts_with_digit`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(String);

text_newtype!(Version, |c| c.is_ascii_alphanumeric() || c == '.', |c| c
    .is_ascii_alphanumeric()
    || matches!(c, '+' | '.' | '_' | '-' | '~'));

/// The target of a profile: a word such as `emul32` or `x86_64`, or several
/// with `/` between them, as `emul32/x86_64`. Each is written as a [`Name`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target(String);

text_newtype!(Target);

impl FromStr for Target {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.len() > MAX_LENGTH {
            return Err(Invalid::TooLong);
        }
        text.split('/')
            .try_for_each(|word| word.parse::<Name>().map(drop))?;
        Ok(Self(text.to_owned()))
    }
}

impl Version {
    /// Whether the version starts with a digit, as current tools ask for.
    pub fn starts_with_digit(&self) -> bool {
        self.0.starts_with(|c: char| c.is_ascii_digit())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_follow_the_rules() {
        for good in ["nano", "libstdc++", "gtk+-2.0", "7zip", "python_x"] {
            assert!(good.parse::<Name>().is_ok(), "{good}");
        }
        assert_eq!("".parse::<Name>(), Err(Invalid::Empty));
        assert_eq!("-x".parse::<Name>(), Err(Invalid::Start('-')));
        assert_eq!(".x".parse::<Name>(), Err(Invalid::Start('.')));
        assert_eq!("a/b".parse::<Name>(), Err(Invalid::Character('/')));
        assert_eq!("a b".parse::<Name>(), Err(Invalid::Character(' ')));
        assert_eq!("a".repeat(97).parse::<Name>(), Err(Invalid::TooLong));
    }

    #[test]
    fn versions_are_safe_in_file_names() {
        for good in [
            "1.10",
            "1.0.0-alpha.1",
            "9.3p1",
            "059",
            "r22.f9aafe5",
            ".23",
        ] {
            let version: Version = good.parse().unwrap();
            assert_eq!(version.as_str(), good);
        }
        assert!("1".parse::<Version>().unwrap().starts_with_digit());
        assert!(!"v1".parse::<Version>().unwrap().starts_with_digit());
        assert_eq!("-1".parse::<Version>(), Err(Invalid::Start('-')));
        assert_eq!("1%".parse::<Version>(), Err(Invalid::Character('%')));
    }

    #[test]
    fn targets_are_words_with_slashes() {
        for good in ["emul32", "x86_64", "emul32/x86_64"] {
            assert_eq!(good.parse::<Target>().unwrap().as_str(), good);
        }
        for bad in ["", "/x86_64", "emul32/", "a//b", "../x", "a/ b"] {
            assert!(bad.parse::<Target>().is_err(), "{bad}");
        }
        let long = ["a"; 49].join("/");
        assert_eq!(long.parse::<Target>(), Err(Invalid::TooLong));
    }

    proptest! {
        #[test]
        fn a_name_is_what_the_rule_says(text in "[a-z0-9A-Z+._~/ é-]{0,12}") {
            let allowed = |c: char| c.is_ascii_alphanumeric() || "+._-".contains(c);
            let starts = text.starts_with(|c: char| c.is_ascii_alphanumeric());
            let name = text.parse::<Name>();
            prop_assert_eq!(name.is_ok(), starts && text.chars().all(allowed));
            if let Ok(name) = name {
                prop_assert_eq!(name.as_str(), &text);
                prop_assert_eq!(name.to_string().parse(), Ok(name));
                // Every name is a target, and most are versions.
                prop_assert!(text.parse::<Target>().is_ok());
                prop_assert!(text.parse::<Version>().is_ok());
            }
        }

        #[test]
        fn a_version_is_what_the_rule_says(text in "[a-z0-9A-Z+._~/ é-]{0,12}") {
            let allowed = |c: char| c.is_ascii_alphanumeric() || "+._-~".contains(c);
            let starts = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '.');
            let version = text.parse::<Version>();
            prop_assert_eq!(version.is_ok(), starts && text.chars().all(allowed));
            if let Ok(version) = version {
                prop_assert_eq!(version.as_str(), &text);
                prop_assert_eq!(version.to_string().parse(), Ok(version));
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text in any::<String>()) {
            let read = [
                text.parse::<Name>().map(|name| name.to_string()),
                text.parse::<Version>().map(|version| version.to_string()),
                text.parse::<Target>().map(|target| target.to_string()),
            ];
            for read in read.into_iter().flatten() {
                prop_assert_eq!(&read, &text);
            }
        }
    }
}
