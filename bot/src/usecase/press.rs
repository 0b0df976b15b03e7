//! Acts on the buttons of check runs and check suites.
//!
//! GitHub offers these buttons to people who may write. The role is read again when summit acts on
//! the press, by the numeric user id, as for a comment. New check runs show what was begun. If
//! nothing was, the old check run's summary says why.

use std::sync::Arc;

use api::id::BuildId;
use jiff::Timestamp;
use moss_db::{Error as StorageError, RoTxn};
use service::error::Chain;

use super::command;
use super::rebuild;
use super::worker::{self, Round};
use super::{AskError, Summit};
use crate::db::{Button, Press, Progress, Tables, Write};
use crate::domain::build::{Answer, NoRebuild};
use crate::domain::head::HeadId;
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
        let mut settled = Vec::with_capacity(open.len());
        for (guid, press) in open {
            match self.settle_press(&guid, press).await {
                Ok(press) => settled.push((guid, press)),
                Err(error) => {
                    tracing::error!(delivery.id = guid, error = %Chain(&error), "a press cannot go on");
                    round = Round::Later;
                }
            }
        }
        for (guid, press) in settled {
            if let Err(error) = self.run_press(&guid, press).await {
                tracing::warn!(delivery.id = guid, error = %Chain(&error), "a press failed");
                round = Round::Later;
            }
        }
        Ok(round)
    }

    async fn run_press(&self, guid: &str, press: Press) -> Result<(), AskError> {
        let Some(press) = self.authorise(press.clone()).await? else {
            let outcome = format!("{} may not write", press.login);
            return Ok(self.finish_press(guid, press, Vec::new(), &outcome).await?);
        };
        let part = match &press.asked().button {
            Button::Rerun { .. } | Button::RerunAll { .. } => rebuild::part,
            Button::Act { command, .. } => match command::of_button(command) {
                Some(change) => change.part,
                None => {
                    let asked = press.asked().clone();
                    let outcome = "no command has this button";
                    return Ok(self.finish_press(guid, asked, Vec::new(), outcome).await?);
                }
            },
        };
        let tables = self.tables.clone();
        let asked = press.asked().clone();
        let chosen = self.db.query(move |txn| choose(&tables, txn, &asked));
        let Some(progress) = chosen.await? else {
            let asked = press.asked().clone();
            let outcome = "the build is not known";
            return Ok(self.finish_press(guid, asked, Vec::new(), outcome).await?);
        };
        let now = self.clock.now();
        let (writer, press) = (press.comes_to(()), press.asked().clone());
        let login = press.login.clone();
        let part = move |tables: &Tables, txn: &mut Write<'_, '_>, progress| {
            part(tables, txn, &writer.comes_to(progress), &login, now)
        };
        let keep = keep_with(guid, press.clone());
        let progress = self
            .advance(progress, Progress::is_done, part, keep)
            .await?;
        let (refused, outcome) = match progress.done.len() {
            0 => (progress.refused, "nothing was done".to_owned()),
            count => (Vec::new(), format!("{count} builds")),
        };
        Ok(self.finish_press(guid, press, refused, &outcome).await?)
    }

    /// Makes the check runs of the refused builds say why, and removes the press.
    async fn finish_press(
        &self,
        guid: &str,
        press: Press,
        refused: Vec<(BuildId, Option<NoRebuild>)>,
        outcome: &str,
    ) -> Result<(), StorageError> {
        let now = self.clock.now();
        let mut parts = refused.chunks(Progress::PART).peekable();
        loop {
            let part = parts.next().unwrap_or_default().to_vec();
            let is_last = parts.peek().is_none();
            let (tables, press, key) = (self.tables.clone(), press.clone(), guid.to_owned());
            self.submit(move |txn| {
                for (id, reason) in part {
                    if let Some(reason) = reason {
                        answer(&tables, txn, &press, id, reason, now)?;
                    }
                }
                if is_last {
                    tables.presses.delete(txn, &key)?;
                }
                Ok::<_, StorageError>(())
            })
            .await?;
            if is_last {
                break;
            }
        }
        tracing::info!(delivery.id = guid, "button: {outcome}");
        Ok(())
    }

    /// Finishes what an earlier process began, before GitHub is asked for anything; see
    /// [`rebuild::settle`].
    async fn settle_press(&self, guid: &str, mut press: Press) -> Result<Press, StorageError> {
        if let Some(progress) = press.progress.take() {
            let now = self.clock.now();
            let settle = move |tables: &Tables, txn: &mut Write<'_, '_>, progress| {
                rebuild::settle(tables, txn, progress, now)
            };
            let keep = keep_with(guid, press.clone());
            let settled = self.advance(progress, Progress::is_settled, settle, keep);
            press.progress = Some(settled.await?);
        }
        Ok(press)
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

/// Stores the progress of a press in its row.
fn keep_with(
    guid: &str,
    press: Press,
) -> impl Fn(&Tables, &mut Write<'_, '_>, &Progress) -> Result<(), StorageError> + use<> {
    let key = guid.to_owned();
    move |tables, txn, progress| {
        let row = Press {
            progress: Some(progress.clone()),
            ..press.clone()
        };
        tables.presses.put(txn, &key, &row)
    }
}

/// The builds that the press is about; `None` if the press names a build that is not known.
fn choose(
    tables: &Tables,
    txn: &RoTxn<'_>,
    press: &Press,
) -> Result<Option<Progress>, StorageError> {
    if let Some(progress) = &press.progress {
        return Ok(Some(progress.clone()));
    }
    let chosen = match &press.button {
        Button::Rerun { build } | Button::Act { build, .. } => {
            let build = tables.find_build(txn, *build)?;
            let build = build.filter(|build| build.repository == press.repository);
            match build {
                Some(build) => vec![build],
                None => return Ok(None),
            }
        }
        Button::RerunAll { commit } => {
            let head = HeadId {
                repository: press.repository,
                commit: *commit,
            };
            rebuild::choose(tables, txn, head)?
        }
    };
    Ok(Some(Progress::of(&chosen)))
}

/// Makes the build's check run say why nothing was begun.
fn answer(
    tables: &Tables,
    txn: &mut Write<'_, '_>,
    press: &Press,
    build: BuildId,
    reason: NoRebuild,
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
            let read = store.env.read(|txn| choose(&store.tables, txn, &press));
            let progress = Role::writer().authorise(read.unwrap()?).unwrap();
            let done =
                store.write(|txn| rebuild::part(&store.tables, txn, &progress, "ada", at(1)));
            let done = done.unwrap();
            assert!(done.is_done(), "{done:?} of one build");
            for (id, reason) in &done.refused {
                let reason = reason.unwrap();
                let change = |txn: &mut Write<'_, '_>| {
                    answer(&store.tables, txn, &press, *id, reason, at(1))
                };
                store.write(change).unwrap();
            }
            Some(done.done.len())
        };
        assert_eq!(rerun(1), None);
        assert_eq!(rerun(9), None);
        assert_eq!(rerun(2), Some(1));
        // After a second press, a newer build is under way, and the check run says so.
        assert_eq!(store.find(id(2)).answer, None);
        assert_eq!(rerun(2), Some(0));
        let answered = store.find(id(2));
        let answer = answered.answer.clone().unwrap();
        assert_eq!(
            (answer.login.as_str(), answer.reason),
            ("ada", NoRebuild::HasNewer)
        );
        assert_eq!(answered.seq, failed.seq + 1, "its check run is to say so");
    }
}
