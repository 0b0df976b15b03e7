//! Makes GitHub's check runs agree with the builds.
//!
//! A build whose `seq` is above what was shown is in an index; its check run is computed from its
//! present state, so that many moves become one request. A run is looked up by our id before it is
//! created, for it may have been created by us before a crash. Conclusions go first, since they are
//! what people wait for, and a budget keeps under GitHub's limit on writes.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use api::id::{AttemptId, BuildId, Sha256};
use jiff::SignedDuration;
use moss_db::Error as StorageError;
use service::error::Chain;
use tokio::time::Instant;

use super::worker::{self, Round};
use super::{Summit, dispatch};
use crate::db::Repository;
use crate::domain::build::{Build, Shown, State};
use crate::domain::check_run::{Desired, Status, desired};
use crate::domain::tail::tail;
use crate::github;

/// How much of a log a check run shows.
const TAIL_LINES: usize = 120;
const TAIL_BYTES: usize = 48 * 1024;

/// How long a check run that GitHub refuses is sent again.
const PATIENCE: SignedDuration = SignedDuration::from_mins(10);

pub(super) async fn work(summit: Arc<Summit>) {
    let budget = Mutex::new(Budget::default());
    worker::run(&summit.wakes.reconcile, "builds", || {
        summit.show_all(&budget)
    })
    .await;
}

/// A check run that could not be made to agree.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    GitHub(#[from] github::Error),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Repository(#[from] dispatch::Error),
}

impl Summit {
    async fn show_all(self: &Arc<Self>, budget: &Mutex<Budget>) -> Result<Round, StorageError> {
        let tables = self.tables.clone();
        let builds: Vec<Build> = self
            .db
            .query(move |txn| {
                let unshown = tables.builds.find_by(txn, &tables.builds_unshown, &0)?;
                unshown
                    .map(|row| Ok(row?.1))
                    .collect::<Result<_, StorageError>>()
            })
            .await?;
        let mut wanted = Vec::with_capacity(builds.len());
        for build in builds {
            let tail = self.log_tail(&build).await;
            let desired = desired(&build, tail.as_deref(), &self.public_url);
            wanted.push((build, desired));
        }
        wanted.sort_by_key(|(build, desired)| (Class::of(build, desired), build.id));
        let mut round = Round::Done;
        for (build, desired) in wanted {
            let writes = build.shown.digest.as_deref() != Some(&digest(&desired));
            let class = Class::of(&build, &desired);
            let take = || lock(budget).take(Instant::now(), class);
            if writes && !take() {
                round = Round::Later;
                continue;
            }
            if let Err(error) = self.show(&build, &desired).await {
                tracing::warn!(build.id = %build.id, error = %Chain(&error), "not shown yet");
                round = Round::Later;
                if let Error::GitHub(github::Error::RateLimited { until }) = error {
                    let pause = until.duration_since(self.clock.now());
                    return Ok(Round::After(pause.try_into().unwrap_or_default()));
                }
            }
        }
        Ok(round)
    }

    /// Makes one check run agree, and remembers that it does.
    async fn show(&self, build: &Build, desired: &Desired) -> Result<(), Error> {
        let digest = digest(desired);
        let mut shown = build.shown.clone();
        if shown.digest.as_deref() != Some(&digest) {
            let repository = self.repository(build).await?;
            match self.send(build, desired, &repository, &mut shown).await {
                Ok(()) => {
                    shown.digest = Some(digest);
                    shown.refused_since = None;
                }
                // A commit can be unknown for a moment after its push. Refused for longer, the
                // repository or commit is gone, and there is nobody to show.
                Err(error) if error.is_permanent() && self.is_out_of_patience(&shown) => {
                    tracing::error!(build.id = %build.id, %error, "a check run is given up");
                }
                Err(error) => {
                    if error.is_permanent() && shown.refused_since.is_none() {
                        shown.refused_since = Some(self.clock.now());
                        self.keep_shown(build.id, shown).await?;
                    }
                    return Err(error.into());
                }
            }
        }
        shown.seq = build.seq;
        Ok(self.keep_shown(build.id, shown).await?)
    }

    /// Remembers what GitHub shows. The build may have moved on meanwhile; then it stays in the
    /// index.
    async fn keep_shown(&self, id: BuildId, shown: Shown) -> Result<(), StorageError> {
        let tables = self.tables.clone();
        self.db
            .submit(move |txn| {
                if let Some(mut build) = tables.builds.find(txn, &id)? {
                    build.shown = shown;
                    tables.builds.put(txn, &id, &build)?;
                }
                Ok::<_, StorageError>(())
            })
            .await
    }

    fn is_out_of_patience(&self, shown: &Shown) -> bool {
        let now = self.clock.now();
        shown
            .refused_since
            .is_some_and(|since| now.duration_since(since) > PATIENCE)
    }

