//! The rules of names.

use std::str::FromStr;

use api::id::{
    Architecture, ChannelName, FileName, HistoryId, Profile, RecipeFolder, RecipeName, ServiceName,
    StreamName, TagName,
};
use proptest::prelude::*;

/// What no name may be, whatever its rule.
const HOSTILE: &[&str] = &[
    "",
    " ",
    "..",
    "../x",
    "/",
    "/etc",
    "a/../b",
    "a\0b",
    "a\nb",
    "a\\b",
    "-rf",
    "\u{202e}a",
    "$(id)",
    "`id`",
    "a;b",
    "a b",
    "a&b",
    "a|b",
    "<b>",
    "a\"b",
    "a'b",
    "a*",
    "a?",
    "a#b",
];

fn takes<T: FromStr>(text: &str) -> bool {
    text.parse::<T>().is_ok()
}

fn check<T: FromStr>(good: &[&str], bad: &[&str]) {
    let what = std::any::type_name::<T>();
    for text in good {
        assert!(takes::<T>(text), "{what} takes {text:?}");
    }
    for text in bad {
        assert!(!takes::<T>(text), "{what} refuses {text:?}");
    }
}

#[test]
fn identifiers_are_letters_digits_and_hyphens() {
    let good = [
        "main",
        "2026-11",
        "a",
        "A-b-9",
        "20261122-220344-5a6b7c8d9e0f",
    ];
    let bad = ["-a", "a.b", "a_b", "a/b", "é", "a%2f", "a:b"];
    check::<ChannelName>(&good, &bad);
    check::<StreamName>(&good, &bad);
    check::<TagName>(&good, &bad);
    check::<HistoryId>(&good, &bad);
    check::<Profile>(&good, &bad);
    check::<ServiceName>(&good, &bad);
    check::<ChannelName>(&[], HOSTILE);
    check::<ServiceName>(&[], HOSTILE);
    assert!(takes::<TagName>(&"a".repeat(128)));
    assert!(!takes::<TagName>(&"a".repeat(129)));
}

#[test]
fn recipe_names_are_those_of_real_recipes() {
    let good = [
        "nano",
        "gtk-4",
        "libsigc++-2.0",
        "0ad",
        "python-3.12",
        "A_b",
    ];
    check::<RecipeName>(&good, &["+a", ".a", "_a", "a/b", "a:b", "a@b", "a~b"]);
    check::<RecipeName>(&[], HOSTILE);
    assert!(!takes::<RecipeName>(&"a".repeat(129)));
}

#[test]
fn architectures_are_small_letters() {
    check::<Architecture>(&["x86_64", "aarch64", "386"], &["X86_64", "x86-64", "a.b"]);
    check::<Architecture>(&[], HOSTILE);
    assert!(!takes::<Architecture>(&"a".repeat(33)));
}

#[test]
fn file_names_are_one_plain_component() {
    let good = [
        "nano-8.3-33-1-x86_64.stone",
        "libsigc++-2.12.1-3-1-x86_64.stone",
        "a-1:2~rc1^git@x=,-1-1-x86_64.stone",
        "a%2fb",
        "_",
    ];
    check::<FileName>(&good, &[".hidden", ".", "a/b", "é.stone"]);
    check::<FileName>(&[], HOSTILE);
    assert!(takes::<FileName>(&"a".repeat(255)));
    assert!(!takes::<FileName>(&"a".repeat(256)));
}

#[test]
fn recipe_folders_stay_inside_their_repository() {
    check::<RecipeFolder>(
        &[
            ".",
            "nano",
            "n/nano",
            "a b/c",
            "é",
            "...",
            ".github/x",
            "a.git",
        ],
        &[
            "", "/", "/a", "a/", "a//b", "./a", "a/.", "a/./b", "..", "../a", "a/..", "a/../b",
            ".git", "a/.git/b", "a/.GIT", "a\\b", "a\0b", "a\nb", "a/\u{7f}",
        ],
    );
    assert!(takes::<RecipeFolder>(&"a".repeat(1024)));
    assert!(!takes::<RecipeFolder>(&"a".repeat(1025)));
}

proptest! {
    /// Whatever is taken can be joined to a path, and stays below it.
    #[test]
    fn no_name_leads_out(text in r"[a.\-/%~\\ ]{0,12}") {
        let below = std::path::Path::new("/top").join(&text);
        let mut inside = below.components().skip(2);
        let stays = below.starts_with("/top")
            && inside.all(|part| matches!(part, std::path::Component::Normal(_)));
        if takes::<FileName>(&text) {
            prop_assert!(stays && !text.contains('/'));
        }
        if takes::<RecipeFolder>(&text) {
            prop_assert!(stays || text == ".");
        }
    }

    #[test]
    fn what_is_taken_is_kept(text in any::<String>()) {
        if let Ok(name) = text.parse::<RecipeFolder>() {
            prop_assert_eq!(name.as_str(), &text);
        }
        if let Ok(name) = text.parse::<FileName>() {
            prop_assert_eq!(name.as_str(), &text);
        }
        prop_assert_eq!(takes::<ChannelName>(&text), takes::<HistoryId>(&text));
    }
}
