//! JSON that every reader understands alike.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// Reads one JSON text. An object with the same key twice is refused: readers differ in which of the
/// two values they take.
///
/// # Errors
/// When the text is no JSON, or has a key twice.
pub fn parse(text: &str) -> Result<Value, serde_json::Error> {
    serde_json::from_str(text).map(|Strict(value)| value)
}

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Strict;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Strict, E> {
        Ok(Strict(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Strict, E> {
        Ok(Strict(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Strict, E> {
        Ok(Strict(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Strict, E> {
        Ok(Strict(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Strict, E> {
        Ok(Strict(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Strict, E> {
        Ok(Strict(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Strict, A::Error> {
        let mut all = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            all.push(item);
        }
        Ok(Strict(all.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Strict, A::Error> {
        let mut all = BTreeMap::new();
        while let Some((key, Strict(value))) = entries.next_entry::<String, Strict>()? {
            if let Some(first) = all.insert(key.clone(), value) {
                return Err(A::Error::custom(format!(
                    "the key {key:?} is there twice, first with {first}"
                )));
            }
        }
        Ok(Strict(Value::Object(all.into_iter().collect())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_what_serde_json_reads() {
        let text = r#"{"a":[1,-2,2.5,true,null,"text"],"b":{"a":{}}}"#;
        let value: Value = serde_json::from_str(text).unwrap();
        assert_eq!(parse(text).unwrap(), value);
    }

    #[test]
    fn a_key_twice_is_refused_at_any_depth() {
        assert!(parse(r#"{"a":1,"a":1}"#).is_err());
        assert!(parse(r#"[{"b":{"a":1,"a":2}}]"#).is_err());
    }

    #[test]
    fn what_follows_the_value_is_refused() {
        assert!(parse("{} {}").is_err());
        assert!(parse("Error: cannot start").is_err());
    }
}
