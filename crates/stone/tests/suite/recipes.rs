use std::fs;

use super::tool::Place;

const SOUND: &str = "\
name        : sound
version     : 1.2.3
release     : 4
homepage    : https://example.org/sound
upstreams   :
    - https://example.org/sound-1.2.3.tar.xz : 0b0e3aa07c8c063ddf40b082bdf7e37a1562bda40a0ff5272957f3e987e0e54b
summary     : Nothing is wrong with it
description : |
    A recipe that nothing is to be said about.
license     : MPL-2.0
install     : |
    %make_install
";

#[test]
fn findings_stand_below_their_lines() {
    let place = Place::new();
    let text = SOUND
        .replace("1.2.3\nrel", "1.10\nrel")
        .replace("https://example.org/sound-", "http://example.org/sound-")
        .replace("MPL-2.0", "GPLv2")
        .replace(
            "license",
            "networking  : yes\nbuilddep    : [zlib]\nlicense",
        )
        .replace(
            "%make_install",
            "echo \"größer\"; %mkae_install DESTDIR=%(instalroot)",
        );
    place.write("a/stone.yaml", text);
    place.write("a/control.kdl", "");
    place.write("b/stone.yaml", SOUND);
    insta::assert_snapshot!(
        place
            .stone(&["recipe", "check", "a/stone.yaml", "b/stone.yaml"])
            .text()
    );
}

#[test]
fn a_recipe_that_cannot_be_read_is_shown_as_well() {
    let place = Place::new();
    place.write(
        "stone.yaml",
        SOUND
            .replace("release     : 4", "release     : [4")
            .replace('\n', "\r\n"),
    );
    insta::assert_snapshot!(
        "syntax",
        place.stone(&["recipe", "check", "stone.yaml"]).text()
    );
    let missing = SOUND.replace(
        " : 0b0e3aa07c8c063ddf40b082bdf7e37a1562bda40a0ff5272957f3e987e0e54b",
        "",
    );
    place.write("stone.yaml", missing.replace("release     : 4\n", ""));
    insta::assert_snapshot!(
        "missing",
        place.stone(&["recipe", "check", "stone.yaml"]).text()
    );
    place.write("stone.yaml", b"name: \xff\n");
    insta::assert_snapshot!(
        "not_text",
        place.stone(&["recipe", "check", "stone.yaml"]).text()
    );
    place.write("stone.yaml", "a".repeat(3 << 20));
    let large = place.stone(&["recipe", "check", "stone.yaml"]);
    assert_eq!(large.code, Some(1));
    assert!(large.err.len() < 4000, "{}", large.err.len());
}

#[test]
fn a_change_is_compared_with_the_recipe_before() {
    let place = Place::new();
    place.write("stone.yaml", SOUND);
    place.write("before", SOUND.replace("1.2.3", "1.2.2"));
    let check = || place.stone(&["recipe", "check", "stone.yaml", "--previous", "before"]);
    let clean = "exit code: 0\n--- standard output\n--- standard error\n\
                 1 recipe: 0 errors, 0 warnings, 0 notes\n";
    insta::assert_snapshot!(check().text());
    place.write(
        "before",
        SOUND.replace("release     : 4", "release     : 3"),
    );
    assert_eq!(check().text(), clean);
    // Where nothing changed, nothing has to be raised.
    place.write("before", SOUND);
    assert_eq!(check().text(), clean);
    place.write("before", "no recipe");
    assert_eq!(check().code, Some(1));
    fs::remove_file(place.path("before")).unwrap();
    assert_eq!(check().code, Some(2));
}

/// A text of a megabyte with a finding on each line is told as far as anybody reads.
#[test]
fn a_flood_of_findings_is_cut_short() {
    let place = Place::new();
    let flood = "    %a\n".repeat(100_000);
    place.write("stone.yaml", SOUND.replace("    %make_install\n", &flood));
    let ended = place.stone(&["recipe", "check", "stone.yaml"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.err.contains("and 99800 more, 99800 of them errors"));
    assert!(ended.err.lines().count() < 2000);
    assert!(
        ended
            .err
            .ends_with("1 recipe: 201 errors, 0 warnings, 0 notes\n")
    );
}

#[test]
fn findings_are_data_on_request() {
    let place = Place::new();
    let text = SOUND.replace("%make_install", "%nothing");
    place.write("stone.yaml", text.replace("it\n", "%(it) \u{202e}\n"));
    let ended = place.stone(&["recipe", "check", "--json", "stone.yaml"]);
    assert_eq!(ended.code, Some(1));
    assert_eq!(ended.err, "");
    insta::assert_snapshot!(ended.out);
}

#[test]
fn nothing_in_a_recipe_steers_the_terminal() {
    let place = Place::new();
    // C1 controls, marks of direction and other ends of lines are text to YAML.
    let text = SOUND
        .replace("MPL-2.0", "MPL \u{9b}2J\u{202e}x\u{85}y")
        .replace("make_install", "nope_\u{9b}31m \u{2028}é %nope\tx");
    for text in [
        &text,
        &SOUND.replace("MPL-2.0", "\u{1b}[2J"),
        "\"\\e[2J\": [\n\u{1b}]0;x\u{7}",
    ] {
        place.write("\u{1b}]0;x\u{7}.yaml", text);
        for json in [&["--json"][..], &[]] {
            let arguments = [&["recipe", "check", "\u{1b}]0;x\u{7}.yaml"], json].concat();
            let ended = place.stone(&arguments);
            let steers =
                |c: char| c != '\n' && (c.is_control() || matches!(c, '\u{202e}' | '\u{2028}'));
            assert!(!ended.out.contains(steers), "{ended:?}");
            assert!(!ended.err.contains(steers), "{ended:?}");
        }
    }
}

#[test]
fn real_recipes_are_checked() {
    let Some(corpus) = testbed::corpus::find() else {
        return;
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(corpus.join("recipes")).unwrap() {
        files.push(
            entry
                .unwrap()
                .path()
                .join("stone.yaml")
                .display()
                .to_string(),
        );
    }
    let place = Place::new();
    let arguments = ["recipe", "check"]
        .into_iter()
        .chain(files.iter().map(String::as_str));
    let ended = place.stone(&arguments.collect::<Vec<_>>());
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert_eq!(
        ended.err.lines().last().unwrap(),
        "18 recipes: 0 errors, 3 warnings, 7 notes"
    );
}
