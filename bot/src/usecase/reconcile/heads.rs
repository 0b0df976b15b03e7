//! Which heads are to be shown, and what their check run should say.
//!
//! A head can have thousands of builds, and each change of one changes the table of the head. So
//! progress is computed and written at intervals. The first check run of a head and its conclusion
//! are not held back.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use moss_db::{Error as StorageError, RoTxn};
use url::Url;

use super::next::Next;
use crate::db::{Settled, Tables};
use crate::domain::build::{Build, By, Shown, State};
use crate::domain::check_run::of_head::{self, Standing};
use crate::domain::check_run::{Action, Desired, Status};
use crate::domain::head::{Head, HeadId, HeadTarget};
use crate::usecase::{Summit, command, locked};

/// The shortest time between two writes of progress of a head.
const INTERVAL: SignedDuration = SignedDuration::from_secs(10);

/// How many heads one round computes.
const BATCH: usize = 64;

/// A head whose check run may have to be written.
pub(super) struct ToShow {
    pub(super) id: HeadId,
    /// How often something had changed when this was computed.
    pub(super) changes: u64,
    pub(super) shown: Shown,
    pub(super) desired: Desired,
    /// True when nothing has this head any more, and summit knows no open check run of it.
    pub(super) is_unneeded: bool,
    /// True when none of its builds can go on.
    pub(super) is_over: bool,
    /// True when its progress is that of check runs of recipes.
    is_told: bool,
}

/// When the progress of each head was computed last.
#[derive(Debug, Default)]
pub(super) struct Paces(HashMap<HeadId, Timestamp>);

impl Paces {
    /// How long the progress of a head has to wait; none when it may be computed now.
    fn pause(&mut self, head: HeadId, now: Timestamp) -> Option<Duration> {
        self.0
            .retain(|_, last| now.duration_since(*last) < INTERVAL);
        let last = self.0.get(&head)?;
        Some((INTERVAL - now.duration_since(*last)).unsigned_abs())
    }
}

impl Summit {
    /// The heads that may be written now, with what their check runs should say. The others are
    /// remembered for the next round.
    pub(super) async fn heads_to_show(
        &self,
        started_at: Timestamp,
        paces: &Mutex<Paces>,
        next: &mut Next,
    ) -> Result<Vec<Box<ToShow>>, StorageError> {
        let now = self.clock.now();
        let (mut chosen, mut put_off) = (Vec::new(), Vec::new());
        {
            let mut under_way = self.under_way();
            let mut paces = locked(paces);
            for head in under_way.take_moved_heads() {
                let pause = under_way
                    .is_unconcluded(head)
                    .then(|| paces.pause(head, now))
                    .flatten();
                match pause {
                    Some(pause) => next.after(pause),
                    None if chosen.len() == BATCH => next.after(Duration::ZERO),
                    None => {
                        chosen.push(head);
                        continue;
                    }
                }
                put_off.push(head);
            }
            under_way.note_heads(put_off);
        }
        if chosen.is_empty() {
            return Ok(Vec::new());
        }
        let (tables, base, button) = (
            self.tables.clone(),
            self.public_url.clone(),
            command::button_of_head(),
        );
        let asked = chosen.clone();
        let read = self
            .db
            .query(move |txn| {
                let heads = asked.into_iter();
                let heads = heads.map(|id| read(&tables, txn, id, &base, button.clone()));
                heads.collect::<Result<Vec<_>, StorageError>>()
            })
            .await;
        let read = match read {
            Ok(read) => read,
            Err(error) => {
                self.under_way().note_heads(chosen);
                return Err(error);
            }
        };
        let mut wanted = Vec::with_capacity(read.len());
        for head in read.into_iter().flatten() {
            let refused = head.shown.refused.as_ref();
            let pause = refused.map(|refused| refused.pause(head.changes, started_at, now));
            if let Some(pause) = pause.filter(|pause| !pause.is_zero()) {
                next.after(pause.unsigned_abs());
                self.under_way().note_heads([head.id]);
                continue;
            }
            if !matches!(head.desired.status, Status::Completed(_)) {
                // The next change or the next start looks again.
                if head.is_told && head.shown.run.is_some() && !head.shown.concluded {
                    continue;
                }
                locked(paces).0.insert(head.id, now);
            }
            wanted.push(Box::new(head));
        }
        Ok(wanted)
    }

    /// Stores what GitHub shows of a head. A head whose check run is concluded as it should be needs
    /// no more work.
    pub(super) async fn keep_shown_head(
        &self,
        head: &ToShow,
        shown: Shown,
        is_agreed: bool,
    ) -> Result<(), StorageError> {
        let is_concluded = matches!(head.desired.status, Status::Completed(_));
        let settled = (is_agreed && is_concluded).then_some(head.changes);
        let settled = settled.map(|changes| Settled {
            changes,
            is_over: head.is_over,
        });
        let (tables, id) = (self.tables.clone(), head.id);
        self.submit(move |txn| tables.put_shown_head(txn, id, shown, settled))
            .await
    }
}

/// What the check run of a head should say; none when there is nothing to say. Of a gone repository
/// nothing can be said.
fn read(
    tables: &Tables,
    txn: &RoTxn<'_>,
    id: HeadId,
    base: &Url,
    button: Action,
) -> Result<Option<ToShow>, StorageError> {
    let Some((head, changes)) = tables.find_head(txn, id)? else {
        return Ok(None);
    };
    let repository = tables.repositories.find(txn, &id.repository.number())?;
    if repository.is_none_or(|repository| repository.gone_at.is_some()) {
        return Ok(None);
    }
    let standings = standings(tables, txn, id, &head)?;
    let is_over = standings
        .iter()
        .all(|one| one.builds.iter().all(Build::is_settled));
    let is_told = !of_head::has_progress(&standings);
    let desired = of_head::desired(&head, &standings, base, button);
    let is_left = head.targets.is_empty() && standings.is_empty();
    let is_unneeded = is_left && (head.shown.run.is_none() || head.shown.concluded);
    Ok(Some(ToShow {
        id,
        changes,
        is_unneeded,
        is_over,
        is_told,
        shown: head.shown,
        desired,
    }))
}

/// The builds of each target of a head that its plan still has.
fn standings<'a>(
    tables: &Tables,
    txn: &RoTxn<'_>,
    id: HeadId,
    head: &'a Head,
) -> Result<Vec<Standing<'a>>, StorageError> {
    let mut builds = tables.newest_of_head(txn, id.repository, id.commit, None)?;
    let is_former = |build: &Build| head.former.iter().any(|of| of.target == build.target);
    let is_superseded = builds
        .iter()
        .any(|build| is_former(build) && is_given_up(build));
    builds.retain(|build| !is_given_up(build));
    let targets: &[HeadTarget] = match head.targets.is_empty() {
        false => &head.targets,
        true if is_superseded => &[],
        // Its builds go on, or have ended: no newer head took their place.
        true => &head.former,
    };
    let standings = targets.iter().map(|of| {
        let (own, others) = std::mem::take(&mut builds)
            .into_iter()
            .partition(|build| build.target == of.target);
        builds = others;
        Standing { of, builds: own }
    });
    Ok(standings.collect())
}

/// True for a build that its target does not have any more.
fn is_given_up(build: &Build) -> bool {
    matches!(
        build.state,
        State::Superseded { .. }
            | State::Cancelled {
                by: By::PullClosed | By::GroupGone | By::RepositoryGone,
                ..
            }
    )
}
