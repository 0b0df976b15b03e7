//! Names: each a text with a rule.

use std::fmt;
use std::str::FromStr;

use super::{BuildId, InvalidId, textual};

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The name as text.
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
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let check: fn(&str) -> bool = $check;
                if check(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(InvalidId::new($what, $rule, text))
                }
            }
        }

        textual!($name);
    };
}

/// The identifiers of the repository format: one invalid one anywhere breaks every client.
fn is_identifier(text: &str) -> bool {
    text.len() <= 128
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

/// One path component that is neither empty, `.`, `..` nor a hidden trap for a shell or a URL.
fn is_file_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 255
        && !text.starts_with(['.', '-'])
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._+-~:^@=,%".contains(c))
}

name!(
    /// A channel of the repository, such as `main`.
    ChannelName,
    "channel",
    "it takes letters, digits and hyphens, a letter or digit first",
    is_identifier
);
name!(
    /// A stream of a channel, such as `volatile`: a name that moves along the histories.
    StreamName,
    "stream",
    "it takes letters, digits and hyphens, a letter or digit first",
    is_identifier
);
name!(
    /// A tag of a channel: a name that pins one history for ever.
    TagName,
    "tag",
    "it takes letters, digits and hyphens, a letter or digit first",
    is_identifier
);
name!(
    /// One immutable state of a channel.
    HistoryId,
    "history",
    "it takes letters, digits and hyphens, a letter or digit first",
    is_identifier
);
name!(
    /// What a builder is to lay into the root beyond the recipe's needs; `default` is the plain one.
    Profile,
    "profile",
    "it takes letters, digits and hyphens, a letter or digit first",
    is_identifier
);
name!(
    /// The name of a service in tokens: `summit`, `vessel`, or a builder's own.
    ServiceName,
    "service name",
    "it takes letters, digits and hyphens, a letter or digit first",
    is_identifier
);
name!(
    /// A machine architecture, such as `x86_64`.
    Architecture,
    "architecture",
    "it takes lower-case letters, digits and underscores",
    |text| !text.is_empty()
        && text.len() <= 32
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
);
name!(
    /// The name in a recipe: its source id.
    RecipeName,
    "recipe name",
    "it takes letters, digits and any of `._+-`, a letter or digit first",
    |text| text.len() <= 128
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "._+-".contains(c))
);
name!(
    /// The name of a file without any folder.
    FileName,
    "file name",
    "it takes one plain path component of at most 255 bytes",
    is_file_name
);
name!(
    /// The folder of a recipe inside its repository, with `/` between components; `.` is the top.
    RecipeFolder,
    "recipe folder",
    "it takes a relative path without empty, `.` or `..` components, or a single `.`",
    |text| text == "."
        || (!text.is_empty()
            && text.len() <= 1024
            && text.split('/').all(|part| {
                !part.is_empty()
                    && part != "."
                    && part != ".."
                    && !part.eq_ignore_ascii_case(".git")
                    && !part.chars().any(|c| c.is_control() || c == '\\')
            }))
);

/// One try at a build: the build's id and a number that counts from 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptId {
    build: BuildId,
    number: u32,
}

impl AttemptId {
    /// The `number`th attempt at `build`.
    pub fn new(build: BuildId, number: u32) -> Self {
        Self { build, number }
    }

    /// The build that this attempt is for.
    pub fn build(&self) -> BuildId {
        self.build
    }

    /// Which attempt at the build this is, from 1.
    pub fn number(&self) -> u32 {
        self.number
    }
}

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.build, self.number)
    }
}

impl FromStr for AttemptId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        text.split_once('.')
            .and_then(|(build, number)| Some(Self::new(build.parse().ok()?, number.parse().ok()?)))
            .filter(|id| id.to_string() == text)
            .ok_or_else(|| {
                InvalidId::new("attempt id", "it takes a build id, a dot, a number", text)
            })
    }
}

textual!(AttemptId);
