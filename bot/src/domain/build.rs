//! A build: one recipe at one head, built once, from planned to published.
//!
//! ```text
//! Planned → Waiting → Queued → Building → Built → Publishing → Published
//!    └─────────┴───────┴→ Held     └→ Failed ←────────┘
//! ```
//!
//! - When a builder loses an attempt or its assets, the build becomes `Queued` again. A member of a
//!   cycle becomes `Waiting` when other members come before it. After too many losses the build
//!   becomes `Failed`.
//! - `Waiting`, `Queued` and `Held` can follow each other in any order.
//! - Each state before `Publishing` can become `Cancelled` or `Superseded`, with one exception: a
//!   pull request's build that is `Built` has succeeded. When it is given up, it stays `Built` and
//!   only its assets are released.
//! - `Published`, `Failed`, `Cancelled` and `Superseded` are final. A person who wants another try
//!   gets a new build.

mod again;
#[cfg(test)]
pub(crate) mod example;
mod explain;
mod no_rebuild;
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
pub use no_rebuild::NoRebuild;
pub use plan::{OwnRun, Plan};
pub use refused::Refused;
pub use stage::{Bearing, Stage};
pub use state::{
    Annotation, By, Cause, Failure, FailureKind, Hold, Loss, Overtaken, Progress, State, Success,
    Suspect,
};
pub use target::{Scope, Target};
pub use transition::{Effect, Event, IllegalTransition, MAX_LOST, MAX_OUTAGE, pause_after};

/// A build: its plan, its state, and what GitHub shows of it.
///
/// The plan never changes. `Deref` gives access to the plan's fields. The JSON form is for people;
/// the database has one row each for plan, state and check run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Build {
    /// Its id.
    pub id: BuildId,
    /// What was planned; shared, because it never changes.
    #[serde(flatten, with = "shared")]
    pub plan: Arc<Plan>,
    /// The builds that must succeed before this one starts.
    pub after: Vec<BuildId>,
    /// The builds that must end before this one starts, in success or failure. They come from
    /// hints.
    #[serde(default)]
    pub behind: Vec<BuildId>,
    /// The members of its cycle in build order, this build included; empty without a cycle. vessel
    /// imports all members together.
    pub cycle: Vec<BuildId>,
    /// The estimated length of the longest chain of builds that starts with this one, in seconds.
    /// The estimate uses the recipes' last build times at planning time.
    #[serde(default)]
    pub path_seconds: u64,
    /// The merge conflict of the pull request, if it has one.
    #[serde(default)]
    pub conflict: Option<Conflict>,
    /// The build release of its stones; none until a builder is chosen.
    #[serde(default)]
    pub build_release: Option<u64>,
    /// Why the last request to rebuild started nothing. The next change of state clears it.
    #[serde(default)]
    pub answer: Option<Answer>,
    /// Why no builder takes any build for its profile, as GitHub shows it. The next change of state
    /// clears it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standstill: Option<String>,
    /// How many attempts were started.
    pub attempts: u32,
    /// The attempts that builders lost, before or after they succeeded.
    #[serde(default)]
    pub losses: Vec<Loss>,
    /// When summit removed the logs of its attempts.
    #[serde(default)]
    pub logs_removed_at: Option<Timestamp>,
    /// A version number: each change of the build raises it.
    pub seq: u64,
    /// Its state.
    pub state: State,
    /// What GitHub shows of it.
    pub shown: Shown,
}

/// Serialises the shared plan as part of its build.
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

/// Tests change plans. Each change works on a copy, so other builds keep theirs.
#[cfg(test)]
impl std::ops::DerefMut for Build {
    fn deref_mut(&mut self) -> &mut Plan {
        Arc::make_mut(&mut self.plan)
    }
}

impl Build {
    /// A build that was just planned and has not moved yet.
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
            standstill: None,
            attempts: 0,
            losses: Vec::new(),
            logs_removed_at: None,
            seq: 1,
            state: State::Planned,
            shown: Shown::default(),
        }
    }
}

/// The answer to a person whose rebuild request started nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The person's login, for display.
    pub login: String,
    /// When the person asked.
    pub at: Timestamp,
    /// Why no build was started.
    pub reason: NoRebuild,
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let at = self.at.strftime("%Y-%m-%d %H:%M:%S UTC");
        let reason = self.reason.explain();
        write!(f, "{} asked for a rebuild at {at}. {reason}", self.login)
    }
}

/// Why a pull request cannot be merged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// The base branch of the pull request.
    pub branch: String,
    /// Some of the conflicting paths.
    pub paths: Vec<String>,
    /// How many paths conflict.
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
        f.write_str(". summit builds the head without merging it.")
    }
}

/// What summit knows about the build's check runs on GitHub.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// The `seq` of the build that GitHub shows.
    pub seq: u64,
    /// The check run that shows the build now, once it is created.
    pub run: Option<CheckRunId>,
    /// True when that run is concluded. GitHub does not reopen a concluded run.
    pub concluded: bool,
    /// Concluded runs that showed the build before.
    pub past: Vec<CheckRunId>,
    /// A digest of the last content sent; equal content is not sent twice.
    pub digest: Option<String>,
    /// GitHub's refusal of the last write, if it refused it.
    #[serde(default)]
    pub refused: Option<Refused>,
}

impl Build {
    /// The current attempt: the one that is running, or whose assets the build uses.
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

    /// True when an outage ended the last attempt and no other attempt has started since.
    pub fn waits_for_sources(&self) -> bool {
        let State::Queued { since, .. } = &self.state else {
            return false;
        };
        let last = self.losses.last();
        last.is_some_and(|loss| loss.cause == Cause::Outage && loss.at == *since)
    }

    /// True when the builds that wait for this one can start: it is published, or it is built for a
    /// pull request.
    pub fn is_success(&self) -> bool {
        self.state.is_success_for(&self.target)
    }

    /// True while the build can still move without a person, or a builder keeps its assets.
    pub fn is_active(&self) -> bool {
        self.state.is_active_for(&self.target)
    }

    /// True when GitHub shows the current state of the build, or need not show it.
    pub fn is_shown(&self) -> bool {
        self.shown.seq == self.seq || !self.has_check_run()
    }

    /// True when the build has a check run of its own. Otherwise only that of its head tells of it.
    pub fn has_check_run(&self) -> bool {
        let is_recipe = self.scope == Scope::Recipe;
        is_recipe
            && match self.own_run {
                OwnRun::Always => true,
                OwnRun::OnFailure => self.shown.run.is_some() || self.state.is_failure(),
            }
    }

    /// When a build of the same recipe at the same head has a check run: one that replaces a check
    /// run must have one too, or GitHub would go on showing the old one.
    pub fn own_run_of_next(&self) -> OwnRun {
        match self.has_check_run() {
            true => OwnRun::Always,
            false => self.own_run,
        }
    }

    /// True when only a person can move the build; see [`State::waits_for_person`].
    pub fn waits_for_person(&self) -> bool {
        self.state.waits_for_person()
    }

    /// True while a builder keeps assets for the build.
    pub fn keeps_assets(&self) -> bool {
        self.find_assets().is_some()
    }

    /// The assets of the build, while only its builder has them.
    pub fn find_assets(&self) -> Option<&Success> {
        self.state.find_assets()
    }

    /// True when the build has succeeded or ended otherwise: nothing moves it any more.
    pub fn is_settled(&self) -> bool {
        self.is_success() || self.state.is_final()
    }
}
