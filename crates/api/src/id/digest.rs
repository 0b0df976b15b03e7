//! Digests: SHA-256 of files, and git's object names.

use std::fmt;
use std::str::FromStr;

use sha2::Digest as _;

use super::{InvalidId, textual};

/// The SHA-256 of some bytes, written as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256([u8; 32]);

impl Sha256 {
    /// Hashes `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// Wraps a digest that was computed elsewhere.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The digest's bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl FromStr for Sha256 {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let invalid = || InvalidId::new("SHA-256", "it takes 64 hexadecimal digits", text);
        let bytes = hex::decode(text).map_err(|_| invalid())?;
        bytes.try_into().map(Self).map_err(|_| invalid())
    }
}

textual!(Sha256);

macro_rules! git_object {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 20]);

        impl $name {
            /// Wraps the raw bytes of an object name.
            pub fn from_bytes(bytes: [u8; 20]) -> Self {
                Self(bytes)
            }

            /// The raw bytes of the object name.
            pub fn as_bytes(&self) -> &[u8; 20] {
                &self.0
            }

            /// The first ten digits, for people.
            pub fn short(&self) -> String {
                hex::encode(&self.0[..5])
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let invalid = || InvalidId::new($what, "it takes 40 hexadecimal digits", text);
                let bytes = hex::decode(text).map_err(|_| invalid())?;
                bytes.try_into().map(Self).map_err(|_| invalid())
            }
        }

        textual!($name);
    };
}

git_object!(
    /// The name of a git commit, written as 40 lower-case hexadecimal digits.
    CommitSha,
    "commit"
);

git_object!(
    /// The name of a git tree, written as 40 lower-case hexadecimal digits.
    TreeSha,
    "tree"
);

impl CommitSha {
    /// True for the forty zeros by which a push event says "there is none".
    pub fn is_zero(&self) -> bool {
        self.0 == [0; 20]
    }
}
