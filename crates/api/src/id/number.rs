//! Ids that a service gives out. They are UUIDs of version 7, so they sort by age and stay unique
//! when a database is lost and begun anew.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use super::{InvalidId, textual};

macro_rules! numbered {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// A fresh id.
            #[expect(clippy::new_without_default, reason = "a default id would be a new one each time")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// The id's sixteen bytes, which sort like the id.
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// An id from its sixteen bytes.
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                // Only the one spelling we write: ids stand in paths and are compared as text.
                Uuid::try_parse(text)
                    .ok()
                    .map(Self)
                    .filter(|id| id.to_string() == text)
                    .ok_or_else(|| InvalidId::new($what, "it takes a hyphenated UUID", text))
            }
        }

        textual!($name);
    };
}

numbered!(
    /// One recipe to be built once: summit's unit of work, and the `external_id` of its check run.
    BuildId,
    "build id"
);

numbered!(
    /// One request to vessel to take the assets of some builds into a channel.
    ImportId,
    "import id"
);
