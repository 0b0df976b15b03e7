//! summit's records. Tables take transactions; use cases open and commit them.

mod build;
mod command;
mod look;
mod migration;
mod write;

use std::path::Path;

use api::attempt;
use api::id::{AttemptId, BuildId, CommitSha};
use jiff::Timestamp;
use moss_db::{
    Environment, Index, Indexed, Migration, OpenError, Opener, Options, Schema, Sequence, Table,
    Text,
};
use serde::{Deserialize, Serialize};

use crate::domain::build::{Build, Effect};
use crate::domain::claim::Claim;
use crate::domain::name::{InstallationId, RepositoryName};
use crate::domain::under_way::looked_at;

use build::target_key;
pub use build::{ChangeError, Unreadable, folder_key};
pub use command::{Button, Command, Place, Press, Progress};
pub use look::{Look, LookFailure, Merge, look_key};
pub use write::{Write, Written};

/// All tables.
#[derive(Debug, Clone)]
pub struct Tables {
    /// Webhooks, by GUID.
    pub deliveries: Indexed<String, Delivery>,
    /// Deliveries not done, by arrival.
    pub deliveries_open: Index<u64, String>,
    /// Deliveries by arrival, for forgetting old ones.
    pub deliveries_by_time: Index<i64, String>,
    /// Counts deliveries.
    pub arrivals: Sequence,
    /// Repositories that the App is installed in.
    pub repositories: Table<u64, Repository>,
    /// The last commit planned, by repository and target.
    pub planned: Table<(u64, String), CommitSha>,
    /// What open pull requests were planned against, by repository and number.
    pub merges: Table<(u64, u64), Merge>,
    /// Targets to be looked at; a look that came in while one is under way raises the number.
    pub looks: Table<(u64, String), Look>,
    /// Builds.
    builds: Indexed<Text<BuildId>, Build>,
    /// Builds that are under way, and those whose assets a builder keeps.
    builds_active: Index<u8, Text<BuildId>>,
    /// Of these, those of branches.
    builds_of_branches: Index<u8, Text<BuildId>>,
    /// Builds under way, by the builds that they name.
    builds_by_named: Index<Text<BuildId>, Text<BuildId>>,
    /// Builds that only a person can move, by repository.
    builds_aside: Index<u64, Text<BuildId>>,
    /// Builds that are under way or that only a person can move, by repository.
    builds_by_repository: Index<u64, Text<BuildId>>,
    /// The same by repository and target.
    builds_by_target: Index<(u64, [u8; 32]), Text<BuildId>>,
    /// Builds whose check run does not agree with them yet.
    builds_unshown: Index<u8, Text<BuildId>>,
    /// Builds by repository, target and folder.
    builds_by_folder: Index<(u64, [u8; 32]), Text<BuildId>>,
    /// Builds by repository and head.
    builds_by_head: Index<(u64, Text<CommitSha>), Text<BuildId>>,
    /// How long recipes took when they were built last, in seconds, by repository and folder.
    durations: Table<(u64, [u8; 32]), u64>,
    /// The names that recipes of default branches claim, by folder.
    pub claims: Indexed<(u64, [u8; 32]), Claim>,
    /// Claims by name.
    pub claims_by_name: Index<String, (u64, [u8; 32])>,
    /// Counts claims.
    pub claimed: Sequence,
    /// Orders of current attempts, without credentials.
    pub orders: Table<Text<AttemptId>, attempt::Order>,
    /// Comment commands, by repository and comment.
    pub commands: Indexed<(u64, u64), Command>,
    /// Commands not done.
    pub commands_open: Index<u8, (u64, u64)>,
    /// Buttons that were pressed and not acted on yet, by the GUID of their webhook.
    pub presses: Table<String, Press>,
    /// Effects not done.
    pub outbox: Table<u64, Effect>,
    /// Counts effects.
    pub effects: Sequence,
}

/// A webhook that GitHub was told is ours now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// The event's name.
    pub event: String,
    /// The body as it came; dropped when the delivery is done.
    pub body: Option<String>,
    /// Its place among all deliveries.
    pub arrival: u64,
    /// When it came.
    pub received_at: Timestamp,
    /// What became of it, for people; none while it is not done.
    pub outcome: Option<String>,
}

