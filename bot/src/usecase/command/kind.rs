//! The type of a command.

use std::collections::{BTreeMap, BTreeSet};

use api::id::{Architecture, CommitSha};
use jiff::Timestamp;
use moss_db::{Error, RoTxn};

use crate::db::{Progress, Tables, Write};
use crate::domain::build::{Build, Target, named as enumerate};
use crate::domain::command::{Reaction, Receipt};
use crate::domain::name::RepositoryId;
use crate::domain::tail::{clip, code};
use crate::github::Authorised;

/// The most characters of an unknown word in an answer.
const MAX_SHOWN: usize = 40;

/// Formats a word from a comment for an answer.
pub(crate) fn shown(word: &str) -> String {
    code(&clip(word, MAX_SHOWN))
}

/// A command for comments.
pub(crate) struct Command {
    /// Its name, without the slash: one lower-case word.
    pub(crate) name: &'static str,
    /// Its arguments, as the help text shows them; `None` for a command without arguments.
    pub(crate) arguments: Option<&'static str>,
    /// What it does, for people: one or two sentences in Markdown.
    pub(crate) help: &'static str,
    /// Who may give it, and what it does.
    pub(crate) effect: Effect,
    /// Its button at the check run of a build; `None` for a command without one.
    pub(crate) button: Option<Button>,
}

/// A button of a check run. GitHub shows it once the run is concluded.
#[derive(Clone, Copy)]
pub(crate) struct Button {
    /// Its text: at most 20 characters.
    pub(crate) label: &'static str,
    /// What it does: at most 40 characters.
    pub(crate) description: &'static str,
    /// True for the builds whose check run has it.
    pub(crate) fits: fn(&Build) -> bool,
}

/// Who may give a command, and what it does.
#[derive(Clone, Copy)]
pub(crate) enum Effect {
    /// Anybody may give it. It lists the commands.
    Say(fn(&[Command]) -> Receipt),
    /// Anybody may give it. It reports the state of builds.
    Tell(Tell),
    /// People who may write may give it. It changes builds.
    Change(Change),
}

pub(crate) type Tell = fn(&Tables, &RoTxn<'_>, &Ask) -> Result<Receipt, Error>;

/// A command that changes builds. Only [`Self::part`] runs in write transactions, for which webhooks
/// wait. Each of them also stores the progress, from which the next start goes on.
#[derive(Clone, Copy)]
pub(crate) struct Change {
    /// Chooses the builds, or answers at once.
    pub(crate) choose: fn(&Tables, &RoTxn<'_>, &Ask) -> Result<Chosen, Error>,
    /// Changes the next builds. A build may have changed since it was chosen.
    pub(crate) part: Part,
    /// The answer, once [`Progress::is_done`].
    pub(crate) answer: fn(&Tables, &RoTxn<'_>, &Ask, Progress) -> Result<Receipt, Error>,
}

/// The builds to change, or the answer when there is nothing to do.
pub(crate) type Chosen = Result<Progress, Receipt>;

/// The login is that of the person who asked.
pub(crate) type Part = fn(
    &Tables,
    &mut Write<'_, '_>,
    &Authorised<Progress>,
    login: &str,
    Timestamp,
) -> Result<Progress, Error>;

/// A command that somebody gave in a comment.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    /// The repository of the comment.
    pub(crate) repository: RepositoryId,
    /// The head that it applies to; `None` when the pull request is gone.
    pub(crate) commit: Option<CommitSha>,
    /// The pull request of the comment. `None` for a comment on a commit: it applies to all builds
    /// of it.
    pub(crate) target: Option<Target>,
    /// The words after the command.
    pub(crate) arguments: Vec<String>,
    /// The reason of the standstill, for each profile that has one.
    pub(crate) standstill: BTreeMap<Architecture, String>,
}

impl Ask {
    /// The newest build of each recipe at the head, by the recipe's name.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) fn builds(&self, tables: &Tables, txn: &RoTxn<'_>) -> Result<Vec<Build>, Error> {
        let Some(commit) = self.commit else {
            return Ok(Vec::new());
        };
        let mut builds =
            tables.newest_of_head(txn, self.repository, commit, self.target.as_ref())?;
        builds.sort_by(|a, b| (&a.recipe, a.id).cmp(&(&b.recipe, b.id)));
        Ok(builds)
    }

    /// Those of `builds` whose recipe or folder is an argument; all of them without arguments.
    ///
    /// # Errors
    /// The answer, when an argument matches no build. The command then does nothing.
    pub(crate) fn choose<'builds>(
        &self,
        builds: &'builds [Build],
    ) -> Result<Vec<&'builds Build>, Receipt> {
        if self.arguments.is_empty() {
            return Ok(builds.iter().collect());
        }
        let names: BTreeSet<&str> = self.arguments.iter().map(String::as_str).collect();
        let named = |build: &&Build| {
            [build.recipe.as_str(), build.folder.as_str()].map(|name| names.get(name).copied())
        };
        let chosen: Vec<&Build> = builds
            .iter()
            .filter(|build| named(build).iter().any(Option::is_some))
            .collect();
        let known: BTreeSet<&str> = chosen.iter().flat_map(named).flatten().collect();
        let unknown: Vec<String> = names.difference(&known).map(|name| shown(name)).collect();
        if unknown.is_empty() {
            return Ok(chosen);
        }
        let mut others: Vec<String> = builds
            .iter()
            .map(|build| code(build.recipe.as_str()))
            .collect();
        others.dedup();
        let others = match others.is_empty() {
            true => "It has no builds at all.".to_owned(),
            false => format!("It has builds of {}.", enumerate(&others)),
        };
        let text = format!(
            "Nothing was done: this commit has no build of {}. {others}",
            enumerate(&unknown)
        );
        Err(Receipt::say(Reaction::Confused, text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::build::example::{build, main};

    fn ask(arguments: &[&str]) -> Ask {
        Ask {
            repository: RepositoryId::new(1),
            commit: None,
            target: Some(main()),
            arguments: arguments.iter().map(|name| (*name).to_owned()).collect(),
            standstill: BTreeMap::new(),
        }
    }

    #[test]
    fn builds_are_chosen_by_recipe_or_folder_each_once() {
        let mut builds = [build(1, "bash"), build(2, "nano"), build(3, "zlib")];
        builds[2].folder = "libs/zlib".parse().unwrap();
        let chosen = |arguments: &[&str]| {
            let chosen = ask(arguments).choose(&builds);
            chosen.map(|builds| {
                builds
                    .iter()
                    .map(|b| b.recipe.to_string())
                    .collect::<Vec<_>>()
            })
        };
        assert_eq!(chosen(&[]).unwrap(), ["bash", "nano", "zlib"]);
        assert_eq!(
            chosen(&["libs/zlib", "nano", "zlib", "nano"]).unwrap(),
            ["nano", "zlib"]
        );
        let refused = chosen(&["nano", "nope", &"x".repeat(60_000)]).unwrap_err();
        let long = format!("{}…", "x".repeat(MAX_SHOWN));
        assert_eq!(
            refused.text.unwrap(),
            format!(
                "Nothing was done: this commit has no build of `nope`, `{long}`. It has builds of \
                 `bash`, `nano`, `zlib`."
            )
        );
        let none = ask(&["nano"]).choose(&[]).unwrap_err();
        assert_eq!(
            none.text.unwrap(),
            "Nothing was done: this commit has no build of `nano`. It has no builds at all."
        );
    }
}
