//! Does what people ask for with the buttons of check runs and check suites.
//!
//! GitHub offers these buttons to those who may write. Whether the person still may is asked when
//! the press is acted on, by the numeric user id, as for a comment. There is nothing to answer on:
//! new check runs show what was begun, and a refusal is logged.

use std::sync::Arc;

use jiff::Timestamp;
use moss_db::{Error as StorageError, RwTxn};
use service::error::Chain;

use super::rebuild::{self, Rebuilt};
use super::worker::{self, Round};
use super::{AskError, Summit};
use crate::db::{Button, Press, Tables};

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
        let may = self.may_press(&press).await?;
        let tables = self.tables.clone();
        let now = self.clock.now();
        let key = guid.to_owned();
        let outcome = self
            .db
            .submit(move |txn| {
                tables.presses.delete(txn, &key)?;
                if may {
                    obey(&tables, txn, &press, now)
                } else {
                    Ok(format!("{} may not write", press.login))
                }
            })
            .await?;
        tracing::info!(delivery.id = guid, "button: {outcome}");
        self.builds_moved();
        Ok(())
    }

    async fn may_press(&self, press: &Press) -> Result<bool, AskError> {
        let tables = self.tables.clone();
        let id = press.repository.number();
        let repository = self
            .db
            .query(move |txn| tables.repositories.find(txn, &id))
            .await?;
        let Some(repository) = repository else {
            return Ok(false);
        };
        match self.app.find_role(&repository, press.person).await {
            Ok(role) => Ok(role.is_some_and(|(_, role)| role.may_write())),
            // Asked again, GitHub would refuse again; the person can press again.
            Err(error) if error.is_permanent() => {
                tracing::warn!(%error, "GitHub does not say what a person may");
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Does what a person with write access pressed; returns what that was, for people.
fn obey(
    tables: &Tables,
    txn: &mut RwTxn<'_>,
    press: &Press,
    now: Timestamp,
) -> Result<String, StorageError> {
    match &press.button {
        Button::Rerun { build } => {
            let build = tables.builds.find(txn, build)?;
            let Some(build) = build.filter(|build| build.repository == press.repository) else {
                return Ok("the build is not known".to_owned());
            };
            Ok(match rebuild::one(tables, txn, &build, now)? {
                Some(new) => format!("building again as {new}"),
                None => "the build cannot be built again".to_owned(),
            })
        }
        Button::RerunAll { commit } => {
            let rebuilt = rebuild::head(tables, txn, press.repository, *commit, now)?;
            Ok(match rebuilt {
                Rebuilt::Builds(builds) => format!("building {} again", builds.len()),
                Rebuilt::Nothing => "nothing to build again".to_owned(),
                Rebuilt::Unapproved { author } => format!("{author} may not write"),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::tests::store;
    use crate::domain::build::example::{at, build, failure, id};
    use crate::domain::build::{FailureKind, State};
    use crate::domain::name::{RepositoryId, UserId};

    #[test]
    fn a_rerun_needs_a_build_of_that_repository() {
        let store = store();
        let mut foreign = build(1, "nano");
        foreign.repository = RepositoryId::new(2);
        let mut failed = build(2, "nano");
        failed.state = State::Failed(failure(FailureKind::Attempt, None));
        store.put(&[&foreign, &failed]);
        let rerun = |number| {
            let press = Press {
                repository: RepositoryId::new(1),
                person: UserId::new(3),
                login: "ada".to_owned(),
                button: Button::Rerun { build: id(number) },
            };
            let ran = store
                .env
                .write(|txn| obey(&store.tables, txn, &press, at(1)));
            ran.unwrap()
        };
        assert_eq!(rerun(1), "the build is not known");
        assert_eq!(rerun(9), "the build is not known");
        assert!(rerun(2).starts_with("building again as "));
        // Pressed twice, the second finds that a newer build is under way.
        assert_eq!(rerun(2), "the build cannot be built again");
    }
}
