//! A build: one recipe to be built once, from planned to published.
//!
//! ```text
//! Planned → Waiting{on} → Queued → Building{attempt} → Built{assets} → Publishing{import} → Published
//!    └──────────┴─→ Held{by}            └→ Failed
//! ```
//! Whatever a builder lost, an attempt or the assets that it made, makes a build Queued again, or
//! Waiting for the members of its cycle that come before. Any state before `Publishing` can become Cancelled or Superseded. A pull request's builds end in
//! `Built`; instead of being given up, their assets are released there. Failed, Cancelled, Superseded and Published are final; a new try is a new build.

mod again;
#[cfg(test)]
pub(crate) mod example;
mod explain;
mod not_again;
mod plan;
mod refused;
mod stage;
mod state;
mod target;
mod transition;

use std::ops::Deref;
use std::sync::Arc;

use api::id::{AttemptId, BuildId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::name::CheckRunId;

pub(crate) use explain::{counted, named};
pub use not_again::NotAgain;
pub use plan::Plan;
pub use refused::Refused;
pub use stage::{Bearing, Stage};
pub use state::{
    Annotation, By, Cause, Failure, FailureKind, Hold, Loss, Overtaken, Progress, State, Success,
    Suspect,
};
pub use target::{Scope, Target};
pub use transition::{Effect, Event, IllegalTransition, MAX_LOST, MAX_OUTAGE, pause_after};

/// A build and all that is remembered of it: what was planned, where it stands, and what GitHub shows
/// of it. The first never changes; it is read as if its fields were the build's own.
///
/// The JSON of it is for people; the database has a row for each of the three.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Build {
    /// Its id.
    pub id: BuildId,
    /// What was planned.
    #[serde(flatten, with = "shared")]
    pub plan: Arc<Plan>,
    /// The builds whose success it waits for.
    pub after: Vec<BuildId>,
    /// The builds whose end it waits for, however they end: those that its hints lead to.
    #[serde(default)]
    pub behind: Vec<BuildId>,
    /// The members of its cycle in their order, itself among them; empty outside of cycles. They
    /// are imported as one.
    pub cycle: Vec<BuildId>,
    /// How long the longest work takes that waits for it, itself included: by what the recipes took
    /// before, as it was when it was planned.
    #[serde(default)]
    pub path_seconds: u64,
    /// Why the pull request cannot be merged as it is, if that is so.
    #[serde(default)]
    pub conflict: Option<Conflict>,
    /// The build release that its stones get; none before a builder was chosen.
    #[serde(default)]
    pub build_release: Option<u64>,
    /// What was answered to the last wish to have it again that began nothing, as long as nothing
    /// else became of it.
    #[serde(default)]
    pub answer: Option<Answer>,
    /// How many attempts were begun.
    pub attempts: u32,
    /// The attempts that were lost, or whose assets were.
    #[serde(default)]
    pub losses: Vec<Loss>,
    /// When the logs of its attempts were removed.
    #[serde(default)]
    pub logs_removed_at: Option<Timestamp>,
    /// Grows with every change.
    pub seq: u64,
    /// Where it stands.
    pub state: State,
    /// What GitHub shows of it.
    pub shown: Shown,
}

/// A plan in the JSON of its build.
mod shared {
    use std::sync::Arc;

    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use super::Plan;

    pub(super) fn serialize<S: Serializer>(plan: &Arc<Plan>, to: S) -> Result<S::Ok, S::Error> {
        plan.as_ref().serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Arc<Plan>, D::Error> {
        Plan::deserialize(from).map(Arc::new)
    }
}

impl Deref for Build {
    type Target = Plan;

