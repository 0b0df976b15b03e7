//! The XXH3-128 digest by which the format names a file's content.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3Default;

/// XXH3-128 (seed 0) of a file's bytes; 32 lower-case hex digits in text.
///
/// It names content and finds accidents. It is no protection against an
/// attacker: that is the SHA-256 of the whole package in the index.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(u128);

/// The text is not 32 hex digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a content digest is 32 hex digits, not {text:?}")]
pub struct ParseError {
    text: String,
}

impl Digest {
    /// The digest of no bytes.
    pub const EMPTY: Self = Self(0x99aa_06d3_0147_98d8_6001_c324_468d_497f);

    /// The digest of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(xxhash_rust::xxh3::xxh3_128(bytes))
    }

    /// The digest as a number, as XXH3 defines it.
    #[must_use]
    pub fn from_u128(value: u128) -> Self {
        Self(value)
    }

    /// The digest as a number.
    #[must_use]
    pub fn as_u128(self) -> u128 {
        self.0
    }

    /// The digest from its big-endian bytes.
    #[must_use]
    pub fn from_be_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }

    /// The digest as big-endian bytes.
    #[must_use]
    pub fn to_be_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl FromStr for Digest {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let error = || ParseError {
            text: text.to_owned(),
        };
        if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(error());
        }
        u128::from_str_radix(text, 16)
            .map(Self)
            .map_err(|_| error())
    }
}

impl TryFrom<String> for Digest {
    type Error = ParseError;

    fn try_from(text: String) -> Result<Self, ParseError> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

/// Computes a [`Digest`] piece by piece.
#[derive(Clone, Default)]
pub struct Hasher {
    state: Xxh3Default,
    length: u64,
}

impl Hasher {
    /// A hasher that has seen no bytes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.state.update(bytes);
        self.length += bytes.len() as u64;
    }

    /// How many bytes were taken.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The digest of all bytes taken.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest(self.state.digest128())
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hasher")
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Digest, Hasher};

    #[test]
    fn the_digest_of_nothing_is_the_known_one() {
        assert_eq!(Digest::of(b""), Digest::EMPTY);
        assert_eq!(
            Digest::EMPTY.to_string(),
            "99aa06d3014798d86001c324468d497f"
        );
    }

    #[test]
    fn text_and_pieces_agree_with_the_whole() {
        let whole = Digest::of(b"hello world");
        let mut hasher = Hasher::new();
        hasher.update(b"hello ");
        hasher.update(b"world");
        assert_eq!(hasher.digest(), whole);
        assert_eq!(hasher.length(), 11);
        assert_eq!(whole.to_string().parse(), Ok(whole));
        assert_eq!(Digest::from_be_bytes(whole.to_be_bytes()), whole);
    }

    #[test]
    fn other_text_is_refused() {
        for text in [
            "",
            "+9aa06d3014798d86001c324468d497f",
            "99aa",
            "g9aa06d3014798d86001c324468d497f",
        ] {
            assert!(text.parse::<Digest>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_digest_reads_back(number in any::<u128>()) {
            let digest = Digest::from_be_bytes(number.to_be_bytes());
            let text = digest.to_string();
            prop_assert_eq!(&text, &format!("{number:032x}"));
            prop_assert_eq!(text.parse(), Ok(digest));
            prop_assert_eq!(Digest::from_be_bytes(digest.to_be_bytes()), digest);
            prop_assert!(text[1..].parse::<Digest>().is_err());
        }

        #[test]
        fn only_32_digits_are_a_digest(text in "[0-9a-fA-F+ g-]{30,34}") {
            let is_digits = text.bytes().all(|byte| byte.is_ascii_hexdigit());
            let read = text.parse::<Digest>();
            prop_assert_eq!(read.is_ok(), is_digits && text.len() == 32);
            if let Ok(digest) = read {
                prop_assert_eq!(digest.to_string(), text.to_ascii_lowercase());
            }
        }

        #[test]
        fn pieces_of_any_length_agree_with_the_whole(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..600), 0..4)
        ) {
            let mut hasher = Hasher::new();
            for piece in &pieces {
                hasher.update(piece);
            }
            prop_assert_eq!(hasher.digest(), Digest::of(&pieces.concat()));
        }

        #[test]
        fn any_text_is_read_or_refused(text in any::<String>()) {
            let _ = text.parse::<Digest>();
        }
    }
}
