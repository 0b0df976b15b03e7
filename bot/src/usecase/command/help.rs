//! `/help` lists the commands.

use std::fmt::Write as _;

use super::kind::{Command, Effect};
use crate::domain::command::{Reaction, Receipt};

pub(super) const COMMAND: Command = Command {
    name: "help",
    arguments: None,
    help: "Lists these commands.",
    effect: Effect::Say(list),
    button: None,
};

/// The help text for these commands.
pub(super) fn list(commands: &[Command]) -> Receipt {
    let mut text =
        "A command is a line of its own in a comment on a pull request or a commit:\n".to_owned();
    for command in commands {
        let arguments = command.arguments.map(|arguments| format!(" {arguments}"));
        let rights = match command.effect {
            Effect::Say(_) | Effect::Tell(_) => "",
            Effect::Change(_) => " Only people with write access can use it.",
        };
        let _ = write!(
            text,
            "\n- `/{}{}`: {}{rights}",
            command.name,
            arguments.unwrap_or_default(),
            command.help
        );
    }
    Receipt::say(Reaction::ThumbsUp, text)
}