    fn deref(&self) -> &Plan {
        &self.plan
    }
}

/// Tests make a plan of their own before they write it.
#[cfg(test)]
impl std::ops::DerefMut for Build {
    fn deref_mut(&mut self) -> &mut Plan {
        Arc::make_mut(&mut self.plan)
    }
}

impl Build {
    /// A build that was just planned, of which nothing has become yet.
    pub fn new(id: BuildId, plan: Arc<Plan>) -> Self {
        Self {
            id,
            plan,
            after: Vec::new(),
            behind: Vec::new(),
            cycle: Vec::new(),
            path_seconds: 0,
            conflict: None,
            build_release: None,
            answer: None,
            attempts: 0,
            losses: Vec::new(),
            logs_removed_at: None,
            seq: 1,
            state: State::Planned,
            shown: Shown::default(),
        }
    }
}

/// The answer to a person who pressed a button in vain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The person's login, for people.
    pub login: String,
    /// When.
    pub at: Timestamp,
    /// Why nothing was begun.
    pub reason: NotAgain,
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let at = self.at.strftime("%Y-%m-%d %H:%M:%S UTC");
        let reason = self.reason.explain();
        write!(f, "{} asked for it again at {at}. {reason}", self.login)
    }
}

/// A pull request that does not merge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// The branch that it is to be merged into.
    pub branch: String,
    /// Some of the paths on which both sides differ.
    pub paths: Vec<String>,
    /// How many there are.
    pub count: usize,
}

impl std::fmt::Display for Conflict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "The pull request conflicts with {} in {}",
            self.branch,
            self.paths.join(", ")
        )?;
        if self.count > self.paths.len() {
            write!(f, " and {} more", self.count - self.paths.len())?;
        }
        f.write_str(". Its head is built as it is.")
    }
}

/// The build's check run on GitHub, as far as it is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// The `seq` up to which GitHub was made to agree.
    pub seq: u64,
    /// The check run that shows the build now.
    pub run: Option<CheckRunId>,
    /// Whether that run is concluded; a concluded one does not open again.
    pub concluded: bool,
    /// Concluded runs that showed the build before.
    pub past: Vec<CheckRunId>,
    /// A digest of what was last sent, so that nothing is sent twice.
    pub digest: Option<String>,
    /// That GitHub refuses what is sent, if it does.
    #[serde(default)]
    pub refused: Option<Refused>,
}

impl Build {
    /// The attempt that is current, if one is.
    pub fn find_attempt(&self) -> Option<AttemptId> {
        match &self.state {
            State::Building { .. } | State::Built(_) | State::Publishing { .. } => {
                Some(AttemptId::new(self.id, self.attempts))
            }
            State::Planned
            | State::Waiting { .. }
            | State::Queued { .. }
            | State::Published { .. }
            | State::Held { .. }
            | State::Failed(_)
            | State::Cancelled { .. }
            | State::Superseded { .. } => None,
        }
    }

    /// True when the last attempt was lost because something that it needs is out of reach, and none
    /// followed it.
    pub fn waits_for_sources(&self) -> bool {
        let State::Queued { since, .. } = &self.state else {
            return false;
        };
        let last = self.losses.last();
        last.is_some_and(|loss| loss.cause == Cause::Outage && loss.at == *since)
    }

    /// True when what waits for this build can go on: published, or for a pull request built.
    pub fn is_success(&self) -> bool {
        self.state.is_success_for(&self.target)
    }

    /// True while something can become of the build by itself, and while a builder keeps its assets.
    pub fn is_active(&self) -> bool {
        self.state.is_active_for(&self.target)
    }

    /// True when GitHub shows the build as it is.
    pub fn is_shown(&self) -> bool {
        self.shown.seq == self.seq
    }

    /// True for a build that only a person can move; see [`State::waits_for_person`].
    pub fn waits_for_person(&self) -> bool {
        self.state.waits_for_person()
    }

    /// True while a builder keeps assets for the build.
    pub fn keeps_assets(&self) -> bool {
        self.find_assets().is_some()
    }

    /// What was built, as long as only a builder has it.
    pub fn find_assets(&self) -> Option<&Success> {
        self.state.find_assets()
    }

    /// True when nothing will move the build any more.
    pub fn is_settled(&self) -> bool {
        self.is_success() || self.state.is_final()
    }
}
