//! The body of a webhook in a row: the JSON as a text, byte for byte as it is signed.

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub(crate) fn serialize<S: Serializer>(body: &Bytes, to: S) -> Result<S::Ok, S::Error> {
    std::str::from_utf8(body)
        .map_err(serde::ser::Error::custom)?
        .serialize(to)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Bytes, D::Error> {
    String::deserialize(from).map(Bytes::from)
}
