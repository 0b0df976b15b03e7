use proptest::prelude::*;

use super::*;

const NAMES: [&str; 4] = ["rebuild", "cancel", "status", "help"];

fn found(comment: &str) -> Option<Found> {
    find(comment, &NAMES)
}

fn command(name: &'static str, arguments: &[&str]) -> Option<Found> {
    let arguments = arguments.iter().map(|word| (*word).to_owned()).collect();
    Some(Found::Command { name, arguments })
}

fn near(word: &str, name: &'static str) -> Option<Found> {
    let word = word.to_owned();
    Some(Found::Near { word, name })
}

proptest! {
    /// Comments are untrusted input.
    #[test]
    fn any_comment_can_be_read(comment in "(/rebuild|/cancel|```|~~~|<!--|[ \\t>/`\\r\\n*-]|\\PC){0,40}") {
        let _ = found(&comment);
    }

    /// A command in a quote or in code is ignored.
    #[test]
    fn what_is_quoted_is_no_command(lines in prop::collection::vec("(/rebuild)?[^`~\\r\\n]{0,20}", 0..8)) {
        let quoted: Vec<String> = lines.iter().map(|line| format!("> {line}")).collect();
        prop_assert_eq!(found(&quoted.join("\n")), None);
        let shown = format!("```\n{}\n```", lines.join("\n"));
        prop_assert_eq!(found(&shown), None);
        let indented: Vec<String> = lines.iter().map(|line| format!("    {line}")).collect();
        prop_assert_eq!(found(&indented.join("\n")), None);
    }

    /// Other text in a comment does not hide the command.
    #[test]
    fn text_around_a_command_is_allowed(before in "[a-z \\n]{0,40}", after in "[a-z \\n]{0,40}") {
        let comment = format!("{before}\n\n/rebuild\n\n{after}");
        prop_assert_eq!(found(&comment), command("rebuild", &[]));
    }
}

#[test]
fn a_command_is_a_line_that_begins_with_its_name() {
    for comment in [
        "/rebuild",
        "/rebuild\r\n",
        "The mirror is back.\r\n/rebuild \r\n",
        "  /rebuild",
        "```x```\n\n/rebuild",
        "Done.\n\n/rebuild\n\n> It was red.",
        "- The mirror is back.\n- The sum is right.\n/rebuild",
        "1. The mirror is back.\n\n   /rebuild",
        "/rebuild\u{200b}",
        "/re\u{200b}build",
    ] {
        assert_eq!(found(comment), command("rebuild", &[]), "{comment}");
    }
    for comment in [
        "",
        "say /rebuild to build it again",
        "/ rebuild",
        "/rebuilding-all",
        "/usr/bin/env",
        "# /rebuild",
        "/rebuild\n---",
        "- /rebuild",
        "**/rebuild**",
        "`/rebuild`",
        "`a\n/rebuild\nb`",
        "| a |\n|---|\n| /rebuild |",
    ] {
        assert_eq!(found(comment), None, "{comment}");
    }
}

#[test]
fn what_markdown_shows_as_code_comment_or_quote_commands_nothing() {
    for comment in [
        "~~~\n/rebuild\n~~~",
        "````\n```\n/rebuild\n```\n````",
        "````\ntext\n```\nmore\n/rebuild\n````",
        "<!--\n/rebuild\n-->",
        "text <!--\n/rebuild\n-->",
        "> /rebuild",
        "> text\n/rebuild",
        "    /rebuild",
        "\t/rebuild",
        "<details>\n\n```\n/rebuild\n```\n\n</details>",
        "- item\n\n  ```\n  /rebuild\n  ```",
        "```\ncode\n``` not a close\n/rebuild\n```",
    ] {
        assert_eq!(found(comment), None, "{comment}");
    }
}

#[test]
fn words_behind_a_command_are_its_arguments() {
    let arguments = ["nano", "bash", "zlib"];
    for comment in [
        "/rebuild nano bash zlib",
        "/rebuild nano, bash,zlib",
        "/rebuild `nano` `bash`\t`zlib`\r\nThank you",
    ] {
        assert_eq!(found(comment), command("rebuild", &arguments), "{comment}");
    }
    let please = found("text\n/rebuild please");
    assert_eq!(please, command("rebuild", &["please"]));
}

#[test]
fn a_word_near_a_command_is_met_with_it_and_others_with_silence() {
    for (word, name) in [
        ("REBUILD", "rebuild"),
        ("rebiuld", "rebuild"),
        ("build", "rebuild"),
        ("rebuild!", "rebuild"),
        ("canceled", "cancel"),
        ("hlep", "help"),
    ] {
        assert_eq!(found(&format!("/{word} nano")), near(word, name), "{word}");
    }
    for word in ["home", "merge", "retest", "lgtm", "assign", "e", ""] {
        assert_eq!(found(&format!("/{word}")), None, "{word}");
    }
    let long = "x".repeat(100_000);
    assert_eq!(found(&format!("/{long}")), None);
    // A correct command wins over a misspelt one.
    let both = found("/REBUILD\n/cancel");
    assert_eq!(both, command("cancel", &[]));
}

#[test]
fn a_comment_holds_one_command() {
    assert_eq!(found("/rebuild nano\n/rebuild bash"), Some(Found::Several));
    assert_eq!(found("/rebuild\n\n> /cancel"), command("rebuild", &[]));
}

#[test]
fn a_comment_that_github_would_not_take_commands_nothing() {
    let padding = "x\n".repeat(MAX_BYTES / 2);
    assert_eq!(found(&format!("/rebuild\n{padding}")), None);
}
