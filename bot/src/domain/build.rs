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
mod refused;
mod stage;
mod state;
mod transition;

use api::id::{AttemptId, BuildId, CommitSha, RecipeFolder, RecipeName, TreeSha};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::name::{CheckRunId, RepositoryId};

pub use again::NotAgain;
pub(crate) use explain::{counted, named};
pub use refused::Refused;
pub use stage::{Bearing, Stage};
pub use state::{
    Annotation, By, Cause, Failure, FailureKind, Hold, Loss, Overtaken, Progress, State, Success,
    Suspect,
};
pub use transition::{Effect, Event, IllegalTransition, MAX_LOST, MAX_OUTAGE, pause_after};

/// A build and all that is remembered of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Build {
    /// Its id.
    pub id: BuildId,
    /// The repository that holds the recipe.
    pub repository: RepositoryId,
    /// What it is built for.
    pub target: Target,
    /// The head that was planned; its check runs hang there.
    pub commit: CommitSha,
    /// Where the recipe lies.
    pub folder: RecipeFolder,
    /// The tree of that folder: what is really built.
    pub tree: TreeSha,
    /// The recipe's name; for a recipe that cannot be read, its folder's.
    pub recipe: RecipeName,
    /// The name of its check run; none where it follows from folder and recipe alone.
    #[serde(default)]
    pub check: Option<String>,
    /// Whether it is of that recipe.
    #[serde(default)]
    pub scope: Scope,
    /// The recipe's version, exact text.
    pub version: String,
    /// The recipe's release.
    pub release: u64,
    /// Build and check dependencies, as text.
    pub needs: Vec<String>,
    /// What its last build needed beside, by its manifest, as text. It orders and nothing more:
    /// the recipe may not ask for it any longer.
    #[serde(default)]
    pub hints: Vec<String>,
    /// What it will provide, as text: package names, and what its last manifest provides.
    pub provides: Vec<String>,
    /// The builds whose success it waits for.
    pub after: Vec<BuildId>,
    /// The builds whose end it waits for, however they end: those that its hints lead to.
    #[serde(default)]
    pub behind: Vec<BuildId>,
    /// The members of its cycle in their order, itself among them; empty outside of cycles. They
    /// are imported as one.
    pub cycle: Vec<BuildId>,
    /// The author time of the commit, recorded once.
    pub source_date_epoch: i64,
    /// When it was planned.
    pub created_at: Timestamp,
    /// What the recipe's reader noted beside errors.
    pub warnings: Vec<Annotation>,
    /// Why the pull request cannot be merged as it is, if that is so.
    #[serde(default)]
    pub conflict: Option<Conflict>,
    /// The author of the pull request, when nothing of it may be run because that person may not
    /// write. It stays with the build whatever becomes of it.
    #[serde(default)]
    pub unapproved: Option<String>,
    /// The login of the person who asked for it; none for what a push or a pull request brought.
    #[serde(default)]
    pub asked_by: Option<String>,
    /// The build release that its stones get; none before a builder was chosen.
    #[serde(default)]
    pub build_release: Option<u64>,
    /// How long the longest work takes that waits for it, itself included: by what the recipes took
    /// before, as it was when it was planned.
    #[serde(default)]
    pub path_seconds: u64,
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

/// What a build is of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "scope", rename_all = "kebab-case")]
pub enum Scope {
    /// Of its recipe.
    #[default]
    Recipe,
    /// Of all recipes that its head changes. Nothing of them is run while it stands there.
    All {
        /// How many; 0 when they were not counted.
        count: usize,
        /// Where some of them lie.
        named: Vec<RecipeFolder>,
    },
}

/// What a build is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "target", rename_all = "kebab-case")]
pub enum Target {
    /// A branch that is published.
    Branch {
        /// Its name, without `refs/heads/`.
        name: String,
    },
    /// A pull request: built, not published.
    Pull {
        /// Its number.
        number: u64,
    },
}

impl Target {
    /// The ref under which the head is found.
    pub fn git_ref(&self) -> String {
        match self {
            Self::Branch { name } => format!("refs/heads/{name}"),
            Self::Pull { number } => format!("refs/pull/{number}/head"),
        }
    }

    /// True when successful builds go on into the channel.
    pub fn is_published(&self) -> bool {
        match self {
            Self::Branch { .. } => true,
            Self::Pull { .. } => false,
        }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Branch { name } => f.write_str(name),
            Self::Pull { number } => write!(f, "#{number}"),
        }
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

    /// True when a build in the queue may be handed to a builder; see [`pause_after`].
    pub fn is_due(&self, now: Timestamp) -> bool {
        let State::Queued { since, .. } = &self.state else {
            return false;
        };
        self.unapproved.is_none() && now.duration_since(*since) >= pause_after(self.attempts)
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
        match &self.state {
            State::Published { .. } => true,
            State::Built(_) => !self.target.is_published(),
            State::Planned
            | State::Waiting { .. }
            | State::Queued { .. }
            | State::Building { .. }
            | State::Publishing { .. }
            | State::Held { .. }
            | State::Failed(_)
            | State::Cancelled { .. }
            | State::Superseded { .. } => false,
        }
    }

    /// True while something can become of the build by itself, and while a builder keeps its assets.
    pub fn is_active(&self) -> bool {
        (!self.is_settled() && !self.waits_for_person()) || self.keeps_assets()
    }

    /// True when GitHub shows the build as it is.
    pub fn is_shown(&self) -> bool {
        self.shown.seq == self.seq
    }

    /// True for a build that only a person can move. There can be many of them, so that they are
    /// kept apart from those under way.
    pub fn waits_for_person(&self) -> bool {
        self.state.find_hold().is_some_and(|hold| match hold {
            Hold::Approval { .. } | Hold::TooLarge { .. } => true,
            Hold::Build { .. }
            | Hold::Needs { .. }
            | Hold::Suspected { .. }
            | Hold::Scattered { .. } => false,
        })
    }

    /// True while a builder keeps assets for the build.
    pub fn keeps_assets(&self) -> bool {
        self.find_assets().is_some()
    }

    /// What was built, as long as only a builder has it.
    pub fn find_assets(&self) -> Option<&Success> {
        match &self.state {
            State::Built(built) | State::Publishing { built, .. } => {
                built.released_at.is_none().then_some(built)
            }
            State::Planned
            | State::Waiting { .. }
            | State::Queued { .. }
            | State::Building { .. }
            | State::Published { .. }
            | State::Held { .. }
            | State::Failed(_)
            | State::Cancelled { .. }
            | State::Superseded { .. } => None,
        }
    }

    /// True when nothing will move the build any more.
    pub fn is_settled(&self) -> bool {
        self.is_success() || self.state.is_final()
    }
}
