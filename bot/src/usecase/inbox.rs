//! From a delivery to what it asks for, in one transaction.

use std::sync::Arc;

use moss_db::{Error, RoTxn};
use uuid::Uuid;

use super::Summit;
use super::command;
use super::worker::{self, Round};
use crate::db::{Button, Command, Delivery, Place, Press, Repository, Tables, Write};
use crate::domain::build::Target;
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
            .submit(move |txn| {
                let open: Vec<String> = tables
                    .deliveries_open
                    .iter(txn)?
                    .take(BATCH)
                    .map(|entry| Ok(entry?.1))
                    .collect::<Result<_, Error>>()?;
                let mut asks_for_sweep = false;
                for guid in &open {
                    let Some(mut delivery) = tables.deliveries.find(txn, guid)? else {
                        continue;
                    };
                    asks_for_sweep |= payload::is_about_repositories(&delivery.event);
                    let outcome = match take(&tables, txn, &organisation, guid, &delivery)? {
                        Ok(Taken { outcome, is_news }) => {
                            asks_for_sweep |= is_news;
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
                Ok::<_, Error>((open.len(), asks_for_sweep))
            })
            .await?;
        let (taken, asks_for_sweep) = taken;
        if taken == 0 {
            return Ok(Round::Done);
        }
        if asks_for_sweep {
            self.wakes.sweep.wake();
        }
        self.wakes.looks.wake();
        self.wakes.commands.wake();
        self.wakes.presses.wake();
        Ok(Round::More)
    }
}

fn forget(tables: &Tables, txn: &mut Write<'_, '_>, before: i64) -> Result<(), Error> {
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

/// What became of a delivery.
struct Taken {
    /// In words, for people.
    outcome: String,
    /// Whether it says of its repository what we did not know.
    is_news: bool,
}

impl From<String> for Taken {
    fn from(outcome: String) -> Self {
        Self {
            outcome,
            is_news: false,
        }
    }
}

/// Does what one delivery asks for. An error within when its body cannot be read.
fn take(
    tables: &Tables,
    txn: &mut Write<'_, '_>,
    organisation: &str,
    guid: &str,
    delivery: &Delivery,
) -> Result<Result<Taken, serde_json::Error>, Error> {
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
        let outcome = format!(
            "{} is none of {organisation}'s repositories",
            source.repository.full_name
        );
        return Ok(Ok(outcome.into()));
    }
    let mut inbox = Inbox {
        tables,
        guid,
        delivery,
        is_news: false,
    };
    let outcome = inbox.heed(txn, payload)?;
    let is_news = inbox.is_news;
    Ok(Ok(Taken { outcome, is_news }))
}

/// A delivery that is being taken.
struct Inbox<'a> {
    tables: &'a Tables,
    guid: &'a str,
    delivery: &'a Delivery,
    /// Whether it says of its repository what we did not know.
    is_news: bool,
}

impl Inbox<'_> {
    fn heed(&mut self, txn: &mut Write<'_, '_>, payload: Payload) -> Result<String, Error> {
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

    fn push(
        &mut self,
        txn: &mut Write<'_, '_>,
        source: &Source,
        branch: String,
    ) -> Result<String, Error> {
        let Some((id, row)) = self.repository(txn, source)? else {
            return Ok(uninstalled());
        };
        // Pull requests that go to a branch may conflict with it now.
        if branch != row.default_branch && !is_base(self.tables, txn, id, &branch)? {
            return Ok(format!(
                "the branch {branch:?} is not published, and no pull request goes to it"
            ));
        }
        self.wish(txn, id, source, &Target::Branch { name: branch })
    }

    fn pull(
        &mut self,
        txn: &mut Write<'_, '_>,
        source: &Source,
        number: u64,
    ) -> Result<String, Error> {
        let Some((id, _)) = self.repository(txn, source)? else {
            return Ok(uninstalled());
        };
        self.wish(txn, id, source, &Target::Pull { number })
    }

    /// What we know of the delivery's repository. What it says itself may be long out of date, as
    /// webhooks come late and again: where it says what we did not know, GitHub is asked. Until then
    /// one that is first heard of is kept as it says.
    fn repository(
        &mut self,
        txn: &mut Write<'_, '_>,
        source: &Source,
    ) -> Result<Option<(RepositoryId, Repository)>, Error> {
        let Some(installation) = &source.installation else {
            return Ok(None);
        };
        let id = source.repository.id;
        let said = source.repository.clone().into_row(installation.id);
        let row = match self.tables.repositories.find(txn, &id.number())? {
            Some(known) => {
                self.is_news = known != said;
                known
            }
            None => {
                self.is_news = true;
                self.tables.repositories.put(txn, &id.number(), &said)?;
                said
            }
        };
        Ok(Some((id, row)))
    }

    fn wish(
        &self,
        txn: &mut Write<'_, '_>,
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
        &mut self,
        txn: &mut Write<'_, '_>,
        source: &Source,
        comment: Comment,
        place: Place,
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
            receipt: None,
            progress: None,
            answered: false,
            taken_at: Some(self.delivery.received_at),
            mark: Some(Uuid::new_v4()),
        };
        self.tables.commands.put(txn, &key, &row)?;
        Ok("the command is taken".to_owned())
    }

    /// Keeps what was pressed; whether the person may is asked when it is acted on.
    fn press(
        &mut self,
        txn: &mut Write<'_, '_>,
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

#[cfg(test)]
mod tests;
