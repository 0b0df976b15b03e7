//! All tables and their indexes.

use std::path::Path;

use api::attempt;
use api::id::{Architecture, AttemptId, BuildId, CommitSha};
use jiff::Timestamp;
use moss_db::{
    Environment, Index, Indexed, Migration, OpenError, Opener, Options, Schema, Sequence, Table,
    Text,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::command::{Command, CommandKey, Press};
use super::key::{recipe_key, target_key};
use super::look::{Look, Merge};
use super::migration;
use super::row::Standing;
use crate::domain::build::{Effect, Plan, Shown};
use crate::domain::claim::Claim;
use crate::domain::head::{Head, HeadTarget};
use crate::domain::name::{InstallationId, RepositoryId, RepositoryName};

/// All tables.
#[derive(Debug, Clone)]
pub struct Tables {
    /// Webhook deliveries, by GUID.
    pub deliveries: Indexed<String, Delivery>,
    /// The bodies of deliveries that are not as GitHub describes them, by GUID.
    pub bodies: Table<String, Box<RawValue>>,
    /// Deliveries by time of arrival, to remove old ones.
    pub deliveries_by_time: Index<i64, String>,
    /// Repositories that the App is installed in.
    pub repositories: Table<u64, Repository>,
    /// Repositories that are gone and wait for an operator's word, by since when.
    pub missing: Table<u64, Timestamp>,
    /// The profiles for which branches were planned.
    pub profiles: Table<String, ()>,
    /// The profiles for which a branch is not planned yet, by repository and target.
    pub unplanned: Table<(u64, String), Vec<Architecture>>,
    /// The commit that was planned last, by repository and target.
    pub planned: Table<(u64, String), CommitSha>,
    /// Old default branches whose settled builds still have to follow, by repository and name, with
    /// the present default branch.
    pub(super) moves: Table<(u64, String), String>,
    /// The base of each open pull request at its last look, by repository and number.
    pub merges: Indexed<(u64, u64), Merge>,
    /// Open pull requests by repository and base branch.
    pub merges_by_base: Index<(u64, String), (u64, u64)>,
    /// Wishes for looks, by repository and target. A wish that comes during a look raises the
    /// count.
    pub looks: Table<(u64, String), Look>,
    /// The heads of targets, by repository and commit.
    pub(super) heads: Indexed<(u64, Text<CommitSha>), Head>,
    /// Heads by repository and target. A target has one, or two while a new one is being planned.
    pub(super) heads_by_target: Index<(u64, [u8; 32]), (u64, Text<CommitSha>)>,
    /// How often something changed of heads that GitHub may not show as they are.
    pub(super) heads_open: Table<(u64, Text<CommitSha>), u64>,
    /// The plans of builds.
    pub(super) plans: Indexed<Text<BuildId>, Plan>,
    /// Builds by repository, target, profile and folder.
    pub(super) builds_by_recipe: Index<(u64, [u8; 32]), Text<BuildId>>,
    /// Builds by the name of their recipe.
    pub(super) builds_by_name: Index<String, Text<BuildId>>,
    /// Builds by repository and target, in any state.
    pub(super) builds_of_target: Index<(u64, [u8; 32]), Text<BuildId>>,
    /// Builds by repository and head.
    pub(super) builds_by_head: Index<(u64, Text<CommitSha>), Text<BuildId>>,
    /// The states of builds.
    pub(super) standings: Indexed<Text<BuildId>, Standing>,
    /// Active builds: they can move without a person, or a builder keeps their assets.
    pub(super) builds_active: Index<u8, Text<BuildId>>,
    /// Builds by their state.
    pub(super) builds_by_stage: Index<u8, Text<BuildId>>,
    /// Active builds of branches.
    pub(super) builds_of_branches: Index<u8, Text<BuildId>>,
    /// Active builds, by each build on which their next step depends.
    pub(super) builds_by_named: Index<Text<BuildId>, Text<BuildId>>,
    /// Builds that only a person can move, by repository.
    pub(super) builds_aside: Index<u64, Text<BuildId>>,
    /// Builds that are active or that only a person can move, by repository.
    pub(super) builds_by_repository: Index<u64, Text<BuildId>>,
    /// Builds that are active or that only a person can move, by repository and target.
    pub(super) builds_by_target: Index<(u64, [u8; 32]), Text<BuildId>>,
    /// What GitHub shows of builds; no row for a build without a check run.
    pub(super) shown: Table<Text<BuildId>, Shown>,
    /// Builds whose current state GitHub does not show yet.
    pub(super) unshown: Table<Text<BuildId>, ()>,
    /// The duration of each recipe's last successful attempt in seconds, by repository and folder.
    pub(super) durations: Table<(u64, [u8; 32]), u64>,
    /// The names that recipes of default branches claim, by folder.
    pub claims: Indexed<(u64, [u8; 32]), Claim>,
    /// Claims by name.
    pub claims_by_name: Index<String, (u64, [u8; 32])>,
    /// Numbers claims.
    pub claimed: Sequence,
    /// The manifests of attempts whose stones are not published.
    pub manifests: Table<Text<AttemptId>, String>,
    /// The orders of current attempts, without credentials.
    pub orders: Table<Text<AttemptId>, attempt::Order>,
    /// Commands in comments, by repository, kind of comment and comment.
    pub commands: Indexed<CommandKey, Command>,
    /// Commands without an answer on GitHub.
    pub commands_open: Index<u8, CommandKey>,
    /// Unprocessed presses of buttons, by the GUID of their webhook.
    pub presses: Table<String, Press>,
    /// How many writes went to GitHub, by the second of the last hour.
    pub(super) writes: Table<i64, u64>,
    /// Effects that are not carried out yet.
    pub outbox: Table<u64, Effect>,
    /// Numbers effects.
    pub effects: Sequence,
}

/// A webhook delivery that summit accepted with status 200.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// The event's name.
    pub event: String,
    /// When summit received it.
    pub received_at: Timestamp,
    /// The result, for people.
    pub outcome: String,
}

