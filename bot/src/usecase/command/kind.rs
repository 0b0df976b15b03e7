//! What a command is.

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

/// A word that is not known is shown up to this many characters.
const MAX_SHOWN: usize = 40;

/// A word that somebody wrote, as an answer shows it.
pub(crate) fn shown(word: &str) -> String {
    code(&clip(word, MAX_SHOWN))
}

/// A command that people can write in comments.
pub(crate) struct Command {
    /// Its name, without the slash: one lower-case word.
    pub(crate) name: &'static str,
    /// What may stand behind it, as help shows it; none where nothing may.
    pub(crate) arguments: Option<&'static str>,
    /// What it does, for people: one sentence or two in Markdown.
    pub(crate) help: &'static str,
    /// Who may ask for it, and what it does.
    pub(crate) effect: Effect,
}

/// Who may ask for a command, and what it does.
#[derive(Clone, Copy)]
pub(crate) enum Effect {
    /// Anybody may; it tells of the commands that there are.
    Say(fn(&[Command]) -> Receipt),
    /// Anybody may; it tells how things stand.
    Tell(Tell),
    /// Who may write may; it changes something, in one transaction with its answer or with how far it
    /// is, so that after a crash the rest follows.
    Change(Change),
}

/// What one transaction did for a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// A part of it.
    More(Progress),
    /// The rest of it.
    Done(Receipt),
}

pub(crate) type Tell = fn(&Tables, &RoTxn<'_>, &Ask) -> Result<Receipt, Error>;
pub(crate) type Change =
    fn(&Tables, &mut Write<'_, '_>, &Authorised<Ask>, Timestamp) -> Result<Step, Error>;

/// What somebody asked for in a comment.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    /// Where the comment was written.
    pub(crate) repository: RepositoryId,
    /// The head that it is about; none where the pull request is gone.
    pub(crate) commit: Option<CommitSha>,
    /// The pull request that it was written on; none on a commit, where all builds of it count.
    pub(crate) target: Option<Target>,
    /// Its author's login, for people.
    pub(crate) login: String,
    /// The words behind the command.
    pub(crate) arguments: Vec<String>,
    /// Why no builder gets any build now, for each profile of which that is so.
    pub(crate) standstill: BTreeMap<Architecture, String>,
    /// How far it is carried out; none at first.
    pub(crate) progress: Option<Progress>,
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

    /// Those of `builds` whose recipe or folder is named; all of them where none is.
    ///
    /// # Errors
    /// The answer, where a name is that of none: nothing is carried out then.
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
            login: "ada".to_owned(),
            arguments: arguments.iter().map(|name| (*name).to_owned()).collect(),
            standstill: BTreeMap::new(),
            progress: None,
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
