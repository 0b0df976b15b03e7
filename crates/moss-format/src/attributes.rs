//! Key and value pairs of a package. No known writer makes any; they are read
//! so that a package with some can be inspected.

use crate::Short;
use crate::bytes::Input;
use crate::payload::{self, EncodeError, Encoded, Encoding};

/// One key and its value, uninterpreted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Attribute {
    /// What it is about.
    pub key: Vec<u8>,
    /// What it says.
    pub value: Vec<u8>,
}

/// Why attributes could not be read. Offsets count plain bytes of the payload.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The records end early.
    #[error(transparent)]
    Short(#[from] Short),
    /// Bytes follow the last record.
    #[error("{count} bytes follow the last record, which ends at plain byte {offset}")]
    Trailing {
        /// Where the last record ends.
        offset: u64,
        /// How many bytes follow.
        count: u64,
    },
}

/// Reads the records in a payload's plain bytes, which must be exactly this
/// many.
///
/// # Errors
///
/// When the records do not fill the bytes.
pub fn decode(plain: &[u8], records: u32) -> Result<Vec<Attribute>, Error> {
    let mut input = Input::new(plain);
    let mut attributes = Vec::new();
    for _ in 0..records {
        let key_length = input.u64()?;
        let value_length = input.u64()?;
        attributes.push(Attribute {
            key: input.take(key_length)?.to_vec(),
            value: input.take(value_length)?.to_vec(),
        });
    }
    match input.left() as u64 {
        0 => Ok(attributes),
        count => Err(Error::Trailing {
            offset: input.offset(),
            count,
        }),
    }
}

/// The attributes as a payload, in the given order.
///
/// # Errors
///
/// Without attributes, or when compression fails.
pub fn encode(
    attributes: &[Attribute],
    encoding: &Encoding,
) -> Result<Encoded<'static>, EncodeError> {
    let mut plain = Vec::new();
    for Attribute { key, value } in attributes {
        plain.extend_from_slice(&(key.len() as u64).to_be_bytes());
        plain.extend_from_slice(&(value.len() as u64).to_be_bytes());
        plain.extend_from_slice(key);
        plain.extend_from_slice(value);
    }
    Encoded::encode(
        payload::Kind::Attributes,
        attributes.len(),
        &plain,
        encoding,
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Attribute, Error, decode, encode};
    use crate::payload::Decoder;
    use crate::testing::FAST;
    use crate::{Limits, Short};

    #[test]
    fn a_claim_beyond_the_end_takes_no_memory() {
        let claim = [[0xff; 8], [0xff; 8]].concat();
        let short = Short {
            offset: 16,
            needed: u64::MAX,
            left: 0,
        };
        assert_eq!(decode(&claim, 1), Err(Error::Short(short)));
        assert_eq!(
            decode(b"x", 0),
            Err(Error::Trailing {
                offset: 0,
                count: 1
            })
        );
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(
            pairs in prop::collection::vec(any::<(Vec<u8>, Vec<u8>)>(), 1..5),
        ) {
            let new = |(key, value)| Attribute { key, value };
            let attributes: Vec<Attribute> = pairs.into_iter().map(new).collect();
            let payload = encode(&attributes, &FAST).unwrap();
            let mut decoder = Decoder::new(Limits::default());
            let plain = decoder.plain(&payload).unwrap();
            prop_assert_eq!(decode(&plain, payload.header().records), Ok(attributes));
        }

        #[test]
        fn no_bytes_panic(plain: Vec<u8>, records in 0..4_u32) {
            let _ = decode(&plain, records);
        }
    }
}
