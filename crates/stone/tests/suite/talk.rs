//! What is said about the command itself.

use super::tool::Place;

#[test]
fn the_help_says_how_to_use_it() {
    let place = Place::new();
    for (name, arguments) in [
        ("help", &["--help"][..]),
        ("help_inspect", &["inspect", "--help"]),
        ("help_verify", &["verify", "--help"]),
        ("help_extract", &["extract", "--help"]),
        ("help_index", &["index", "--help"]),
        ("help_check", &["recipe", "check", "--help"]),
    ] {
        let ended = place.stone(arguments);
        assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
        insta::assert_snapshot!(name, ended.out);
    }
}

#[test]
fn bad_usage_is_no_error_of_the_input() {
    let place = Place::new();
    for arguments in [&["verify"][..], &["inspect", "a", "b"], &["nothing"], &[]] {
        let ended = place.stone(arguments);
        assert_eq!(ended.code, Some(2), "{arguments:?}");
        assert_eq!(ended.out, "");
    }
}

#[test]
fn completions_and_the_manual_are_printed() {
    let place = Place::new();
    for shell in ["bash", "fish", "zsh"] {
        let ended = place.stone(&["completions", shell]);
        assert_eq!(ended.code, Some(0));
        assert!(ended.out.contains("extract"), "{shell}");
    }
    let manual = place.stone(&["man"]);
    assert_eq!(manual.code, Some(0));
    assert!(manual.out.contains(".TH stone 1"), "{}", manual.out);
}
