//! From a delivery to what it asks for, in one transaction.

use std::sync::Arc;

use moss_db::{Error, RoTxn, RwTxn};

use super::Summit;
use super::worker::{self, Round};
use crate::db::{Button, Command, Delivery, Place, Press, Repository, Tables};
use crate::domain::build::Target;
use crate::domain::command;
use crate::domain::name::RepositoryId;
use crate::github::payload::{self, Author, Comment, Payload, Source};

/// How many deliveries one transaction takes.
const BATCH: usize = 64;

/// Done deliveries are remembered this long, in seconds: GitHub redelivers for three days.
const KEPT: i64 = 30 * 24 * 3600;

pub(super) async fn work(summit: Arc<Summit>) {
    worker::run(&summit.wakes.inbox, "the inbox", || {
        summit.take_deliveries()
    })
    .await;
}

impl Summit {
    /// Does what the oldest deliveries ask for.
    async fn take_deliveries(&self) -> Result<Round, Error> {
        let tables = self.tables.clone();
        let now = self.clock.now();
        let organisation = self.config.github.organisation.clone();
        let taken = self
            .db
            .submit(move |txn| {
                let open: Vec<String> = tables
                    .deliveries_open
                    .iter(txn)?
                    .take(BATCH)
                    .map(|entry| Ok(entry?.1))
                    .collect::<Result<_, Error>>()?;
                let mut is_about_repositories = false;
                for guid in &open {
                    let Some(mut delivery) = tables.deliveries.find(txn, guid)? else {
                        continue;
                    };
                    is_about_repositories |= payload::is_about_repositories(&delivery.event);
                    let outcome = match take(&tables, txn, &organisation, guid, &delivery)? {
                        Ok(outcome) => {
                            tracing::info!(
                                delivery.id = guid,
                                delivery.event,
                                "delivery: {outcome}"
                            );
                            delivery.body = None;
                            outcome
                        }
                        // A sweep finds pushes and pull requests, but neither comments nor presses:
                        // what somebody wanted can be read here as long as the delivery is kept.
                        Err(error) => {
                            tracing::warn!(
                                delivery.id = guid,
                                delivery.event,
                                %error,
                                "a delivery is not as GitHub describes it"
                            );
                            format!("its body is not as described: {error}")
                        }
                    };
                    delivery.outcome = Some(outcome);
                    tables.deliveries.put(txn, guid, &delivery)?;
                }
                forget(&tables, txn, now.as_second() - KEPT)?;
                Ok::<_, Error>((open.len(), is_about_repositories))
            })
            .await?;
        let (taken, is_about_repositories) = taken;
        if taken == 0 {
            return Ok(Round::Done);
        }
        if is_about_repositories {
            self.wakes.sweep.wake();
        }
        self.wakes.looks.wake();
        self.wakes.commands.wake();
        self.wakes.presses.wake();
        Ok(Round::More)
    }
}

fn forget(tables: &Tables, txn: &mut RwTxn<'_>, before: i64) -> Result<(), Error> {
    let old: Vec<String> = tables
        .deliveries_by_time
        .iter(txn)?
        .take(BATCH)
        .filter_map(|entry| match entry {
            Ok((time, guid)) if time < before => Some(Ok(guid)),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        })
        .collect::<Result<_, Error>>()?;
    for guid in old {
        let done = tables
            .deliveries
            .find(txn, &guid)?
            .is_some_and(|row| row.outcome.is_some());
        if done {
            tables.deliveries.delete(txn, &guid)?;
        }
    }
    Ok(())
}

/// Does what one delivery asks for; returns what that was, for people. An error within when its body
/// cannot be read.
fn take(
    tables: &Tables,
    txn: &mut RwTxn<'_>,
    organisation: &str,
    guid: &str,
    delivery: &Delivery,
) -> Result<Result<String, serde_json::Error>, Error> {
    let body = delivery.body.as_deref().unwrap_or_default();
    let payload = match Payload::parse(&delivery.event, body) {
        Ok(payload) => payload,
        Err(error) => return Ok(Err(error)),
    };
    // Anyone may install a public App; we build for one organisation.
    if let Some(source) = payload.find_source()
        && !source
            .repository
            .full_name
            .owner()
            .eq_ignore_ascii_case(organisation)
    {
        return Ok(Ok(format!(
            "{} is none of {organisation}'s repositories",
            source.repository.full_name
        )));
    }
    let inbox = Inbox {
        tables,
        guid,
        delivery,
    };
    Ok(Ok(inbox.heed(txn, payload)?))
}

/// A delivery that is being taken.
struct Inbox<'a> {
    tables: &'a Tables,
    guid: &'a str,
    delivery: &'a Delivery,
}