    async fn send(
        &self,
        build: &Build,
        desired: &Desired,
        repository: &Repository,
        shown: &mut Shown,
    ) -> Result<(), github::Error> {
        let concluded = matches!(desired.status, Status::Completed(_));
        if shown.concluded && !concluded {
            // A concluded run does not open again: a new one takes its place.
            shown.past.extend(shown.run.take());
            shown.concluded = false;
        }
        while shown.run.is_none() {
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
                // Concluded by us before a crash: it does not open again either.
                Some(found) if found.is_completed() && !concluded => shown.past.push(found.id),
                Some(found) => shown.run = Some(found.id),
                None => {
                    let sent = self
                        .app
                        .create_check_run(repository, build.commit, build.id, desired)
                        .await?;
                    shown.run = Some(sent.id);
                    shown.concluded = concluded;
                    return Ok(());
                }
            }
        }
        if let Some(run) = shown.run {
            self.app.update_check_run(repository, run, desired).await?;
            shown.concluded = concluded;
        }
        Ok(())
    }

    /// The end of the log of a build that failed in an attempt.
    async fn log_tail(&self, build: &Build) -> Option<String> {
        if !matches!(build.state, State::Failed(_)) || build.attempts == 0 {
            return None;
        }
        self.log_end(build, TAIL_LINES, TAIL_BYTES).await
    }

    /// The end of the log of a build's newest attempt, as far as it is copied: at most `lines` and
    /// `bytes`, made safe to show. None when there is no log.
    pub async fn log_end(&self, build: &Build, lines: usize, bytes: usize) -> Option<String> {
        let path = self.log_path(AttemptId::new(build.id, build.attempts));
        // Twice as much, for what is left out when it is made safe.
        let read = move || read_end(&path, bytes as u64 * 2);
        let end = tokio::task::spawn_blocking(read).await.ok()?.ok()?;
        Some(tail(&end, lines, bytes))
    }
}

fn lock(budget: &Mutex<Budget>) -> MutexGuard<'_, Budget> {
    budget.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The last bytes of a file.
fn read_end(path: &std::path::Path, bytes: u64) -> std::io::Result<Vec<u8>> {
    use std::io::{Read as _, Seek as _, SeekFrom};
    let mut file = std::fs::File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(bytes)))?;
    let mut end = Vec::new();
    // It may grow meanwhile.
    file.take(bytes).read_to_end(&mut end)?;
    Ok(end)
}

/// What a write is for: the more important, the more of the budget it may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    /// What people wait for.
    Conclusion,
    /// The first that people see of a build.
    Beginning,
    /// Nice to know.
    Progress,
}

impl Class {
    fn of(build: &Build, desired: &Desired) -> Self {
        match desired.status {
            Status::Completed(_) => Self::Conclusion,
            Status::Queued | Status::InProgress if build.shown.run.is_none() => Self::Beginning,
            Status::Queued | Status::InProgress => Self::Progress,
        }
    }

    /// How many writes there may have been in the last minute and in the last hour. GitHub takes
    /// about 80 and 500.
    fn limits(self) -> (usize, usize) {
        match self {
            Self::Conclusion => (80, 500),
            Self::Beginning => (60, 350),
            Self::Progress => (20, 120),
        }
    }
}

fn digest(desired: &Desired) -> String {
    let json = serde_json::to_vec(desired).expect("a check run has no maps with odd keys");
    Sha256::of(&json).to_string()
}

/// When was written in the last hour.
#[derive(Debug, Default)]
struct Budget(VecDeque<Instant>);

impl Budget {
    const MINUTE: Duration = Duration::from_secs(60);
    const HOUR: Duration = Duration::from_secs(3600);

    fn take(&mut self, now: Instant, class: Class) -> bool {
        while self.0.front().is_some_and(|then| now - *then > Self::HOUR) {
            self.0.pop_front();
        }
        let in_minute = self
            .0
            .iter()
            .rev()
            .take_while(|then| now - **then <= Self::MINUTE)
            .count();
        let (minute, hour) = class.limits();
        let free = in_minute < minute && self.0.len() < hour;
        if free {
            self.0.push_back(now);
        }
        free
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_leaves_room_for_conclusions_and_the_hour_is_kept() {
        let begin = Instant::now();
        let mut budget = Budget::default();
        let count = |budget: &mut Budget, at, class| {
            std::iter::repeat_with(|| budget.take(at, class))
                .take_while(|taken| *taken)
                .count()
        };
        assert_eq!(count(&mut budget, begin, Class::Progress), 20);
        assert_eq!(count(&mut budget, begin, Class::Beginning), 40);
        assert_eq!(count(&mut budget, begin, Class::Conclusion), 20);
        let mut total = 80;
        for minute in 1..60 {
            let at = begin + Duration::from_secs(61 * minute);
            total += count(&mut budget, at, Class::Conclusion);
        }
        assert_eq!(total, 500);
        let later = begin + Duration::from_secs(3601);
        assert_eq!(count(&mut budget, later, Class::Conclusion), 80);
    }
}
