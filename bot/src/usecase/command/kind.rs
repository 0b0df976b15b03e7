//! What a command is.

use api::id::CommitSha;
use jiff::Timestamp;
use moss_db::{Error, RoTxn, RwTxn};

use crate::db::Tables;
use crate::domain::build::{Build, Target};
use crate::domain::command::{Reaction, Receipt};
use crate::domain::name::RepositoryId;
use crate::domain::tail::code;
use crate::github::Authorised;

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
    /// Who may write may; it changes something, in one transaction with its answer, so that a crash
    /// leaves all of it or nothing.
    Change(Change),
}

pub(crate) type Tell = fn(&Tables, &RoTxn<'_>, &Ask) -> Result<Receipt, Error>;
pub(crate) type Change =
    fn(&Tables, &mut RwTxn<'_>, &Authorised<Ask>, Timestamp) -> Result<Receipt, Error>;

/// An effect with all that it takes.
pub(crate) enum Ready {
    /// Of a command that anybody may ask for.
    Tell(Tell, Ask),
    /// Of one that takes write access.
    Change(Change, Authorised<Ask>),
}

impl Ready {
    /// Carries it out; gives the answer.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) fn run(
        &self,
        tables: &Tables,
        txn: &mut RwTxn<'_>,
        now: Timestamp,
    ) -> Result<Receipt, Error> {
        match self {
            Self::Tell(tell, ask) => tell(tables, txn, ask),
            Self::Change(change, ask) => change(tables, txn, ask, now),
        }
    }
}

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
        let mut chosen = Vec::new();
        let mut unknown = Vec::new();
        for name in &self.arguments {
            let named: Vec<&Build> = builds
                .iter()
                .filter(|build| build.recipe.as_str() == name || build.folder.as_str() == name)
                .collect();
            if named.is_empty() {
                unknown.push(code(name));
            }
            chosen.extend(named);
        }
        if unknown.is_empty() {
            chosen.sort_by_key(|build| build.id);
            chosen.dedup_by_key(|build| build.id);
            return Ok(chosen);
        }
        let names = builds.iter().map(|build| code(build.recipe.as_str()));
        let known = match builds.is_empty() {
            true => "This commit has no builds.".to_owned(),
            false => format!("There are builds of {}.", enumerate(names.collect())),
        };
        let unknown = enumerate(unknown);
        let text = format!(
            "Nothing was done: no build of this commit is of a recipe called {unknown}. {known}"
        );
        Err(Receipt::say(Reaction::Confused, text))
    }
}

/// The most names that an answer lists.
const MAX_NAMED: usize = 20;

/// Names in a sentence; of many, some and how many more.
pub(crate) fn enumerate(mut names: Vec<String>) -> String {
    names.dedup();
    let more = names.len().saturating_sub(MAX_NAMED);
    names.truncate(MAX_NAMED);
    let names = names.join(", ");
    match more {
        0 => names,
        more => format!("{names} and {more} more"),
    }
}
