//! Names that have rules: logins, repository names, commit ids and ref names.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A name that its kind does not allow.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text:?} is not a {kind}: {rule}")]
pub struct Invalid {
    kind: &'static str,
    text: String,
    rule: &'static str,
}

macro_rules! text_newtype {
    ($($(#[$doc:meta])* $name:ident, $kind:literal, $check:path, $rule:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = Invalid;

            fn from_str(text: &str) -> Result<Self, Invalid> {
                if $check(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(Invalid { kind: $kind, text: text.to_owned(), rule: $rule })
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = Invalid;

            fn try_from(text: String) -> Result<Self, Invalid> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
    )*};
}

text_newtype! {
    /// The login of a user or an organisation. Compared without regard to case.
    Login, "login", is_login, "1 to 39 letters, digits and single inner hyphens";
    /// The name of a repository within its owner. Compared without regard to case.
    RepositoryName, "repository name", is_repository_name,
        "1 to 100 letters, digits, `.`, `-` and `_`, not ending in `.git`";
    /// The full id of a commit: forty lowercase hexadecimal digits.
    Sha, "commit id", is_sha, "forty lowercase hexadecimal digits";
    /// A branch, without `refs/heads/`.
    Branch, "branch", is_branch, "a name that git allows under refs/heads/";
}

impl Sha {
    /// Forty zeros: what a push event says for a ref that was or is absent.
    #[must_use]
    pub fn zero() -> Self {
        Self("0".repeat(40))
    }

    pub(crate) fn from_oid(oid: git2::Oid) -> Self {
        Self(oid.to_string())
    }

    pub(crate) fn oid(&self) -> git2::Oid {
        git2::Oid::from_str(&self.0).expect("a commit id is forty hexadecimal digits")
    }
}

impl Login {
    /// The login as it stands in a URL: a bot's has brackets, which a URL may not have.
    pub(crate) fn in_url(&self) -> impl fmt::Display + '_ {
        const KEPT: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC.remove(b'-');
        percent_encoding::utf8_percent_encode(&self.0, KEPT)
    }
}

impl Branch {
    pub(crate) fn reference(&self) -> String {
        format!("refs/heads/{}", self.0)
    }
}

/// A repository with its owner: `owner/name`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FullName {
    owner: Login,
    name: RepositoryName,
}

impl FullName {
    /// Puts the two parts together.
    #[must_use]
    pub const fn new(owner: Login, name: RepositoryName) -> Self {
        Self { owner, name }
    }

    /// The login before the slash.
    #[must_use]
    pub const fn owner(&self) -> &Login {
        &self.owner
    }

    /// The name after the slash.
    #[must_use]
    pub const fn name(&self) -> &RepositoryName {
        &self.name
    }
}

impl fmt::Display for FullName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

impl FromStr for FullName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let (owner, name) = text.split_once('/').ok_or_else(|| Invalid {
            kind: "repository",
            text: text.to_owned(),
            rule: "an owner, a slash and a name",
        })?;
        Ok(Self::new(owner.parse()?, name.parse()?))
    }
}

fn is_login(text: &str) -> bool {
    // The account of an App is called `slug[bot]`.
    let text = text.strip_suffix("[bot]").unwrap_or(text);
    (1..=39).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
        && !text.contains("--")
}

fn is_repository_name(text: &str) -> bool {
    (1..=100).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
        && !matches!(text, "." | "..")
        && !text.to_ascii_lowercase().ends_with(".git")
}

fn is_sha(text: &str) -> bool {
    text.len() == 40
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_branch(text: &str) -> bool {
    !text.starts_with('-') && git2::Reference::is_valid_name(&format!("refs/heads/{text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_leave_their_folder_are_refused() {
        for text in ["..", ".", "a/b", "", "x.git", "x.GIT", "ä", "a b"] {
            assert!(text.parse::<RepositoryName>().is_err(), "{text:?}");
        }
        for text in ["-a", "a-", "a--b", "", "a.b", "a/b", "a[bot"] {
            assert!(text.parse::<Login>().is_err(), "{text:?}");
        }
        for text in ["-x", "a..b", "", "a b", "a/", "x.lock", "@{", "a\0b"] {
            assert!(text.parse::<Branch>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_full_name_reads_back() {
        let name: FullName = "snekbook/recipes".parse().unwrap();
        assert_eq!(name.to_string(), "snekbook/recipes");
        assert!("snekbook".parse::<FullName>().is_err());
        assert!("snekbook/a/b".parse::<FullName>().is_err());
    }

    #[test]
    fn a_sha_is_forty_lowercase_digits() {
        assert_eq!(Sha::zero().as_str().len(), 40);
        assert!("A".repeat(40).parse::<Sha>().is_err());
        assert!("a".repeat(39).parse::<Sha>().is_err());
        assert!("a".repeat(40).parse::<Sha>().is_ok());
    }
}
