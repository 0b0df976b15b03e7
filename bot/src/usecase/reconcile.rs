//! Reconciles GitHub's check runs with the builds.
//!
//! A build whose `seq` is above the shown one needs a write. The check run is computed from the
//! present state, so many moves need one request only. summit looks for a run by our id before it
//! creates one, because it may have created it before a crash. Conclusions go first, since people
//! wait for them. A refused write is stored with its reason and retried, soon at first and then
//! every hour.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use api::id::{AttemptId, BuildId, Sha256};
use jiff::Timestamp;
use moss_db::Error as StorageError;
use service::error::Chain;

use super::wake::IDLE;
use super::worker::{self, Round};
use super::{Summit, command, dispatch};
use crate::db::Repository;
use crate::domain::build::{Build, Refused, Shown, State};
use crate::domain::check_run::{Desired, Status, desired, status};
use crate::domain::name::RepositoryId;
use crate::domain::tail::tail;
use crate::github::{self, Class, Sent, Turn};

/// How many lines and bytes of a log a check run shows.
const TAIL_LINES: usize = 120;
const TAIL_BYTES: usize = 48 * 1024;

pub(super) async fn work(summit: Arc<Summit>) {
    let started_at = summit.clock.now();
    worker::run(&summit.wakes.reconcile, "builds", || {
        summit.show_all(started_at)
    })
    .await;
}

/// Why a check run could not be reconciled.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    GitHub(#[from] github::Error),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Repository(#[from] dispatch::Error),
}

/// How far a check run agrees with its build.
enum Agrees {
    /// It has the desired content.
    Wholly,
    /// Some annotations are missing.
    Partly,
    /// GitHub refuses the write. The duration is the pause before a retry.
    Refused(Duration),
}

impl Summit {
    /// Reconciles all check runs that differ from their builds, once. The desired content is
    /// computed only when a write may go out now.
    async fn show_all(&self, started_at: Timestamp) -> Result<Round, StorageError> {
        let unshown = self.unshown_builds().await?;
        let mut next = Next::default();
        let now = self.clock.now();
        let mut wanted = Vec::with_capacity(unshown.len());
        for build in unshown {
            let refused = build.shown.refused.as_ref();
            let pause = refused.map(|refused| refused.pause(build.seq, started_at, now));
            if let Some(pause) = pause.filter(|pause| !pause.is_zero()) {
                next.after(pause.unsigned_abs());
                continue;
            }
            wanted.push((class(&build), build));
        }
        wanted.sort_by_key(|(class, build)| (*class, build.id));
        let mut spent: Option<(Class, Duration)> = None;
        for (class, build) in wanted {
            // Without a turn for one build, its class has no turn for the others either.
            if let Some((_, pause)) = spent.filter(|(spent, _)| *spent == class) {
                next.after(pause);
                continue;
            }
            let tail = self.log_tail(&build).await;
            let buttons = command::buttons(&build);
            let desired = desired(&build, tail.as_deref(), &self.public_url, buttons);
            let is_said = build.shown.digest.as_deref() == Some(&digest(&desired));
            let turn = if is_said {
                None
            } else {
                match self.app.take_turn(class) {
                    Ok(turn) => Some(turn),
                    Err(pause) => {
                        next.after(pause);
                        spent = Some((class, pause));
                        continue;
                    }
                }
            };
            match self.show(&build, &desired, turn).await {
                Ok(Agrees::Wholly) => {}
                Ok(Agrees::Partly) => next.after(Duration::ZERO),
                Ok(Agrees::Refused(pause)) => next.after(pause),
                Err(Error::GitHub(github::Error::RateLimited { until })) => {
                    let pause = until.duration_since(self.clock.now());
                    return Ok(Round::After(pause.try_into().unwrap_or_default()));
                }
                Err(error) => {
                    tracing::warn!(build.id = %build.id, error = %Chain(&error), "not shown yet");
                    next.failed = true;
                }
            }
        }
        Ok(next.round())
    }