/// A repository that the App is installed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repository {
    /// Its present name.
    pub name: RepositoryName,
    /// The default branch. Its builds are published.
    pub default_branch: String,
    /// The URL for cloning it.
    pub clone_url: url::Url,
    /// The installation that gives access to it.
    pub installation: InstallationId,
    /// Since when the App cannot see it any more. Its rows stay for people who read old builds.
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
        migration::index_builds_anew,
        migration::part_deliveries,
        migration::take_deliveries,
        migration::look_at_heads,
        migration::key_commands_by_kind,
    ];

    fn declare(opener: &mut Opener) -> Self {
        let mut deliveries = opener.indexed("deliveries");
        let deliveries_by_time = deliveries.index("deliveries_by_time", |_, row: &Delivery| {
            vec![row.received_at.as_second()]
        });
        let deliveries = deliveries.finish();
        let mut heads = opener.indexed("heads");
        let heads_by_target =
            heads.index("heads_by_target", |key: &(u64, CommitSha), head: &Head| {
                let targets = head.targets.iter();
                let key = |of: &HeadTarget| target_key(RepositoryId::new(key.0), &of.target);
                targets.map(key).collect()
            });
        let heads = heads.finish();
        let mut plans = opener.indexed("plans");
        let builds_by_recipe = plans.index("builds_by_recipe", |_, plan: &Plan| {
            vec![recipe_key(plan.into())]
        });
        let builds_by_head = plans.index("builds_by_head", |_, plan: &Plan| {
            vec![(plan.repository.number(), plan.commit)]
        });
        let builds_by_name = plans.index("builds_by_name", |_, plan: &Plan| {
            vec![plan.recipe.to_string()]
        });
        let builds_of_target = plans.index("builds_of_target", |_, plan: &Plan| {
            vec![target_key(plan.repository, &plan.target)]
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
        let builds_by_stage = standings.index("builds_by_stage", |_, row: &Standing| {
            vec![row.state.stage().number()]
        });
        let standings = standings.finish();
        let mut claims = opener.indexed("claims");
        let claims_by_name = claims.index("claims_by_name", |_, claim: &Claim| {
            vec![claim.name.to_string()]
        });
        let claims = claims.finish();
        let mut merges = opener.indexed("merges");
        let merges_by_base = merges.index("merges_by_base", |key: &(u64, u64), row: &Merge| {
            vec![(key.0, row.branch.clone())]
        });
        let merges = merges.finish();
        let mut commands = opener.indexed("commands");
        let commands_open = commands.index("commands_open", |_, row: &Command| {
            (!row.answered).then_some(0).into_iter().collect()
        });
        let commands = commands.finish();
        Self {
            deliveries,
            bodies: opener.table("bodies"),
            deliveries_by_time,
            repositories: opener.table("repositories"),
            missing: opener.table("missing"),
            profiles: opener.table("profiles"),
            unplanned: opener.table("unplanned"),
            planned: opener.table("planned"),
            moves: opener.table("moves"),
            merges,
            merges_by_base,
            looks: opener.table("looks"),
            heads,
            heads_by_target,
            heads_open: opener.table("heads_open"),
            plans,
            builds_by_recipe,
            builds_by_head,
            builds_by_name,
            builds_of_target,
            builds_by_stage,
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
            writes: opener.table("writes"),
            outbox: opener.table("outbox"),
            effects: opener.sequence("effects"),
        }
    }
}

impl Tables {
    /// Opens the database below `folder`. The migration of a database from before profiles uses
    /// `profile` for its builds.
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
