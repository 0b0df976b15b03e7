//! Takes deliveries from the inbox. The delivery's effect is committed in the same transaction.

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

/// The most deliveries in one transaction.
const BATCH: usize = 256;

/// How long finished deliveries are remembered, in seconds. GitHub redelivers for three days.
const KEPT: i64 = 30 * 24 * 3600;

pub(super) async fn work(summit: Arc<Summit>) {
    worker::run(&summit.wakes.inbox, "the inbox", || {
        summit.take_deliveries()
    })
    .await;
}

impl Summit {
    /// Takes the oldest deliveries. They are read and parsed before the transaction that acts on them, for
    /// which others wait.
    async fn take_deliveries(&self) -> Result<Round, Error> {
        let tables = self.tables.clone();
        let open = self.db.query(move |txn| open(&tables, txn)).await?;
        if open.is_empty() {
            return Ok(Round::Done);
        }
        let tables = self.tables.clone();
        let now = self.clock.now();
        let organisation = self.config.github.organisation.clone();
        let taken = self
            .submit(move |txn| {
                let count = open.len();
                let mut asks_for_sweep = false;
                for (guid, mut delivery, payload) in open {
                    asks_for_sweep |= payload::is_about_repositories(&delivery.event);
                    let taken = match payload {
                        Ok(payload) => Ok(take(
                            &tables,
                            txn,
                            &organisation,
                            &guid,
                            &delivery,
                            payload,
                        )?),
                        Err(error) => Err(error),
                    };
                    let outcome = match taken {
                        Ok(Taken { outcome, is_news }) => {
                            asks_for_sweep |= is_news;
                            tracing::info!(
                                delivery.id = guid,
                                delivery.event,
                                "delivery: {outcome}"
                            );
                            tables.bodies.delete(txn, &guid)?;
                            outcome
                        }
                        // A sweep finds pushes and pull requests, but neither comments nor presses.
                        // The stored body still shows what somebody wanted.
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
                    tables.deliveries.put(txn, &guid, &delivery)?;
                }
                forget(&tables, txn, now.as_second() - KEPT)?;
                Ok::<_, Error>((count, asks_for_sweep))
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

/// A delivery by its GUID, with its payload or why that cannot be parsed.
type Opened = (String, Delivery, Result<Payload, serde_json::Error>);

/// The oldest deliveries that are not done.
fn open(tables: &Tables, txn: &RoTxn<'_>) -> Result<Vec<Opened>, Error> {
    let open = tables.deliveries_open.iter(txn)?.take(BATCH);
    let mut opened = Vec::new();
    for entry in open {
        let (_, guid) = entry?;
        let Some(delivery) = tables.deliveries.find(txn, &guid)? else {
            continue;
        };
        let body = tables.bodies.find(txn, &guid)?;
        let body = body.as_ref().map_or("null", |body| body.get());
        let payload = Payload::parse(&delivery.event, body);
        opened.push((guid, delivery, payload));
    }
    Ok(opened)
}

fn forget(tables: &Tables, txn: &mut Write<'_, '_>, before: i64) -> Result<(), Error> {
    let mut old = Vec::new();
    for entry in tables.deliveries_by_time.iter(txn)?.take(BATCH) {
        match entry? {
            (time, guid) if time < before => old.push(guid),
            _ => break,
        }
    }
    for guid in old {
        let done = tables
            .deliveries
            .find(txn, &guid)?
            .is_some_and(|row| row.outcome.is_some());
        if done {
            tables.deliveries.delete(txn, &guid)?;
            tables.bodies.delete(txn, &guid)?;
        }
    }
    Ok(())
}

/// The result of taking a delivery.
struct Taken {
    /// The result in words, for people.
    outcome: String,
    /// Whether the delivery contradicts the stored row of its repository.
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

/// Takes one delivery.
fn take(
    tables: &Tables,
    txn: &mut Write<'_, '_>,
    organisation: &str,
    guid: &str,
    delivery: &Delivery,
    payload: Payload,
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
    let mut inbox = Inbox {
        tables,
        guid,
        delivery,
        is_news: false,
    };
    let outcome = inbox.heed(txn, payload)?;
    let is_news = inbox.is_news;
    Ok(Taken { outcome, is_news })
}

/// One delivery in its transaction.
struct Inbox<'a> {
    tables: &'a Tables,
    guid: &'a str,
    delivery: &'a Delivery,
    /// Whether the delivery contradicts the stored row of its repository.
    is_news: bool,
}

impl Inbox<'_> {
    fn heed(&mut self, txn: &mut Write<'_, '_>, payload: Payload) -> Result<String, Error> {
        match payload {
            Payload::Nothing { reason } => Ok(reason.to_owned()),
            // The sweep follows. If this process ends first, the next start begins with a sweep.
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
        // A push to a base branch can make a pull request conflict.
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

    /// The row of the delivery's repository. Webhooks come late and more than once, so the
    /// delivery's own description may be outdated. If it differs from the row, a sweep asks GitHub.
    /// A new repository gets a row from the delivery until then.
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

    /// Stores the press. The person's role is read when summit acts on it.
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

/// True when an open pull request is to be merged into `branch`.
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