    /// The builds whose check run differs from them, oldest first. Repositories that the App cannot
    /// see are left out until they are back.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unshown_builds(&self) -> Result<Vec<Arc<Build>>, StorageError> {
        let mut unshown: Vec<Arc<Build>> = self.under_way().unshown().cloned().collect();
        if unshown.is_empty() {
            return Ok(unshown);
        }
        let repositories: HashSet<RepositoryId> =
            unshown.iter().map(|build| build.repository).collect();
        let tables = self.tables.clone();
        let gone = self
            .db
            .query(move |txn| {
                let mut gone = HashSet::new();
                for id in repositories {
                    let row = tables.repositories.find(txn, &id.number())?;
                    if row.is_some_and(|row| row.gone_at.is_some()) {
                        gone.insert(id);
                    }
                }
                Ok::<_, StorageError>(gone)
            })
            .await?;
        unshown.retain(|build| !gone.contains(&build.repository));
        Ok(unshown)
    }

    /// Reconciles one check run and stores that it agrees. Without a `turn` nothing has to be sent.
    async fn show(
        &self,
        build: &Build,
        desired: &Desired,
        turn: Option<Turn>,
    ) -> Result<Agrees, Error> {
        let mut shown = build.shown.clone();
        let mut agrees = Agrees::Wholly;
        if let Some(turn) = turn {
            let repository = self.repository(build).await?;
            match self
                .send(turn, build, desired, &repository, &mut shown)
                .await
            {
                Ok(sent) => {
                    shown.refused = None;
                    shown.digest = Some(digest(desired));
                    if !sent.is_annotated(desired) {
                        shown.digest = None;
                        agrees = Agrees::Partly;
                    }
                }
                Err(error) if error.is_permanent() || error.is_forbidden() => {
                    let refused = self.refused(build, &error);
                    let pause = refused.next_at.duration_since(refused.tried_at);
                    agrees = Agrees::Refused(pause.unsigned_abs());
                    shown.refused = Some(refused);
                }
                Err(error) => return Err(error.into()),
            }
        }
        if matches!(agrees, Agrees::Wholly) {
            shown.seq = build.seq;
        }
        self.keep_shown(build.id, shown).await?;
        Ok(agrees)
    }

    /// The stored refusal. A new reason is logged.
    fn refused(&self, build: &Build, error: &github::Error) -> Refused {
        let before = build.shown.refused.as_ref();
        let refused = Refused::again(before, error.to_string(), build.seq, self.clock.now());
        if before.is_none_or(|before| before.reason != refused.reason) {
            tracing::warn!(
                build.id = %build.id,
                error = refused.reason,
                "GitHub refuses a check run; it is retried, at last every hour"
            );
        }
        refused
    }

    /// Stores what GitHub shows. If the build has moved on meanwhile, its check run still differs
    /// and is written again.
    async fn keep_shown(&self, id: BuildId, shown: Shown) -> Result<(), StorageError> {
        let tables = self.tables.clone();
        self.submit(move |txn| {
            if let Some(mut build) = tables.find_build(txn, id)? {
                build.shown = shown;
                tables.put_build(txn, &build)?;
            }
            Ok::<_, StorageError>(())
        })
        .await
    }

    /// Sends one write with the state and as many annotations as one request takes.
    async fn send(
        &self,
        turn: Turn,
        build: &Build,
        desired: &Desired,
        repository: &Repository,
        shown: &mut Shown,
    ) -> Result<Sent, github::Error> {
        let concluded = matches!(desired.status, Status::Completed(_));
        if shown.concluded && !concluded {
            // A concluded run cannot be reopened, so a new run replaces it.
            shown.past.extend(shown.run.take());
            shown.concluded = false;
        }
        let run = loop {
            if let Some(run) = shown.run {
                break run;
            }
            let found = self
                .app
                .find_check_run(
                    repository,
                    build.commit,
                    &desired.name,
                    build.id,
                    &shown.past,
                )
                .await?;
            match found {
                // summit concluded this run before a crash. It cannot be reopened either.
                Some(found) if found.is_completed() && !concluded => shown.past.push(found.id),
                Some(found) => shown.run = Some(found.id),
                None => {
                    let sent = self
                        .app
                        .create_check_run(turn, repository, build.commit, build.id, desired)
                        .await?;
                    shown.run = Some(sent.id);
                    shown.concluded = concluded;
                    return Ok(sent);
                }
            }
        };
        let sent = self
            .app
            .update_check_run(turn, repository, run, desired)
            .await?;
        shown.concluded = concluded;
        Ok(sent)
    }

    /// The end of the log, for a build whose attempt failed.
    async fn log_tail(&self, build: &Build) -> Option<String> {
        if !matches!(build.state, State::Failed(_)) || build.attempts == 0 {
            return None;
        }
        self.log_end(build, TAIL_LINES, TAIL_BYTES).await
    }

    /// The end of the log of a build's newest attempt, as far as it is copied: at most `lines` and
    /// `bytes`, made safe to show. `None` without a log.
    pub async fn log_end(&self, build: &Build, lines: usize, bytes: usize) -> Option<String> {
        let path = self.log_path(AttemptId::new(build.id, build.attempts));
        // Read twice as much, because making it safe removes some bytes.
        let read = move || read_end(&path, bytes as u64 * 2);
        let end = tokio::task::spawn_blocking(read).await.ok()?.ok()?;
        Some(tail(&end, lines, bytes))
    }
}

