//! What is said to a command.

use std::fmt::Write as _;

use crate::db::CommandOutcome;
use crate::domain::tail::{code, escape};

/// An answer to a comment.
pub(super) struct Answer {
    /// GitHub's name of the reaction to it.
    pub(super) reaction: &'static str,
    /// Markdown, where a reaction does not say enough.
    pub(super) text: Option<String>,
}

/// What is answered to a command of `login` that came to `outcome`.
pub(super) fn answer(outcome: &CommandOutcome, login: &str) -> Answer {
    let (reaction, text) = match outcome {
        CommandOutcome::Rebuilding { .. } => ("rocket", None),
        CommandOutcome::Nothing { reasons } => {
            let mut text = "There is nothing to build again.".to_owned();
            match reasons.as_slice() {
                [] => text.push_str(" This head has no builds."),
                [reason] => {
                    let _ = write!(text, " {}", reason.explain());
                }
                reasons => {
                    text.push_str(" For its builds, one of these is the reason:\n");
                    for reason in reasons {
                        let _ = write!(text, "\n- {}", reason.explain());
                    }
                }
            }
            ("confused", Some(text))
        }
        CommandOutcome::Unapproved { author } => {
            let text = format!(
                "Nothing is built: {} has no write access to this repository, so nothing of this \
                 pull request is run.",
                escape(author)
            );
            ("confused", Some(text))
        }
        CommandOutcome::Refused { role } => {
            let text = format!(
                "{}, `/rebuild` takes write access to this repository; your role here is {}.",
                escape(login),
                code(role)
            );
            ("-1", Some(text))
        }
        CommandOutcome::Misunderstood { reason } => ("confused", Some(escape(reason))),
    };
    Answer { reaction, text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::build::NotAgain;

    /// All that people are answered, as they read it.
    #[test]
    fn every_outcome_is_answered() {
        let nothing = |reasons: &[NotAgain]| CommandOutcome::Nothing {
            reasons: reasons.to_vec(),
        };
        let outcomes = [
            CommandOutcome::Rebuilding { builds: Vec::new() },
            nothing(&[]),
            nothing(&[NotAgain::UnderWay]),
            nothing(&[NotAgain::UnderWay, NotAgain::SameRecipe]),
            CommandOutcome::Unapproved {
                author: "*eve*".to_owned(),
            },
            CommandOutcome::Refused {
                role: "`tri|age`".to_owned(),
            },
            CommandOutcome::Misunderstood {
                reason: "`/rebuild` takes nothing after it, but <b> follows".to_owned(),
            },
        ];
        let mut all = String::new();
        for outcome in outcomes {
            let Answer { reaction, text } = answer(&outcome, "_ada_");
            let _ = writeln!(all, "{reaction}\n{}\n", text.unwrap_or_default());
        }
        insta::assert_snapshot!(all);
    }
}
