//! All tables, and how they are found again.

use std::path::Path;

use api::attempt;
use api::id::{Architecture, AttemptId, BuildId, CommitSha};
use jiff::Timestamp;
use moss_db::{
    Environment, Index, Indexed, Migration, OpenError, Opener, Options, Schema, Sequence, Table,
    Text,
};
use serde::{Deserialize, Serialize};

use super::command::{Command, Press};
use super::key::{recipe_key, target_key};
use super::look::{Look, Merge};
use super::migration;
use super::row::Standing;
use crate::domain::build::{Effect, Plan, Shown};
use crate::domain::claim::Claim;
use crate::domain::name::{InstallationId, RepositoryName};

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
    /// The profiles for which branches were planned.
    pub profiles: Table<String, ()>,
    /// The last commit planned, by repository and target.
    pub planned: Table<(u64, String), CommitSha>,
    /// What open pull requests were planned against, by repository and number.
    pub merges: Table<(u64, u64), Merge>,
    /// Targets to be looked at; a look that came in while one is under way raises the number.
    pub looks: Table<(u64, String), Look>,
    /// What was planned.
    pub(super) plans: Indexed<Text<BuildId>, Plan>,
    /// Builds by repository, target, profile and folder.
    pub(super) builds_by_recipe: Index<(u64, [u8; 32]), Text<BuildId>>,
    /// Builds by repository and head.
    pub(super) builds_by_head: Index<(u64, Text<CommitSha>), Text<BuildId>>,
    /// Where builds stand.
    pub(super) standings: Indexed<Text<BuildId>, Standing>,
    /// Builds that are under way, and those whose assets a builder keeps.
    pub(super) builds_active: Index<u8, Text<BuildId>>,
    /// Of these, those of branches.
    pub(super) builds_of_branches: Index<u8, Text<BuildId>>,
    /// Builds under way, by the builds that they name.
    pub(super) builds_by_named: Index<Text<BuildId>, Text<BuildId>>,
    /// Builds that only a person can move, by repository.
    pub(super) builds_aside: Index<u64, Text<BuildId>>,
    /// Builds that are under way or that only a person can move, by repository.
    pub(super) builds_by_repository: Index<u64, Text<BuildId>>,
    /// The same by repository and target.
    pub(super) builds_by_target: Index<(u64, [u8; 32]), Text<BuildId>>,
    /// What GitHub shows of builds; no row for one of which it shows nothing yet.
    pub(super) shown: Table<Text<BuildId>, Shown>,
    /// Builds whose check run does not agree with them yet.
    pub(super) unshown: Table<Text<BuildId>, ()>,
    /// How long recipes took when they were built last, in seconds, by repository and folder.
    pub(super) durations: Table<(u64, [u8; 32]), u64>,
    /// The names that recipes of default branches claim, by folder.
    pub claims: Indexed<(u64, [u8; 32]), Claim>,
    /// Claims by name.
    pub claims_by_name: Index<String, (u64, [u8; 32])>,
    /// Counts claims.
    pub claimed: Sequence,
    /// The manifests of attempts whose stones only a builder has.
    pub manifests: Table<Text<AttemptId>, String>,
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
        migration::part_builds,
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
        let mut plans = opener.indexed("plans");
        let builds_by_recipe = plans.index("builds_by_recipe", |_, plan: &Plan| {
            vec![recipe_key(plan.into())]
        });
        let builds_by_head = plans.index("builds_by_head", |_, plan: &Plan| {
            vec![(plan.repository.number(), plan.commit)]
        });
        let plans = plans.finish();
        let mut standings = opener.indexed("standings");
        let builds_active = standings.index("builds_active", |_, row: &Standing| {
            row.is_active().then_some(0).into_iter().collect()
        });
        let builds_of_branches = standings.index("builds_of_branches", |_, row: &Standing| {
            let is_one = row.is_active() && row.target.is_published();
            is_one.then_some(0).into_iter().collect()
        });
        let builds_by_named = standings.index("builds_by_named", |id, row: &Standing| {
            match row.is_active() {
                true => row.looked_at(*id).into_iter().collect(),
                false => Vec::new(),
            }
        });
        let builds_by_repository = standings.index("builds_by_repository", |_, row: &Standing| {
            let key = row.repository.number();
            row.is_open().then_some(key).into_iter().collect()
        });
        let builds_by_target = standings.index("builds_by_target", |_, row: &Standing| {
            let key = target_key(row.repository, &row.target);
            row.is_open().then_some(key).into_iter().collect()
        });
        let builds_aside = standings.index("builds_aside", |_, row: &Standing| {
            let key = row.repository.number();
            row.state
                .waits_for_person()
                .then_some(key)
                .into_iter()
                .collect()
        });
        let standings = standings.finish();
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
            profiles: opener.table("profiles"),
            planned: opener.table("planned"),
            merges: opener.table("merges"),
            looks: opener.table("looks"),
            plans,
            builds_by_recipe,
            builds_by_head,
            standings,
            builds_active,
            builds_of_branches,
            builds_by_named,
            builds_aside,
            builds_by_repository,
            builds_by_target,
            shown: opener.table("shown"),
            unshown: opener.table("unshown"),
            claims,
            claims_by_name,
            durations: opener.table("durations"),
            claimed: opener.sequence("claimed"),
            manifests: opener.table("manifests"),
            orders: opener.table("orders"),
            commands,
            commands_open,
            presses: opener.table("presses"),
            outbox: opener.table("outbox"),
            effects: opener.sequence("effects"),
        }
    }
}

impl Tables {
    /// Opens the database below `folder`. `profile` is what a database was for that knew only one.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(folder: &Path, profile: &Architecture) -> Result<(Environment, Self), OpenError> {
        let options = Options {
            facts: [(migration::PROFILE, profile.to_string())].into(),
            ..Options::default()
        };
        Environment::open::<Self>(&folder.join("db"), &options)
    }
}