/// When the next round begins.
#[derive(Debug, Default)]
struct Next {
    soonest: Option<Duration>,
    failed: bool,
}

impl Next {
    fn after(&mut self, pause: Duration) {
        self.soonest = Some(self.soonest.map_or(pause, |soonest| soonest.min(pause)));
    }

    fn round(self) -> Round {
        match self.soonest {
            _ if self.failed => Round::Later,
            Some(pause) => Round::After(pause.min(IDLE)),
            None => Round::Done,
        }
    }
}

/// The class of the next write.
fn class(build: &Build) -> Class {
    let shown = &build.shown;
    match status(build) {
        _ if shown.refused.is_some() => Class::Progress,
        // After a conclusion: more annotations, or a changed conflict.
        Status::Completed(_) if shown.concluded && shown.run.is_some() => Class::Progress,
        Status::Completed(_) => Class::Conclusion,
        Status::Queued | Status::InProgress if shown.run.is_none() => Class::Beginning,
        Status::Queued | Status::InProgress => Class::Progress,
    }
}

/// The last bytes of a file.
fn read_end(path: &std::path::Path, bytes: u64) -> std::io::Result<Vec<u8>> {
    use std::io::{Read as _, Seek as _, SeekFrom};
    let mut file = std::fs::File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(bytes)))?;
    let mut end = Vec::new();
    // The file may grow meanwhile.
    file.take(bytes).read_to_end(&mut end)?;
    Ok(end)
}

fn digest(desired: &Desired) -> String {
    let json = serde_json::to_vec(desired).expect("a check run has no maps with odd keys");
    Sha256::of(&json).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::build::FailureKind;
    use crate::domain::build::example::{at, build, failure};
    use crate::domain::name::CheckRunId;

    fn class_of(build: &Build) -> Class {
        class(build)
    }

    #[test]
    fn conclusions_and_first_signs_go_before_all_else() {
        let mut build = build(1, "nano");
        assert_eq!(class_of(&build), Class::Beginning);
        build.shown.run = Some(CheckRunId::new(7));
        assert_eq!(class_of(&build), Class::Progress);
        build.state = State::Failed(failure(FailureKind::Lost, None));
        assert_eq!(class_of(&build), Class::Conclusion);
        build.shown.concluded = true;
        assert_eq!(class_of(&build), Class::Progress);
        build.shown = Shown::default();
        let refused = Refused::again(None, "gone".to_owned(), 1, at(0));
        build.shown.refused = Some(refused);
        assert_eq!(class_of(&build), Class::Progress);
    }

    #[test]
    fn the_next_round_comes_when_the_first_thing_can_be_done() {
        assert_eq!(Next::default().round(), Round::Done);
        let mut next = Next::default();
        next.after(Duration::from_secs(3000));
        assert_eq!(next.round(), Round::After(IDLE));
        let mut next = Next::default();
        for seconds in [3, 2, 9] {
            next.after(Duration::from_secs(seconds));
        }
        assert_eq!(next.round(), Round::After(Duration::from_secs(2)));
        next = Next::default();
        next.after(Duration::ZERO);
        next.failed = true;
        assert_eq!(next.round(), Round::Later);
    }
}
