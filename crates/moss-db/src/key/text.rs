//! Texts as keys, and types that are stored in their text form.

use std::fmt::Display;
use std::marker::PhantomData;
use std::str::FromStr;

use super::{Key, KeyError, Reader};

/// Stores a `T` in its text form, for types that another crate owns.
///
/// `Table<Text<url::Url>, V>` takes and gives plain `Url`s. The order of the rows is that of
/// the texts. `T::from_str` must accept what its `Display` writes.
#[derive(Debug)]
pub struct Text<T>(PhantomData<fn() -> T>);

impl<T> Key for Text<T>
where
    T: Display + FromStr + 'static,
    T::Err: Display,
{
    type Item = T;

    fn encode(item: &T, out: &mut Vec<u8>) {
        encode(&item.to_string(), out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<T, KeyError> {
        let text = decode(input)?;
        text.parse()
            .map_err(|error: T::Err| KeyError::Invalid(error.to_string()))
    }
}

/// Ends a text; sorts before an escaped zero byte, so that a shorter text comes first.
const END: u8 = 0;
/// Follows a zero byte that is part of the text.
const ZERO: u8 = 1;

pub(super) fn encode(text: &str, out: &mut Vec<u8>) {
    for &byte in text.as_bytes() {
        out.push(byte);
        if byte == 0 {
            out.push(ZERO);
        }
    }
    out.extend_from_slice(&[0, END]);
}

pub(super) fn decode(input: &mut Reader<'_>) -> Result<String, KeyError> {
    let mut bytes = Vec::new();
    loop {
        match input.array()? {
            [0] => match input.array()? {
                [END] => break,
                [ZERO] => bytes.push(0),
                [other] => {
                    return Err(KeyError::Invalid(format!("escape {other} is unknown")));
                }
            },
            [byte] => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).map_err(|error| KeyError::Invalid(error.to_string()))
}
