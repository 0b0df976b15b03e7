//! Keys: values with a binary form whose byte order is the values' own order.
//!
//! Every form is self-delimiting, so that forms can be joined into composite keys:
//!
//! - unsigned numbers are big-endian; signed ones too, with the sign bit turned over;
//! - texts are their UTF-8 bytes, where a zero byte becomes `00 01`, ended by `00 00`;
//! - byte arrays of fixed length are stored as they are;
//! - an `Option` is a byte 0, or a byte 1 and the value;
//! - a tuple is its members, one after the other.
//!
//! LMDB limits a key to 511 bytes; tables refuse longer ones.

mod reader;
mod text;

pub use reader::{KeyError, Reader};
pub use text::Text;

/// A codec for the keys of a table.
///
/// The codec and what it stores are often the same type (`u64` stores `u64`). They are told
/// apart because a crate can then store a type that is not its own: see [`Text`].
///
/// An implementation for a new id delegates to the form it wraps:
///
/// ```
/// use moss_db::{Key, KeyError, Reader};
///
/// struct BuildNumber(u64);
///
/// impl Key for BuildNumber {
///     type Item = Self;
///
///     fn encode(item: &Self, out: &mut Vec<u8>) {
///         u64::encode(&item.0, out);
///     }
///
///     fn decode(input: &mut Reader<'_>) -> Result<Self, KeyError> {
///         u64::decode(input).map(Self)
///     }
/// }
/// ```
pub trait Key: 'static {
    /// What is stored.
    type Item;

    /// Appends the form of `item`: never empty, self-delimiting, ordered as the items are.
    fn encode(item: &Self::Item, out: &mut Vec<u8>);

    /// Takes one item from the front of `input`.
    ///
    /// # Errors
    ///
    /// When the bytes there are no form of an item.
    fn decode(input: &mut Reader<'_>) -> Result<Self::Item, KeyError>;
}

/// A key made of a head and more: all keys with one head lie next to each other.
///
/// A prefix of two members is had by nesting: `((A, B), C)` has the form of `(A, B, C)` and the
/// head `(A, B)`.
pub trait Composite: Key {
    /// The first member.
    type Head: Key;
}

/// The whole form of one item.
pub(crate) fn encode<K: Key>(item: &K::Item) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(32);
    K::encode(item, &mut bytes);
    bytes
}

/// The item of a whole form.
pub(crate) fn decode<K: Key>(bytes: &[u8]) -> Result<K::Item, KeyError> {
    let mut input = Reader::new(bytes);
    let item = K::decode(&mut input)?;
    input.finish()?;
    Ok(item)
}

macro_rules! unsigned {
    ($($type:ty),*) => {$(
        impl Key for $type {
            type Item = Self;

            fn encode(item: &Self, out: &mut Vec<u8>) {
                out.extend_from_slice(&item.to_be_bytes());
            }

            fn decode(input: &mut Reader<'_>) -> Result<Self, KeyError> {
                input.array().map(Self::from_be_bytes)
            }
        }
    )*};
}

unsigned!(u8, u16, u32, u64, u128);

macro_rules! signed {
    ($($type:ty),*) => {$(
        impl Key for $type {
            type Item = Self;

            fn encode(item: &Self, out: &mut Vec<u8>) {
                out.extend_from_slice(&(item ^ Self::MIN).to_be_bytes());
            }

            fn decode(input: &mut Reader<'_>) -> Result<Self, KeyError> {
                input.array().map(|bytes| Self::from_be_bytes(bytes) ^ Self::MIN)
            }
        }
    )*};
}

signed!(i8, i16, i32, i64, i128);

impl<const N: usize> Key for [u8; N] {
    type Item = Self;

    fn encode(item: &Self, out: &mut Vec<u8>) {
        out.extend_from_slice(item);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, KeyError> {
        input.array()
    }
}

impl Key for bool {
    type Item = Self;

    fn encode(item: &Self, out: &mut Vec<u8>) {
        out.push(u8::from(*item));
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, KeyError> {
        match u8::decode(input)? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(KeyError::Invalid(format!(
                "{other} is neither false nor true"
            ))),
        }
    }
}

impl Key for String {
    type Item = Self;

