//! Commands in comments.

/// What a comment asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Build again what did not succeed.
    Rebuild,
}

/// The command in a comment. A command stands alone on a line that begins with `/`; text around it
/// is allowed, quotes and code are not read. None when there is no such line.
///
/// # Errors
/// When a line looks like a command of ours, but carries what the command does not take.
pub fn parse(comment: &str) -> Option<Result<Command, Misunderstood>> {
    let mut fenced = false;
    for line in comment.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced || line.starts_with("    ") || line.starts_with('\t') {
            continue;
        }
        let mut words = line.split_whitespace();
        if words.next() == Some("/rebuild") {
            return Some(match words.next() {
                None => Ok(Command::Rebuild),
                Some(extra) => Err(Misunderstood {
                    word: extra.chars().take(40).collect(),
                }),
            });
        }
    }
    None
}

/// A command with something that it does not take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`/rebuild` takes nothing after it, but {word:?} follows")]
pub struct Misunderstood {
    word: String,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Strangers write comments.
        #[test]
        fn any_comment_can_be_read(comment in "(/rebuild|```|[ \\t>/`\\r\\n]|\\PC){0,40}") {
            let _ = parse(&comment);
        }

        /// Whatever is quoted, or shown as code, commands nothing.
        #[test]
        fn what_is_quoted_is_no_command(lines in prop::collection::vec("(/rebuild)?[^`\\r\\n]{0,20}", 0..8)) {
            let quoted: Vec<String> = lines.iter().map(|line| format!("> {line}")).collect();
            prop_assert_eq!(parse(&quoted.join("\n")), None);
            let shown = format!("```\n{}\n```", lines.join("\n"));
            prop_assert_eq!(parse(&shown), None);
        }

        /// What else stands in a comment does not hide the command.
        #[test]
        fn text_around_a_command_is_allowed(before in "[a-z \\n]{0,40}", after in "[a-z \\n]{0,40}") {
            let comment = format!("{before}\n/rebuild\n{after}");
            prop_assert_eq!(parse(&comment), Some(Ok(Command::Rebuild)));
        }
    }

    #[test]
    fn commands_stand_alone_on_a_line() {
        assert_eq!(parse("/rebuild"), Some(Ok(Command::Rebuild)));
        assert_eq!(
            parse("The mirror is back.\r\n/rebuild \r\n"),
            Some(Ok(Command::Rebuild))
        );
        assert_eq!(parse("say /rebuild to build it again"), None);
        assert_eq!(parse("> /rebuild"), None);
        assert_eq!(parse("```\n/rebuild\n```"), None);
        assert_eq!(parse("    /rebuild"), None);
        assert_eq!(parse("/rebuilding"), None);
        let error = parse("/rebuild nano").and_then(Result::err);
        assert_eq!(
            error.map(|error| error.to_string()).as_deref(),
            Some("`/rebuild` takes nothing after it, but \"nano\" follows")
        );
    }
}
