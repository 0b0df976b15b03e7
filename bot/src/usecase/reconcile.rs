//! Reconciles GitHub's check runs with the builds and their heads.
//!
//! A build whose `seq` is above the shown one needs a write, and so does a head of which something
//! changed. The check run is computed from the present state, so many moves need one request only.
//! summit looks for a run by our id before it creates one, because it may have created it before a
//! crash. Conclusions go first, since people wait for them. A refused write is stored with its reason
//! and retried, soon at first and then every hour.

mod heads;
mod next;
mod send;

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use api::id::{AttemptId, BuildId};
use jiff::Timestamp;
use moss_db::Error as StorageError;
use service::error::Chain;

use super::worker::{self, Round};
use super::{Summit, command, dispatch};
use crate::domain::build::{Build, Refused, Shown, State};
use crate::domain::check_run::Desired;
use crate::domain::check_run::of_build::{desired, status};
use crate::domain::name::RepositoryId;
use crate::domain::tail::tail;
use crate::github::{self, Class, Turn};
use heads::{Paces, ToShow};
use next::Next;
use send::{Place, class, digest};

/// How many lines and bytes of a log a check run shows.
const TAIL_LINES: usize = 120;
const TAIL_BYTES: usize = 48 * 1024;

pub(super) async fn work(summit: Arc<Summit>) {
    let started_at = summit.clock.now();
    let paces = Mutex::new(Paces::default());
    worker::run(&summit.wakes.reconcile, "check runs", || {
        summit.show_all(started_at, &paces)
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

/// Whose check run is reconciled.
enum Subject {
    Build(Class, Arc<Build>),
    Head(Box<ToShow>),
}

impl Subject {
    fn class(&self) -> Class {
        match self {
            Self::Build(class, _) => *class,
            Self::Head(head) => class(head.desired.status, &head.shown),
        }
    }

    /// Of one class, heads go first: each of them speaks for many builds.
    fn order(&self) -> (Class, Option<BuildId>) {
        let build = match self {
            Self::Build(_, build) => Some(build.id),
            Self::Head(_) => None,
        };
        (self.class(), build)
    }

    fn shown(&self) -> &Shown {
        match self {
            Self::Build(_, build) => &build.shown,
            Self::Head(head) => &head.shown,
        }
    }

    fn seq(&self) -> u64 {
        match self {
            Self::Build(_, build) => build.seq,
            Self::Head(head) => head.changes,
        }
    }

    /// A name for the log.
    fn name(&self) -> String {
        match self {
            Self::Build(_, build) => format!("build {}", build.id),
            Self::Head(head) => format!("head {}", head.id.commit),
        }
    }
}

/// How far a check run agrees with its build or head.
enum Agrees {
    /// It has the desired content.
    Wholly,
    /// Some annotations are missing.
    Partly,
    /// GitHub refuses the write. The duration is the pause before a retry.
    Refused(Duration),
}

impl Summit {
    /// Reconciles all check runs that differ from their builds and heads, once. The desired content
    /// of a build is computed only when a write may go out now.
    async fn show_all(
        &self,
        started_at: Timestamp,
        paces: &Mutex<Paces>,
    ) -> Result<Round, StorageError> {
        let mut next = Next::default();
        let mut wanted = self.builds_to_show(started_at, &mut next).await?;
        let heads = self.heads_to_show(started_at, paces, &mut next).await?;
        wanted.extend(heads.into_iter().map(Subject::Head));
        wanted.sort_by_key(Subject::order);
        let mut spent: Option<(Class, Duration)> = None;
        let mut wanted = wanted.into_iter();
        while let Some(subject) = wanted.next() {
            let class = subject.class();
            // Without a turn for one check run, its class has no turn for the others either.
            if let Some((_, pause)) = spent.filter(|(spent, _)| *spent == class) {
                next.after(pause);
                self.put_off(subject);
                continue;
            }
            let desired = match &subject {
                Subject::Build(_, build) => self.desired_of_build(build).await,
                Subject::Head(head) => head.desired.clone(),
            };
            let is_said = subject.shown().digest.as_deref() == Some(&digest(&desired));
            let turn = if is_said {
                None
            } else {
                match self.app.take_turn(class) {
                    Ok(turn) => Some(turn),
                    Err(pause) => {
                        next.after(pause);
                        spent = Some((class, pause));
                        self.put_off(subject);
                        continue;
                    }
                }
            };
            match self.show(&subject, &desired, turn).await {
                Ok(Agrees::Wholly) => {}
                Ok(Agrees::Partly) => {
                    next.after(Duration::ZERO);
                    self.put_off(subject);
                }
                Ok(Agrees::Refused(pause)) => {
                    next.after(pause);
                    self.put_off(subject);
                }
                Err(Error::GitHub(github::Error::RateLimited { until })) => {
                    self.put_off(subject);
                    wanted.for_each(|subject| self.put_off(subject));
                    let pause = until.duration_since(self.clock.now());
                    return Ok(Round::After(pause.try_into().unwrap_or_default()));
                }
                Err(error) => {
                    tracing::warn!(check_run = subject.name(), error = %Chain(&error), "not shown yet");
                    next.failed = true;
                    self.put_off(subject);
                }
            }
        }
        Ok(next.round())
    }

    /// The builds that may be written now.
    async fn builds_to_show(
        &self,
        started_at: Timestamp,
        next: &mut Next,
    ) -> Result<Vec<Subject>, StorageError> {
        let unshown = self.unshown_builds().await?;
        let now = self.clock.now();
        let mut wanted = Vec::with_capacity(unshown.len());
        for build in unshown {
            let refused = build.shown.refused.as_ref();
            let pause = refused.map(|refused| refused.pause(build.seq, started_at, now));
            if let Some(pause) = pause.filter(|pause| !pause.is_zero()) {
                next.after(pause.unsigned_abs());
                continue;
            }
            wanted.push(Subject::Build(class(status(&build), &build.shown), build));
        }
        Ok(wanted)
    }

    /// Remembers a head for the next round. Builds are remembered by their `seq`.
    fn put_off(&self, subject: Subject) {
        if let Subject::Head(head) = subject {
            self.under_way().note_heads([head.id]);
        }
    }

    async fn desired_of_build(&self, build: &Build) -> Desired {
        let tail = self.log_tail(build).await;
        let buttons = command::buttons(build);
        desired(build, tail.as_deref(), &self.public_url, buttons)
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
        subject: &Subject,
        desired: &Desired,
        turn: Option<Turn>,
    ) -> Result<Agrees, Error> {
        let mut shown = subject.shown().clone();
        let mut agrees = Agrees::Wholly;
        if let Some(turn) = turn {
            let place = self.place(subject).await?;
            if let Subject::Head(head) = subject
                && head.is_unneeded
            {
                // An earlier process may have made one and not heard of it.
                let found = match shown.run {
                    Some(_) => None,
                    None => {
                        let find = self.app.find_check_run(&place, &desired.name, &shown.past);
                        find.await?
                    }
                };
                match found {
                    Some(run) if !run.is_completed() => shown.run = Some(run.id),
                    Some(_) | None => {
                        shown.seq = subject.seq();
                        self.keep_shown_head(head, shown, true).await?;
                        return Ok(Agrees::Wholly);
                    }
                }
            }
            match self.send(turn, &place, desired, &mut shown).await {
                Ok(sent) => {
                    shown.refused = None;
                    shown.digest = Some(digest(desired));
                    if !sent.is_annotated(desired) {
                        shown.digest = None;
                        agrees = Agrees::Partly;
                    }
                }
                Err(error) if error.is_permanent() || error.is_forbidden() => {
                    let refused = self.refused(subject, &error);
                    let pause = refused.next_at.duration_since(refused.tried_at);
                    agrees = Agrees::Refused(pause.unsigned_abs());
                    shown.refused = Some(refused);
                }
                Err(error) => return Err(error.into()),
            }
        }
        let is_agreed = matches!(agrees, Agrees::Wholly);
        if is_agreed {
            shown.seq = subject.seq();
        }
        match subject {
            Subject::Build(_, build) => self.keep_shown(build.id, shown).await?,
            Subject::Head(head) => self.keep_shown_head(head, shown, is_agreed).await?,
        }
        Ok(agrees)
    }

    /// Where the check run of a subject lies.
    async fn place(&self, subject: &Subject) -> Result<Place, Error> {
        let (repository, commit) = match subject {
            Subject::Build(_, build) => (build.repository, build.commit),
            Subject::Head(head) => (head.id.repository, head.id.commit),
        };
        Ok(Place {
            repository: self.repository(repository).await?,
            commit,
            external_id: match subject {
                Subject::Build(_, build) => build.id.to_string(),
                Subject::Head(_) => github::HEAD_ID.to_owned(),
            },
        })
    }

    /// The stored refusal. A new reason is logged.
    fn refused(&self, subject: &Subject, error: &github::Error) -> Refused {
        let before = subject.shown().refused.as_ref();
        let now = self.clock.now();
        let refused = Refused::again(before, error.to_string(), subject.seq(), now);
        if before.is_none_or(|before| before.reason != refused.reason) {
            tracing::warn!(
                check_run = subject.name(),
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
                tables.put_shown(txn, &build)?;
            }
            Ok::<_, StorageError>(())
        })
        .await
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::build::FailureKind;
    use crate::domain::build::example::{at, build, failure};
    use crate::domain::name::CheckRunId;

    fn class_of(build: &Build) -> Class {
        class(status(build), &build.shown)
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
}