/// A repository that the App is installed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repository {
    /// Its present name.
    pub name: RepositoryName,
    /// The branch that is published.
    pub default_branch: String,
    /// Where it is cloned from.
    pub clone_url: url::Url,
    /// The installation that opens it.
    pub installation: InstallationId,
    /// Since when the App cannot see it any more; what is kept of it is for looking back.
    #[serde(default)]
    pub gone_at: Option<Timestamp>,
}

impl Schema for Tables {
    const NAME: &'static str = "summit";
    const MIGRATIONS: &'static [Migration] = &[
        migration::look_at_branches_anew,
        migration::write_receipts_of_commands,
        migration::index_builds_anew,
    ];

    fn declare(opener: &mut Opener) -> Self {
        let mut deliveries = opener.indexed("deliveries");
        let deliveries_open = deliveries.index("deliveries_open", |_, row: &Delivery| {
            row.outcome
                .is_none()
                .then_some(row.arrival)
                .into_iter()
                .collect()
        });
        let deliveries_by_time = deliveries.index("deliveries_by_time", |_, row: &Delivery| {
            vec![row.received_at.as_second()]
        });
        let deliveries = deliveries.finish();
        let mut builds = opener.indexed("builds");
        let builds_active = builds.index("builds_active", |_, build: &Build| {
            build.is_active().then_some(0).into_iter().collect()
        });
        let builds_of_branches = builds.index("builds_of_branches", |_, build: &Build| {
            let is_one = build.is_active() && build.target.is_published();
            is_one.then_some(0).into_iter().collect()
        });
        let builds_by_named = builds.index("builds_by_named", |_, build: &Build| {
            match build.is_active() {
                true => looked_at(build).into_iter().collect(),
                false => Vec::new(),
            }
        });
        let builds_by_repository = builds.index("builds_by_repository", |_, build: &Build| {
            let key = build.repository.number();
            is_open(build).then_some(key).into_iter().collect()
        });
        let builds_by_target = builds.index("builds_by_target", |_, build: &Build| {
            match is_open(build) {
                true => vec![target_key(build.repository, &build.target)],
                false => Vec::new(),
            }
        });
        let builds_aside = builds.index("builds_aside", |_, build: &Build| {
            build
                .waits_for_person()
                .then_some(build.repository.number())
                .into_iter()
                .collect()
        });
        let builds_unshown = builds.index("builds_unshown", |_, build: &Build| {
            (!build.is_shown()).then_some(0).into_iter().collect()
        });
        let builds_by_folder = builds.index("builds_by_folder", |_, build: &Build| {
            vec![folder_key(build.repository, &build.target, &build.folder)]
        });
        let builds_by_head = builds.index("builds_by_head", |_, build: &Build| {
            vec![(build.repository.number(), build.commit)]
        });
        let builds = builds.finish();
        let mut claims = opener.indexed("claims");
        let claims_by_name = claims.index("claims_by_name", |_, claim: &Claim| {
            vec![claim.name.to_string()]
        });
        let claims = claims.finish();
        let mut commands = opener.indexed("commands");
        let commands_open = commands.index("commands_open", |_, row: &Command| {
            (!row.answered).then_some(0).into_iter().collect()
        });
        let commands = commands.finish();
        Self {
            deliveries,
            deliveries_open,
            deliveries_by_time,
            arrivals: opener.sequence("arrivals"),
            repositories: opener.table("repositories"),
            planned: opener.table("planned"),
            merges: opener.table("merges"),
            looks: opener.table("looks"),
            builds,
            builds_active,
            builds_of_branches,
            builds_by_named,
            builds_aside,
            builds_by_repository,
            builds_by_target,
            builds_unshown,
            builds_by_folder,
            builds_by_head,
            claims,
            claims_by_name,
            durations: opener.table("durations"),
            claimed: opener.sequence("claimed"),
            orders: opener.table("orders"),
            commands,
            commands_open,
            presses: opener.table("presses"),
            outbox: opener.table("outbox"),
            effects: opener.sequence("effects"),
        }
    }
}

/// True for a build that may still move, by itself or by a person, or whose assets are kept.
fn is_open(build: &Build) -> bool {
    build.is_active() || build.waits_for_person()
}

impl Tables {
    /// Opens the database below `folder`.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(folder: &Path) -> Result<(Environment, Self), OpenError> {
        Environment::open::<Self>(&folder.join("db"), &Options::default())
    }
}

#[cfg(test)]
pub(crate) mod tests;