    fn encode(item: &Self, out: &mut Vec<u8>) {
        text::encode(item, out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, KeyError> {
        text::decode(input)
    }
}

impl<K: Key> Key for Option<K> {
    type Item = Option<K::Item>;

    fn encode(item: &Self::Item, out: &mut Vec<u8>) {
        bool::encode(&item.is_some(), out);
        if let Some(item) = item {
            K::encode(item, out);
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self::Item, KeyError> {
        if bool::decode(input)? {
            K::decode(input).map(Some)
        } else {
            Ok(None)
        }
    }
}

macro_rules! tuple {
    ($head:ident $(, $tail:ident)+) => {
        impl<$head: Key $(, $tail: Key)+> Key for ($head $(, $tail)+) {
            type Item = ($head::Item $(, $tail::Item)+);

            #[expect(non_snake_case, reason = "the members are named after their types")]
            fn encode(item: &Self::Item, out: &mut Vec<u8>) {
                let ($head $(, $tail)+) = item;
                $head::encode($head, out);
                $($tail::encode($tail, out);)+
            }

            fn decode(input: &mut Reader<'_>) -> Result<Self::Item, KeyError> {
                Ok(($head::decode(input)? $(, $tail::decode(input)?)+))
            }
        }

        impl<$head: Key $(, $tail: Key)+> Composite for ($head $(, $tail)+) {
            type Head = $head;
        }
    };
}

tuple!(A, B);
tuple!(A, B, C);
tuple!(A, B, C, D);

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use proptest::prelude::{any, proptest};

    use super::*;

    /// The form reads back, is never empty, and orders as the items do.
    fn check<K: Key>(left: &K::Item, right: &K::Item)
    where
        K::Item: Ord + Debug,
    {
        let (left_form, right_form) = (encode::<K>(left), encode::<K>(right));
        assert!(!left_form.is_empty());
        assert_eq!(&decode::<K>(&left_form).unwrap(), left);
        assert_eq!(
            left_form.cmp(&right_form),
            left.cmp(right),
            "{left:?} and {right:?}"
        );
    }

    proptest! {
        #[test]
        fn unsigned_numbers(a in any::<(u8, u16, u32, u64, u128)>(), b in any::<(u8, u16, u32, u64, u128)>()) {
            check::<u8>(&a.0, &b.0);
            check::<u16>(&a.1, &b.1);
            check::<u32>(&a.2, &b.2);
            check::<u64>(&a.3, &b.3);
            check::<u128>(&a.4, &b.4);
        }

        #[test]
        fn signed_numbers(a in any::<(i8, i16, i32, i64, i128)>(), b in any::<(i8, i16, i32, i64, i128)>()) {
            check::<i8>(&a.0, &b.0);
            check::<i16>(&a.1, &b.1);
            check::<i32>(&a.2, &b.2);
            check::<i64>(&a.3, &b.3);
            check::<i128>(&a.4, &b.4);
        }

        #[test]
        fn flags_bytes_and_what_may_be_missing(
            a in any::<(bool, [u8; 2], Option<String>, Option<Option<u8>>)>(),
            b in any::<(bool, [u8; 2], Option<String>, Option<Option<u8>>)>(),
        ) {
            check::<bool>(&a.0, &b.0);
            check::<[u8; 2]>(&a.1, &b.1);
            check::<Option<String>>(&a.2, &b.2);
            check::<Option<Option<u8>>>(&a.3, &b.3);
        }

        /// Members that are alike more often than not, so that later ones decide, too.
        #[test]
        fn tuples(a in ("[ab\0]{0,2}", -1..2_i8, any::<bool>(), 0..2_u64),
                  b in ("[ab\0]{0,2}", -1..2_i8, any::<bool>(), 0..2_u64)) {
            check::<(String, i8, bool, u64)>(&a, &b);
            check::<(bool, String, i8)>(&(a.2, a.0.clone(), a.1), &(b.2, b.0.clone(), b.1));
            check::<(i8, String)>(&(a.1, a.0), &(b.1, b.0));
        }

        /// Rows are in the order of the texts, whatever that of the values is.
        #[test]
        fn values_in_their_text_form(a in any::<std::net::Ipv4Addr>(), b in any::<std::net::Ipv4Addr>()) {
            let form = encode::<Text<std::net::Ipv4Addr>>;
            assert_eq!(decode::<Text<std::net::Ipv4Addr>>(&form(&a)), Ok(a));
            assert_eq!(form(&a).cmp(&form(&b)), a.to_string().cmp(&b.to_string()));
        }

        #[test]
        fn texts(a in any::<String>(), b in any::<String>()) {
            check::<String>(&a, &b);
        }

        #[test]
        fn texts_with_zero_bytes(a in "[\0\u{1}a]{0,6}", b in "[\0\u{1}a]{0,6}") {
            check::<String>(&a, &b);
            check::<(String, u8)>(&(a.clone(), 255), &(b.clone(), 0));
            check::<(String, String)>(&(a.clone(), b.clone()), &(b, a));
        }

        #[test]
        fn composites(a in any::<((Option<u32>, String), [u8; 3], bool)>(),
                      b in any::<((Option<u32>, String), [u8; 3], bool)>()) {
            check::<((Option<u32>, String), [u8; 3], bool)>(&a, &b);
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in any::<Vec<u8>>()) {
            let _ = decode::<(Option<String>, i64)>(&bytes);
            let _ = decode::<(bool, [u8; 4], String)>(&bytes);
        }
    }

    #[test]
    fn nesting_does_not_change_the_form() {
        let flat = encode::<(String, u8, u64)>(&("a".to_owned(), 1, 2));
        let nested = encode::<((String, u8), u64)>(&(("a".to_owned(), 1), 2));
        assert_eq!(flat, nested);
        assert_eq!(flat, b"a\0\0\x01\0\0\0\0\0\0\0\x02");
    }

    #[test]
    fn trailing_bytes_are_refused() {
        assert!(matches!(
            decode::<u8>(&[1, 2]),
            Err(KeyError::TrailingBytes(1))
        ));
        assert!(matches!(decode::<u16>(&[1]), Err(KeyError::TooShort)));
    }
}
