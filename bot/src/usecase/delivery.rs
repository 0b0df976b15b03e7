//! What a webhook leads to. All of it is rows of work for the workers.

use jiff::Timestamp;
use moss_db::{Error, RoTxn, RwTxn};
use uuid::Uuid;

use super::command;
use crate::db::{Button, Command, CommentPlace, Press, Reported, Repository, Tables, command_key};
use crate::domain::build::Target;
use crate::domain::name::RepositoryId;
use crate::github::payload::{Author, Comment, Payload, Source};

/// The result of taking a delivery.
pub(super) struct Taken {
    /// The result in words, for people.
    pub(super) outcome: String,
    /// The work that it leads to.
    pub(super) work: Option<Work>,
    /// True when the repositories have to be read from GitHub.
    pub(super) asks_for_sweep: bool,
    /// True when the body is not as GitHub describes it.
    pub(super) is_odd: bool,
}

/// A kind of work that a delivery can lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    /// To look at a target.
    Look,
    /// To run a command.
    Command,
    /// To act on the press of a button.
    Press,
}

impl From<String> for Taken {
    fn from(outcome: String) -> Self {
        Self {
            outcome,
            work: None,
            asks_for_sweep: false,
            is_odd: false,
        }
    }
}

/// Stores the work that a delivery leads to.
pub(super) fn heed(
    tables: &Tables,
    txn: &mut RwTxn<'_>,
    payload: Payload,
    organisation: &str,
    guid: &str,
    received_at: Timestamp,
) -> Result<Taken, Error> {
    // Anyone may install a public App, but summit builds for one organisation only.
    if let Some(source) = payload.find_source()
        && !source
            .repository
            .full_name
            .owner()
            .eq_ignore_ascii_case(organisation)
    {
        let outcome = format!(
            "{} is none of {organisation}'s repositories",
            source.repository.full_name
        );
        return Ok(outcome.into());
    }
    let mut taking = Taking {
        tables,
        guid,
        received_at,
        asks_for_sweep: false,
        work: None,
    };
    let outcome = taking.heed(txn, payload)?;
    Ok(Taken {
        work: taking.work,
        asks_for_sweep: taking.asks_for_sweep,
        ..outcome.into()
    })
}

/// A delivery that is being taken.
struct Taking<'a> {
    tables: &'a Tables,
    guid: &'a str,
    received_at: Timestamp,
    asks_for_sweep: bool,
    work: Option<Work>,
}