impl Inbox<'_> {
    fn heed(&self, txn: &mut RwTxn<'_>, payload: Payload) -> Result<String, Error> {
        match payload {
            Payload::Nothing { reason } => Ok(reason.to_owned()),
            // The sweep does; each start begins with one, should this process end before.
            Payload::Repositories => Ok("looking which repositories there are".to_owned()),
            Payload::Push { source, branch } => self.push(txn, &source, branch),
            Payload::Pull { source, number } => self.pull(txn, &source, number),
            Payload::PullComment {
                source,
                number,
                comment,
            } => self.comment(txn, &source, comment, Place::Pull { number }),
            Payload::CommitComment {
                source,
                commit,
                comment,
            } => self.comment(txn, &source, comment, Place::Commit { commit }),
            Payload::Rerun {
                source,
                sender,
                build,
            } => self.press(txn, &source, sender, Button::Rerun { build }),
            Payload::RerunAll {
                source,
                sender,
                commit,
            } => self.press(txn, &source, sender, Button::RerunAll { commit }),
        }
    }

    fn push(&self, txn: &mut RwTxn<'_>, source: &Source, branch: String) -> Result<String, Error> {
        let Some(id) = remember(self.tables, txn, source)? else {
            return Ok(uninstalled());
        };
        // Pull requests that go to a branch may conflict with it now.
        if branch != source.repository.default_branch && !is_base(self.tables, txn, id, &branch)? {
            return Ok(format!(
                "the branch {branch:?} is not published, and no pull request goes to it"
            ));
        }
        self.wish(txn, id, source, &Target::Branch { name: branch })
    }

    fn pull(&self, txn: &mut RwTxn<'_>, source: &Source, number: u64) -> Result<String, Error> {
        let Some(id) = remember(self.tables, txn, source)? else {
            return Ok(uninstalled());
        };
        self.wish(txn, id, source, &Target::Pull { number })
    }

    fn wish(
        &self,
        txn: &mut RwTxn<'_>,
        id: RepositoryId,
        source: &Source,
        target: &Target,
    ) -> Result<String, Error> {
        self.tables.wish(txn, id, target)?;
        Ok(format!(
            "looking at {target} of {}",
            source.repository.full_name
        ))
    }

    fn comment(
        &self,
        txn: &mut RwTxn<'_>,
        source: &Source,
        comment: Comment,
        place: Place,
    ) -> Result<String, Error> {
        if command::parse(&comment.body).is_none() {
            return Ok("the comment holds no command".to_owned());
        }
        let Some(id) = remember(self.tables, txn, source)? else {
            return Ok(uninstalled());
        };
        let Some(author) = comment.user else {
            return Ok("the comment has no author".to_owned());
        };
        let key = (id.number(), comment.id.number());
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
            outcome: None,
            answered: false,
            taken_at: Some(self.delivery.received_at),
        };
        self.tables.commands.put(txn, &key, &row)?;
        Ok("the command is taken".to_owned())
    }

    /// Keeps what was pressed; whether the person may is asked when it is acted on.
    fn press(
        &self,
        txn: &mut RwTxn<'_>,
        source: &Source,
        sender: Option<Author>,
        button: Button,
    ) -> Result<String, Error> {
        let Some(repository) = remember(self.tables, txn, source)? else {
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
        };
        self.tables
            .presses
            .put(txn, &self.guid.to_owned(), &press)?;
        Ok("the button is taken".to_owned())
    }
}

/// True when an open pull request goes to `branch`.
fn is_base(
    tables: &Tables,
    txn: &RoTxn<'_>,
    repository: RepositoryId,
    branch: &str,
) -> Result<bool, Error> {
    for row in tables.merges.iter_prefix(txn, &repository.number())? {
        if row?.1.branch == branch {
            return Ok(true);
        }
    }
    Ok(false)
}

fn uninstalled() -> String {
    "it names no installation".to_owned()
}

/// Keeps what a webhook says of its repository: names and default branches change.
fn remember(
    tables: &Tables,
    txn: &mut RwTxn<'_>,
    source: &Source,
) -> Result<Option<RepositoryId>, Error> {
    let Some(installation) = &source.installation else {
        return Ok(None);
    };
    let id = source.repository.id;
    keep_repository(
        tables,
        txn,
        id,
        source.repository.clone().into_row(installation.id),
    )?;
    Ok(Some(id))
}

/// Writes a repository's row when it says something new. What another branch is published of now
/// goes on from what the old one was at.
pub(super) fn keep_repository(
    tables: &Tables,
    txn: &mut RwTxn<'_>,
    id: RepositoryId,
    row: Repository,
) -> Result<(), Error> {
    let before = tables.repositories.find(txn, &id.number())?;
    if before.as_ref() == Some(&row) {
        return Ok(());
    }
    tables.repositories.put(txn, &id.number(), &row)?;
    if let Some(before) = before
        && before.default_branch != row.default_branch
    {
        tables.move_branch(txn, id, before.default_branch, row.default_branch)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
