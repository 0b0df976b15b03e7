//! The commands of comments. Each command has its own file with its name, arguments, help, rights
//! and effect. [`COMMANDS`] lists them; parsing, help and refusals all use this list.

mod cancel;
mod help;
mod kind;
mod rebuild;
mod status;

use api::id::CommitSha;

use crate::domain::build::Build;
use crate::domain::check_run::Action;
use crate::domain::command::{self, Found, Reaction, Receipt};
use crate::domain::tail::{code, escape};

pub(super) use kind::{Ask, Change, Command, Effect};

/// All commands, in the order of the help text.
pub(super) static COMMANDS: [Command; 4] = [
    rebuild::COMMAND,
    cancel::COMMAND,
    status::COMMAND,
    help::COMMAND,
];

/// The buttons of the check run of a build.
pub(super) fn buttons(build: &Build) -> Vec<Action> {
    let buttons = COMMANDS.iter().filter_map(|command| {
        let button = command.button.filter(|button| (button.fits)(build))?;
        Some(Action {
            identifier: command.name,
            label: button.label,
            description: button.description,
        })
    });
    buttons.collect()
}

/// The button of a head's check run: it rebuilds what did not succeed.
pub(super) fn button_of_head() -> Action {
    Action {
        identifier: rebuild::COMMAND.name,
        label: "Rebuild",
        description: "Rebuilds what did not succeed",
    }
}

/// The command of a pressed button. `None` when no command has such a button.
pub(super) fn of_button(name: &str) -> Option<Change> {
    let command = COMMANDS.iter().find(|command| command.name == name)?;
    match (command.button, command.effect) {
        (Some(_), Effect::Change(change)) => Some(change),
        _ => None,
    }
}

/// The most arguments of a command.
const MAX_ARGUMENTS: usize = 100;

