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
    use super::*;

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
