//! Acts on the buttons of check runs and check suites.
//!
//! GitHub offers these buttons to people who may write. The role is read again when summit acts on
//! the press, by the numeric user id, as for a comment. New check runs show what was begun. If
//! nothing was, the old check run's summary says why.

use std::sync::Arc;

use api::id::BuildId;
use jiff::Timestamp;
use moss_db::Error as StorageError;
use service::error::Chain;

use super::rebuild::{self, Rebuilt};
use super::worker::{self, Round};
use super::{AskError, Summit};
use crate::db::{Button, Press, Progress, Tables, Write};
use crate::domain::build::{Answer, NotAgain};
use crate::github::Authorised;

pub(super) async fn work(summit: Arc<Summit>) {
    worker::run(&summit.wakes.presses, "presses", || summit.run_presses()).await;
}

impl Summit {
    /// Acts on the open presses.
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
                tracing::warn!(delivery.id = guid, error = %Chain(&error), "a press failed");
                round = Round::Later;
            }
        }
        Ok(round)
    }

    async fn run_press(&self, guid: &str, press: Press) -> Result<(), AskError> {
        let login = press.login.clone();
        let authorised = self.authorise(press).await?;
        let now = self.clock.now();
        let key = guid.to_owned();
        let mut progress = None;
        let outcome = loop {
            let (tables, key) = (self.tables.clone(), key.clone());
            let press = authorised.as_ref();
            let press = press.map(|press| press.comes_to(press.asked().clone()));
            let login = login.clone();
            let step = self
                .submit(move |txn| {
                    let step = match &press {
                        Some(press) => obey(&tables, txn, press, progress, now)?,
                        None => Step::Done(format!("{login} may not write")),
                    };
                    match &step {
                        Step::Done(_) => drop(tables.presses.delete(txn, &key)?),
                        Step::More(progress) => {
                            if let Some(mut row) = tables.presses.find(txn, &key)? {
                                row.progress = Some(progress.clone());
                                tables.presses.put(txn, &key, &row)?;
                            }
                        }
                    }
                    Ok::<_, StorageError>(step)
                })
                .await?;
            match step {
                Step::Done(outcome) => break outcome,
                Step::More(more) => progress = Some(more),
            }
        };
        tracing::info!(delivery.id = guid, "button: {outcome}");
        Ok(())
    }

    /// Proof that the person may write; `None` if not.
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
            // A retry would be refused again. The person can press again.
            Err(error) if error.is_permanent() => {
                tracing::warn!(%error, "a person's role is unknown");
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// What one transaction did for a press.
enum Step {
    /// It did a part; more is left.
    More(Progress),
    /// It finished the press; the text says how, for people.
    Done(String),
}

/// Acts on the press of a person with write access, continuing from `progress`.
fn obey(
    tables: &Tables,
    txn: &mut Write<'_, '_>,
    authorised: &Authorised<Press>,
    progress: Option<Progress>,
    now: Timestamp,
) -> Result<Step, StorageError> {
    let press = authorised.asked();
    let login = press.login.as_str();
    match &press.button {
        Button::Rerun { build } => {
            let build = tables.find_build(txn, *build)?;
            let Some(build) = build.filter(|build| build.repository == press.repository) else {
                return Ok(Step::Done("the build is not known".to_owned()));
            };
            let id = build.id;
            let asked = authorised.comes_to(build);
            Ok(Step::Done(
                match rebuild::build(tables, txn, &asked, login, now)? {
                    Ok(new) => format!("building again as {new}"),
                    Err(reason) => {
                        answer(tables, txn, press, id, reason, now)?;
                        reason.explain().to_owned()
                    }
                },
            ))
        }
        Button::RerunAll { commit } => {
            let head = rebuild::Head {
                repository: press.repository,
                commit: *commit,
            };
            let progress = match progress.or_else(|| press.progress.clone()) {
                Some(progress) => progress,
                None => Progress::of(&rebuild::choose(tables, txn, head)?),
            };
            let asked = authorised.comes_to(progress);
            let progress = rebuild::part(tables, txn, &asked, login, now)?;
            if !progress.left.is_empty() {
                return Ok(Step::More(progress));
            }
            let rebuilt = rebuild::outcome(tables, txn, progress)?;
            Ok(Step::Done(match rebuilt {
                Rebuilt::Builds { begun, .. } => format!("building {} again", begun.len()),
                Rebuilt::Nothing(reasons) => {
                    for (build, reason) in reasons {
                        answer(tables, txn, press, build.id, reason, now)?;
                    }
                    "nothing to build again".to_owned()
                }
                Rebuilt::Unapproved { author } => format!("{author} may not write"),
            }))
        }
    }
}

/// Makes the build's check run say why nothing was begun.
fn answer(
    tables: &Tables,
    txn: &mut Write<'_, '_>,
    press: &Press,
    build: BuildId,
    reason: NotAgain,
    now: Timestamp,
) -> Result<(), StorageError> {
    let Some(mut build) = tables.find_build(txn, build)? else {
        return Ok(());
    };
    build.answer = Some(Answer {
        login: press.login.clone(),
        at: now,
        reason,
    });
    build.seq += 1;
    tables.put_build(txn, &build)
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
                progress: None,
            };
            let press = Role::writer().authorise(press).unwrap();
            let ran = store.write(|txn| obey(&store.tables, txn, &press, None, at(1)));
            match ran.unwrap() {
                Step::Done(outcome) => outcome,
                Step::More(progress) => panic!("{progress:?} of one build"),
            }
        };
        assert_eq!(rerun(1), "the build is not known");
        assert_eq!(rerun(9), "the build is not known");
        assert!(rerun(2).starts_with("building again as "));
        // After a second press, a newer build is under way, and the check run says so.
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