impl Taking<'_> {
    fn heed(&mut self, txn: &mut RwTxn<'_>, payload: Payload) -> Result<String, Error> {
        match payload {
            Payload::Nothing { reason } => Ok(reason.to_owned()),
            // If this process ends before the sweep, the next start begins with one.
            Payload::Repositories => {
                self.asks_for_sweep = true;
                Ok("looking which repositories there are".to_owned())
            }
            Payload::Push {
                source,
                branch,
                head,
            } => self.push(txn, &source, &branch, head),
            Payload::Pull {
                source,
                number,
                head,
            } => self.pull(txn, &source, number, head),
            Payload::PullComment {
                source,
                number,
                comment,
            } => self.comment(txn, &source, comment, CommentPlace::Pull { number }),
            Payload::CommitComment {
                source,
                commit,
                comment,
            } => self.comment(txn, &source, comment, CommentPlace::Commit { commit }),
            Payload::Rerun {
                source,
                sender,
                build,
            } => self.press(txn, &source, sender, Button::Rerun { build }),
            Payload::Act {
                source,
                sender,
                build,
                command,
            } => self.press(txn, &source, sender, Button::Act { build, command }),
            Payload::RerunAll {
                source,
                sender,
                commit,
            } => self.press(txn, &source, sender, Button::RerunAll { commit }),
        }
    }

    fn push(
        &mut self,
        txn: &mut RwTxn<'_>,
        source: &Source,
        branch: &str,
        head: Option<Reported>,
    ) -> Result<String, Error> {
        let Some((id, row)) = self.repository(txn, source)? else {
            return Ok(uninstalled());
        };
        let target = Target::of_branch(branch);
        let is_group = matches!(target, Target::Group { .. });
        // A push to a base branch can make a pull request conflict.
        let is_looked_at =
            is_group || branch == row.default_branch || is_base(self.tables, txn, id, branch)?;
        if !is_looked_at {
            return Ok(format!(
                "the branch {branch:?} is not published, and no pull request goes to it"
            ));
        }
        self.wish(txn, id, source, &target, head)
    }

    fn pull(
        &mut self,
        txn: &mut RwTxn<'_>,
        source: &Source,
        number: u64,
        head: Option<Reported>,
    ) -> Result<String, Error> {
        let Some((id, _)) = self.repository(txn, source)? else {
            return Ok(uninstalled());
        };
        self.wish(txn, id, source, &Target::Pull { number }, head)
    }

    /// The row of the delivery's repository. Webhooks come late and more than once, so the
    /// delivery's own description may be outdated. If it differs from the row, a sweep asks GitHub.
    /// A new repository gets a row from the delivery until then.
    fn repository(
        &mut self,
        txn: &mut RwTxn<'_>,
        source: &Source,
    ) -> Result<Option<(RepositoryId, Repository)>, Error> {
        let Some(installation) = &source.installation else {
            return Ok(None);
        };
        let id = source.repository.id;
        let said = source.repository.clone().into_row(installation.id);
        let row = match self.tables.repositories.find(txn, &id.number())? {
            Some(known) => {
                self.asks_for_sweep = known != said;
                known
            }
            None => {
                self.asks_for_sweep = true;
                self.tables.repositories.put(txn, &id.number(), &said)?;
                said
            }
        };
        Ok(Some((id, row)))
    }

    fn wish(
        &mut self,
        txn: &mut RwTxn<'_>,
        id: RepositoryId,
        source: &Source,
        target: &Target,
        head: Option<Reported>,
    ) -> Result<String, Error> {
        self.tables.wish(txn, id, target)?;
        if let Some(head) = head {
            self.tables.report_head(txn, id, target, head)?;
        }
        self.work = Some(Work::Look);
        Ok(format!(
            "looking at {target} of {}",
            source.repository.full_name
        ))
    }

    fn comment(
        &mut self,
        txn: &mut RwTxn<'_>,
        source: &Source,
        comment: Comment,
        place: CommentPlace,
    ) -> Result<String, Error> {
        if command::read(&comment.body).is_none() {
            return Ok("the comment holds no command".to_owned());
        }
        let Some((id, _)) = self.repository(txn, source)? else {
            return Ok(uninstalled());
        };
        let Some(author) = comment.user else {
            return Ok("the comment has no author".to_owned());
        };
        if author.is_bot() {
            return Ok("bots command nothing".to_owned());
        }
        let key = command_key(id, &place, comment.id);
        if self.tables.commands.contains(txn, &key)? {
            return Ok("the command is known".to_owned());
        }
        let row = Command {
            repository: id,
            comment: comment.id,
            author: author.id,
            login: author.login,
            text: comment.body,
            place,
            receipt: None,
            progress: None,
            answered: false,
            taken_at: Some(self.received_at),
            written_at: comment.created_at,
            mark: Some(Uuid::new_v4()),
        };
        self.tables.commands.put(txn, &key, &row)?;
        self.work = Some(Work::Command);
        Ok("the command is taken".to_owned())
    }

    /// Stores the press. The person's role is read when summit acts on it.
    fn press(
        &mut self,
        txn: &mut RwTxn<'_>,
        source: &Source,
        sender: Option<Author>,
        button: Button,
    ) -> Result<String, Error> {
        let Some((repository, _)) = self.repository(txn, source)? else {
            return Ok(uninstalled());
        };
        let Some(sender) = sender else {
            return Ok("nobody pressed the button".to_owned());
        };
        let press = Press {
            repository,
            person: sender.id,
            login: sender.login,
            button,
            progress: None,
        };
        self.tables
            .presses
            .put(txn, &self.guid.to_owned(), &press)?;
        self.work = Some(Work::Press);
        Ok("the button is taken".to_owned())
    }
}

/// True when an open pull request is to be merged into `branch`.
fn is_base(
    tables: &Tables,
    txn: &RoTxn<'_>,
    repository: RepositoryId,
    branch: &str,
) -> Result<bool, Error> {
    let base = (repository.number(), branch.to_owned());
    let mut pulls = tables.merges_by_base.keys(txn, &base)?;
    Ok(pulls.next().transpose()?.is_some())
}

fn uninstalled() -> String {
    "it names no installation".to_owned()
}

#[cfg(test)]
mod tests;
