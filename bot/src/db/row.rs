//! The rows of a build. The plan is written once; a change of state writes only the state's row.

use std::collections::BTreeSet;
use std::sync::Arc;

use api::id::BuildId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::build::{Answer, Build, Conflict, Loss, Plan, Shown, State, Target};
use crate::domain::name::RepositoryId;
use crate::domain::under_way::looked_at;

/// The state of a build, with the fields of its plan that indexes need.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Standing {
    /// See [`Plan::repository`].
    pub(super) repository: RepositoryId,
    /// See [`Plan::target`].
    pub(super) target: Target,
    /// See [`Build::after`].
    pub(super) after: Vec<BuildId>,
    /// See [`Build::behind`].
    #[serde(default)]
    pub(super) behind: Vec<BuildId>,
    /// See [`Build::cycle`].
    pub(super) cycle: Vec<BuildId>,
    /// See [`Build::path_seconds`].
    #[serde(default)]
    pub(super) path_seconds: u64,
    /// See [`Build::conflict`].
    #[serde(default)]
    pub(super) conflict: Option<Conflict>,
    /// See [`Build::build_release`].
    #[serde(default)]
    pub(super) build_release: Option<u64>,
    /// See [`Build::answer`].
    #[serde(default)]
    pub(super) answer: Option<Answer>,
    /// See [`Build::standstill`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) standstill: Option<String>,
    /// See [`Build::attempts`].
    pub(super) attempts: u32,
    /// See [`Build::losses`].
    #[serde(default)]
    pub(super) losses: Vec<Loss>,
    /// See [`Build::logs_removed_at`].
    #[serde(default)]
    pub(super) logs_removed_at: Option<Timestamp>,
    /// See [`Build::seq`].
    pub(super) seq: u64,
    /// See [`Build::state`].
    pub(super) state: State,
}

impl Standing {
    /// See [`Build::is_active`].
    pub(super) fn is_active(&self) -> bool {
        self.state.is_active_for(&self.target)
    }

    /// True when the build can still move, if only by a person, or a builder keeps its assets.
    pub(super) fn is_open(&self) -> bool {
        self.is_active() || self.state.waits_for_person()
    }

    /// The builds on which the next step of the build depends.
    pub(super) fn looked_at(&self, id: BuildId) -> BTreeSet<BuildId> {
        let named = self.after.iter().chain(&self.behind).chain(&self.cycle);
        looked_at(id, named, &self.state)
    }

    pub(super) fn of(build: &Build) -> Self {
        Self {
            repository: build.repository,
            target: build.target.clone(),
            after: build.after.clone(),
            behind: build.behind.clone(),
            cycle: build.cycle.clone(),
            path_seconds: build.path_seconds,
            conflict: build.conflict.clone(),
            build_release: build.build_release,
            answer: build.answer.clone(),
            standstill: build.standstill.clone(),
            attempts: build.attempts,
            losses: build.losses.clone(),
            logs_removed_at: build.logs_removed_at,
            seq: build.seq,
            state: build.state.clone(),
        }
    }

    pub(super) fn into_build(self, id: BuildId, plan: Plan, shown: Shown) -> Build {
        Build {
            id,
            plan: Arc::new(plan),
            after: self.after,
            behind: self.behind,
            cycle: self.cycle,
            path_seconds: self.path_seconds,
            conflict: self.conflict,
            build_release: self.build_release,
            answer: self.answer,
            standstill: self.standstill,
            attempts: self.attempts,
            losses: self.losses,
            logs_removed_at: self.logs_removed_at,
            seq: self.seq,
            state: self.state,
            shown,
        }
    }
}
