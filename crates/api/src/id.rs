//! Ids, digests and names that have rules. Each is parsed once, at the edge, and is proof of its
//! rules from then on.

mod digest;
mod name;
mod number;

pub use digest::{CommitSha, Sha256, TreeSha};
pub use name::{
    Architecture, AttemptId, ChannelName, FileName, HistoryId, Profile, RecipeFolder, RecipeName,
    ServiceName, StreamName, TagName,
};
pub use number::{BuildId, ImportId};

/// A text that breaks the rules of the id, digest or name it was meant to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no {what}: {rule}")]
pub struct InvalidId {
    what: &'static str,
    rule: &'static str,
    text: String,
}

impl InvalidId {
    pub(crate) fn new(what: &'static str, rule: &'static str, text: &str) -> Self {
        // A hostile text may be long; an error message need not be.
        Self {
            what,
            rule,
            text: text.chars().take(80).collect(),
        }
    }
}

/// Gives a newtype that is written as text its conversions: `Display`, `Debug`, `FromStr`, serde.
macro_rules! textual {
    ($name:ident) => {
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'_, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use textual;
