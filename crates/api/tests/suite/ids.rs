//! Ids and digests have one spelling, and read back as what was written.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use api::id::{AttemptId, BuildId, CommitSha, ImportId, Sha256, TreeSha};
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Text and JSON both read back, and the JSON is the text in quotes.
fn check_round_trip<T>(value: &T)
where
    T: Display + Debug + FromStr + PartialEq + Serialize + DeserializeOwned,
    T::Err: Debug,
{
    let text = value.to_string();
    assert_eq!(&text.parse::<T>().unwrap(), value);
    let json = serde_json::to_string(value).unwrap();
    assert_eq!(json, format!("\"{text}\""));
    assert_eq!(&serde_json::from_str::<T>(&json).unwrap(), value);
    // Not only borrowed text is read.
    let owned = serde_json::to_value(value).unwrap();
    assert_eq!(&serde_json::from_value::<T>(owned).unwrap(), value);
    assert!(format!("{value:?}").contains(&text));
}

/// What `T` takes, it writes again letter for letter.
fn check_one_spelling<T: Display + FromStr>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        assert_eq!(value.to_string(), text);
    }
}

proptest! {
    #[test]
    fn build_and_import_ids_read_back(bytes in any::<[u8; 16]>()) {
        check_round_trip(&BuildId::from_bytes(bytes));
        check_round_trip(&ImportId::from_bytes(bytes));
        let id = BuildId::from_bytes(bytes);
        prop_assert_eq!(id.as_bytes(), &bytes);
    }

    #[test]
    fn attempt_ids_read_back(bytes in any::<[u8; 16]>(), number in any::<u32>()) {
        let id = AttemptId::new(BuildId::from_bytes(bytes), number);
        check_round_trip(&id);
        let again: AttemptId = id.to_string().parse().unwrap();
        prop_assert_eq!((again.build(), again.number()), (id.build(), number));
    }

    #[test]
    fn digests_read_back(long in any::<[u8; 32]>(), short in any::<[u8; 20]>()) {
        check_round_trip(&Sha256::from_bytes(long));
        check_round_trip(&CommitSha::from_bytes(short));
        check_round_trip(&TreeSha::from_bytes(short));
    }

    /// The order of ids is the order of their bytes, on which database keys rely.
    #[test]
    fn ids_sort_like_their_bytes(a in any::<[u8; 16]>(), b in any::<[u8; 16]>()) {
        let (first, second) = (BuildId::from_bytes(a), BuildId::from_bytes(b));
        prop_assert_eq!(first.cmp(&second), a.cmp(&b));
        prop_assert_eq!(first.to_string().cmp(&second.to_string()), a.cmp(&b));
    }

    /// Ids stand in paths and are compared as text.
    #[test]
    fn ids_have_one_spelling(text in "[0-9a-fA-F{}urn:.+-]{0,50}") {
        check_one_spelling::<BuildId>(&text);
        check_one_spelling::<ImportId>(&text);
        check_one_spelling::<AttemptId>(&text);
    }

    #[test]
    fn no_text_makes_parsing_panic(text in any::<String>()) {
        let _ = text.parse::<BuildId>();
        let _ = text.parse::<AttemptId>();
        let _ = text.parse::<Sha256>();
        let _ = text.parse::<CommitSha>();
    }
}

#[test]
fn new_ids_grow() {
    let ids: Vec<BuildId> = std::iter::repeat_with(BuildId::new).take(1000).collect();
    assert!(ids.is_sorted());
    assert!(ids.iter().all(|id| id.to_string().as_bytes()[14] == b'7'));
}

#[test]
fn other_spellings_of_ids_are_refused() {
    let good = "01936b0e-7d2c-7a31-9c5e-2f1b8a4d6c70";
    assert!(good.parse::<BuildId>().is_ok());
    for bad in [
        "",
        "01936B0E-7D2C-7A31-9C5E-2F1B8A4D6C70",
        "01936b0e7d2c7a319c5e2f1b8a4d6c70",
        "{01936b0e-7d2c-7a31-9c5e-2f1b8a4d6c70}",
        "urn:uuid:01936b0e-7d2c-7a31-9c5e-2f1b8a4d6c70",
        " 01936b0e-7d2c-7a31-9c5e-2f1b8a4d6c70",
        "01936b0e-7d2c-7a31-9c5e-2f1b8a4d6c7",
        "01936b0e-7d2c-7a31-9c5e-2f1b8a4d6c70/..",
    ] {
        assert!(bad.parse::<BuildId>().is_err(), "{bad:?}");
        assert!(bad.parse::<ImportId>().is_err(), "{bad:?}");
    }
    assert!(format!("{good}.1").parse::<AttemptId>().is_ok());
    for bad in [
        "",
        ".",
        ".01",
        ".+1",
        ".1 ",
        ".-1",
        ".1.1",
        ".4294967296",
        "/1",
    ] {
        let text = format!("{good}{bad}");
        assert!(text.parse::<AttemptId>().is_err(), "{text:?}");
    }
}

#[test]
fn digests_take_their_length_in_hexadecimal_and_write_small_letters() {
    let digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(Sha256::of(b"").to_string(), digest);
    let large: Sha256 = digest.to_uppercase().parse().unwrap();
    assert_eq!(large.to_string(), digest);
    for bad in [
        &digest[..62],
        &digest[..63],
        &format!("{digest}00"),
        &digest.replace('e', "g"),
    ] {
        assert!(bad.parse::<Sha256>().is_err(), "{bad:?}");
    }
    let commit = "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567";
    assert_eq!(commit.parse::<CommitSha>().unwrap().short(), "0a1b2c3d4e");
    assert!(
        commit[..10].parse::<CommitSha>().is_err(),
        "no abbreviations"
    );
    assert!("0".repeat(40).parse::<CommitSha>().unwrap().is_zero());
    assert!(!commit.parse::<CommitSha>().unwrap().is_zero());
}

#[test]
fn an_error_names_the_rule_and_shortens_the_text() {
    let error = "x".repeat(100_000).parse::<Sha256>().unwrap_err();
    insta::assert_snapshot!("a_long_text", error);
    let error = "\u{1b}[31m\n".parse::<BuildId>().unwrap_err();
    insta::assert_snapshot!("a_hostile_text", error);
}

/// The other JSON types are no ids.
#[test]
fn only_json_text_is_read() {
    for json in ["1", "null", "[]", "{}", "true"] {
        assert!(serde_json::from_str::<BuildId>(json).is_err(), "{json}");
        assert!(serde_json::from_str::<Sha256>(json).is_err(), "{json}");
    }
    let escaped = r#""\u0030a1b2c3d4e5f60718293a4b5c6d7e8f901234567""#;
    assert!(serde_json::from_str::<CommitSha>(escaped).is_ok());
}