/// A parsed command, or the answer to one that summit cannot run.
pub(super) enum Read {
    /// The command and its arguments.
    Command(&'static Command, Vec<String>),
    /// The answer to a command that summit cannot run.
    Refused(Receipt),
}

/// Parses a comment. `None` for a comment without a command; summit does not answer it.
pub(super) fn read(comment: &str) -> Option<Read> {
    let names = COMMANDS.each_ref().map(|command| command.name);
    Some(match command::find(comment, &names)? {
        Found::Command { name, arguments } => {
            let command = COMMANDS.iter().find(|command| command.name == name);
            let command = command.expect("the name is one of theirs");
            match (command.arguments, arguments.first()) {
                (None, Some(first)) => Read::Refused(confused(format!(
                    "`/{name}` takes no arguments, but {} follows.",
                    kind::shown(first)
                ))),
                (Some(_), _) if arguments.len() > MAX_ARGUMENTS => {
                    Read::Refused(confused(format!(
                        "`/{name}` takes {MAX_ARGUMENTS} recipes at most, and {} follow. Nothing was \
                     done.",
                        arguments.len()
                    )))
                }
                (Some(_), _) | (None, None) => Read::Command(command, arguments),
            }
        }
        Found::Near { word, name } => {
            let word = code(&format!("/{word}"));
            let text = format!(
                "There is no command {word}. Did you mean `/{name}`? `/help` lists all commands."
            );
            Read::Refused(confused(text))
        }
        Found::Several => Read::Refused(confused(
            "Nothing was done: this comment has more than one command. Write a separate comment \
             for each command.",
        )),
    })
}

fn confused(text: impl Into<String>) -> Receipt {
    Receipt::say(Reaction::Confused, text).for_anybody()
}

/// The answer to an author who may not give the command.
pub(super) fn refuse(command: &Command, login: &str, role: &str) -> Receipt {
    let text = format!(
        "{}, only people with write access to this repository can use `/{}`. Your role here is {}.",
        escape(login),
        command.name,
        code(role)
    );
    Receipt::say(Reaction::ThumbsDown, text).for_anybody()
}

/// The answer to a command for a head that its author did not see.
pub(super) fn refuse_for_head(command: &Command, newer: CommitSha) -> Receipt {
    let text = format!(
        "Nothing was done: {} became the head of this pull request after your comment. Comment \
         `/{}` again to have it done for that commit.",
        code(&newer.to_string()),
        command.name
    );
    Receipt::say(Reaction::Confused, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::build::example::{at, build, failure};
    use crate::domain::build::{By, FailureKind, Scope, State};

    fn refused(comment: &str) -> String {
        match read(comment) {
            Some(Read::Refused(receipt)) => receipt.text.unwrap(),
            Some(Read::Command(command, _)) => panic!("/{} is carried out", command.name),
            None => panic!("{comment} is met with silence"),
        }
    }

    #[test]
    fn names_are_words_of_their_own_and_near_to_no_other() {
        let names = COMMANDS.each_ref().map(|command| command.name);
        for (index, name) in names.iter().enumerate() {
            assert!(name.chars().all(|c| c.is_ascii_lowercase()), "{name}");
            let mut others = names.to_vec();
            others.remove(index);
            assert_eq!(command::find(&format!("/{name}"), &others), None, "{name}");
        }
    }

    /// GitHub takes three buttons, with 20, 20 and 40 characters.
    #[test]
    fn buttons_are_short_few_and_do_something() {
        let all = COMMANDS.iter().filter(|command| command.button.is_some());
        assert!((1..=3).contains(&all.count()));
        for command in &COMMANDS {
            let Some(button) = command.button else {
                assert!(of_button(command.name).is_none());
                continue;
            };
            let lengths = [command.name, button.label, button.description].map(str::len);
            let fits = lengths
                .iter()
                .zip([20, 20, 40])
                .all(|(is, most)| *is <= most);
            assert!(fits, "/{}", command.name);
            assert!(of_button(command.name).is_some(), "/{}", command.name);
        }
        let with = |state| {
            let mut build = build(1, "nano");
            build.state = state;
            let actions = buttons(&build).into_iter();
            actions.map(|action| action.label).collect::<Vec<_>>()
        };
        let failed = State::Failed(failure(FailureKind::Attempt, None));
        assert_eq!(with(failed), ["Rebuild"]);
        let broken = State::Failed(failure(FailureKind::Recipe, None));
        assert_eq!(with(broken), [""; 0]);
        assert_eq!(with(State::Planned), [""; 0]);
        let mut all = build(1, "recipes");
        all.scope = Scope::All {
            count: 501,
            named: Vec::new(),
        };
        all.state = State::Cancelled {
            by: By::Person {
                login: "ada".to_owned(),
            },
            at: at(0),
        };
        assert_eq!(buttons(&all), [], "it is no recipe");
    }

    /// All answers to malformed commands, as people read them.
    #[test]
    fn what_cannot_be_carried_out_is_answered() {
        let mut all = Vec::new();
        for comment in ["/help me", "/REBUILD", "/statsu", "/rebuild\n/cancel"] {
            all.push(format!("{comment}\n  {}", refused(comment)));
        }
        let many = format!("/cancel {}", "a ".repeat(101));
        all.push(format!("/cancel a a …\n  {}", refused(&many)));
        let long = refused(&format!("/help {}", "x".repeat(60_000)));
        assert!(long.len() < 200, "{long}");
        let receipt = refuse(&COMMANDS[0], "_ada_", "`tri|age`");
        assert_eq!(receipt.reaction, Reaction::ThumbsDown);
        all.push(receipt.text.unwrap());
        for answer in &all {
            let (_, said) = answer.split_once("\n  ").unwrap_or(("", answer));
            assert!(read(said).is_none(), "summit would answer itself: {said}");
        }
        insta::assert_snapshot!(all.join("\n\n"));
    }

    #[test]
    fn help_lists_all_commands() {
        let list = help::list(&COMMANDS).text.unwrap();
        assert!(read(&list).is_none(), "summit would answer itself");
        insta::assert_snapshot!(list);
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let page = words(include_str!("../../../docs/commands.md"));
        for command in &COMMANDS {
            let arguments = command
                .arguments
                .map_or(String::new(), |words| format!(" {words}"));
            let line = format!("- `/{}{arguments}`: {}", command.name, command.help);
            assert!(
                page.contains(&words(&line)),
                "docs/commands.md lacks: {line}"
            );
        }
    }
}
