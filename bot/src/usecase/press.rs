//! Does what people ask for with the buttons of check runs and check suites.
//!
//! GitHub offers these buttons to those who may write. Whether the person still may is asked when
//! the press is acted on, by the numeric user id, as for a comment. New check runs show what was
//! begun; why nothing was, the summary of the old one says.

use std::sync::Arc;

use api::id::BuildId;
use jiff::Timestamp;
use moss_db::{Error as StorageError, RwTxn};
use service::error::Chain;

use super::rebuild::{self, Rebuilt};
use super::worker::{self, Round};
use super::{AskError, Summit};
use crate::db::{Button, Press, Tables};
use crate::domain::build::{Answer, NotAgain};
use crate::github::Authorised;

pub(super) async fn work(summit: Arc<Summit>) {
    worker::run(&summit.wakes.presses, "presses", || summit.run_presses()).await;
}

impl Summit {
    /// Acts on what is open.
    async fn run_presses(&self) -> Result<Round, StorageError> {
        let tables = self.tables.clone();
        let open: Vec<(String, Press)> = self
            .db
            .query(move |txn| {
                tables
                    .presses
                    .iter(txn)?
                    .collect::<Result<_, StorageError>>()
            })
            .await?;
        let mut round = Round::Done;
        for (guid, press) in open {
            if let Err(error) = self.run_press(&guid, press).await {
                tracing::warn!(delivery.id = guid, error = %Chain(&error), "a press waits");
                round = Round::Later;
            }
        }
        Ok(round)
    }

    async fn run_press(&self, guid: &str, press: Press) -> Result<(), AskError> {
        let login = press.login.clone();
        let authorised = self.authorise(press).await?;
        let tables = self.tables.clone();
        let now = self.clock.now();
        let key = guid.to_owned();
        let outcome = self
            .db
            .submit(move |txn| {
                tables.presses.delete(txn, &key)?;
                match authorised {
                    Some(press) => obey(&tables, txn, &press, now),
                    None => Ok(format!("{login} may not write")),
                }
            })
            .await?;
        tracing::info!(delivery.id = guid, "button: {outcome}");
        self.builds_moved();
        Ok(())
    }

    /// Proof that the person may have what was pressed, if so.
    async fn authorise(&self, press: Press) -> Result<Option<Authorised<Press>>, AskError> {
        let tables = self.tables.clone();
        let id = press.repository.number();
        let repository = self
            .db
            .query(move |txn| tables.repositories.find(txn, &id))
            .await?;
        let Some(repository) = repository else {
            return Ok(None);
        };
        match self.app.find_role(&repository, press.person).await {
            Ok(role) => Ok(role.and_then(|(_, role)| role.authorise(press))),
            // Asked again, GitHub would refuse again; the person can press again.
            Err(error) if error.is_permanent() => {
                tracing::warn!(%error, "GitHub does not say what a person may");
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Does what a person with write access pressed; returns what that was, for people.
fn obey(
    tables: &Tables,
    txn: &mut RwTxn<'_>,
    authorised: &Authorised<Press>,
    now: Timestamp,
) -> Result<String, StorageError> {
    let press = authorised.asked();
    match &press.button {
        Button::Rerun { build } => {
            let build = tables.builds.find(txn, build)?;
            let Some(build) = build.filter(|build| build.repository == press.repository) else {
                return Ok("the build is not known".to_owned());
            };
            let id = build.id;
            let asked = authorised.comes_to(build);
            Ok(match rebuild::build(tables, txn, &asked, now)? {
                Ok(new) => format!("building again as {new}"),
                Err(reason) => {
                    answer(tables, txn, press, id, reason, now)?;
                    reason.explain().to_owned()
                }
            })
        }
        Button::RerunAll { commit } => {
            let head = rebuild::Head {
                repository: press.repository,
                commit: *commit,
            };
            let rebuilt = rebuild::head(tables, txn, &authorised.comes_to(head), now)?;
            Ok(match rebuilt {
                Rebuilt::Builds { begun, .. } => format!("building {} again", begun.len()),
                Rebuilt::Nothing(reasons) => {
                    for (build, reason) in reasons {
                        answer(tables, txn, press, build, reason, now)?;
                    }
                    "nothing to build again".to_owned()
                }
                Rebuilt::Unapproved { author } => format!("{author} may not write"),
            })
        }
    }
}

/// Lets the build's check run say why nothing was begun.
fn answer(
    tables: &Tables,
    txn: &mut RwTxn<'_>,
    press: &Press,
    build: BuildId,
    reason: NotAgain,
    now: Timestamp,
) -> Result<(), StorageError> {
    let Some(mut build) = tables.builds.find(txn, &build)? else {
        return Ok(());
    };
    build.answer = Some(Answer {
        login: press.login.clone(),
        at: now,
        reason,
    });
    build.seq += 1;
    tables.builds.put(txn, &build.id, &build)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::tests::store;
    use crate::domain::build::example::{at, build, failure, id};
    use crate::domain::build::{FailureKind, State};
    use crate::domain::name::{RepositoryId, UserId};
    use crate::github::Role;

    #[test]
    fn a_rerun_needs_a_build_of_that_repository() {
        let store = store();
        let mut foreign = build(1, "nano");
        foreign.repository = RepositoryId::new(2);
        let mut failed = build(2, "nano");
        failed.state = State::Failed(failure(FailureKind::Attempt, None));
        failed.seq = 4;
        store.put(&[&foreign, &failed]);
        let rerun = |number| {
            let press = Press {
                repository: RepositoryId::new(1),
                person: UserId::new(3),
                login: "ada".to_owned(),
                button: Button::Rerun { build: id(number) },
            };
            let press = Role::writer().authorise(press).unwrap();
            let ran = store
                .env
                .write(|txn| obey(&store.tables, txn, &press, at(1)));
            ran.unwrap()
        };
        assert_eq!(rerun(1), "the build is not known");
        assert_eq!(rerun(9), "the build is not known");
        assert!(rerun(2).starts_with("building again as "));
        // Pressed twice, the second finds that a newer build is under way, and is told.
        assert_eq!(store.find(id(2)).answer, None);
        assert_eq!(rerun(2), NotAgain::Older.explain());
        let answered = store.find(id(2));
        let answer = answered.answer.clone().unwrap();
        assert_eq!(
            (answer.login.as_str(), answer.reason),
            ("ada", NotAgain::Older)
        );
        assert_eq!(answered.seq, failed.seq + 1, "its check run is to say so");
    }
}
