//! summit's records. Tables take transactions; use cases open and commit them.

use std::path::Path;

use api::attempt;
use api::id::{AttemptId, BuildId, CommitSha, RecipeFolder, Sha256};
use jiff::{SignedDuration, Timestamp};
use moss_db::{
    Environment, Error, Index, Indexed, Migration, OpenError, Opener, Options, RoTxn, RwTxn,
    Schema, Sequence, Table, Text,
};
use serde::{Deserialize, Serialize};

use crate::domain::build::{Build, Conflict, Effect, Event, IllegalTransition, State, Target};
use crate::domain::claim::Claim;
use crate::domain::name::{CommentId, InstallationId, RepositoryId, RepositoryName, UserId};

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
    pub builds: Indexed<Text<BuildId>, Build>,
    /// Builds that are under way, and those whose assets a builder keeps.
    pub builds_active: Index<u8, Text<BuildId>>,
    /// Builds that only a person can move, by repository.
    pub builds_aside: Index<u64, Text<BuildId>>,
    /// Builds whose check run does not agree with them yet.
    pub builds_unshown: Index<u8, Text<BuildId>>,
    /// Builds by repository, target and folder.
    pub builds_by_folder: Index<(u64, [u8; 32]), Text<BuildId>>,
    /// Builds by repository and head.
    pub builds_by_head: Index<(u64, Text<CommitSha>), Text<BuildId>>,
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
}

/// A wish to look at a target again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    /// The repository.
    pub repository: RepositoryId,
    /// What to look at.
    pub target: Target,
    /// How many wishes came in.
    pub count: u64,
    /// How many looks at it in a row were begun and did not come back, because the process ended.
    #[serde(default)]
    pub unreturned: u32,
    /// When the last one was begun.
    #[serde(default)]
    pub begun_at: Option<Timestamp>,
}

impl Look {
    /// How many looks may be cut off before the target is set aside.
    pub const MAX_UNRETURNED: u32 = 3;

    /// How long it is set aside then, until it is tried once more.
    const ASIDE: SignedDuration = SignedDuration::from_hours(1);

    /// False while the target is set aside: something in it may be what ends the process, and then
    /// looking again at each start would keep everything else from being done.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.unreturned < Self::MAX_UNRETURNED
            || self
                .begun_at
                .is_none_or(|begun| now.duration_since(begun) >= Self::ASIDE)
    }
}

/// What a pull request would be merged into, as it was when it was last looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merge {
    /// The head.
    pub head: CommitSha,
    /// The branch that it goes to.
    pub branch: String,
    /// That branch's head.
    pub tip: CommitSha,
    /// Where the two part; none when they have nothing in common.
    pub base: Option<CommitSha>,
    /// Why they cannot be merged, if that is so.
    pub conflict: Option<Conflict>,
}

/// A command from a comment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// The repository.
    pub repository: RepositoryId,
    /// The comment; commands are known by it, so that none runs twice.
    pub comment: CommentId,
    /// Who wrote it.
    pub author: UserId,
    /// The author's login at that time, for people.
    pub login: String,
    /// The text.
    pub text: String,
    /// What it was written on.
    pub place: Place,
    /// What became of it; none while it is not done.
    pub outcome: Option<CommandOutcome>,
    /// Whether the outcome was answered on GitHub.
    pub answered: bool,
}

/// Where a comment was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "place", rename_all = "kebab-case")]
pub enum Place {
    /// On a pull request.
    Pull {
        /// Its number.
        number: u64,
    },
    /// On a commit.
    Commit {
        /// Which.
        commit: CommitSha,
    },
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum CommandOutcome {
    /// These builds were begun.
    Rebuilding {
        /// The new builds.
        builds: Vec<BuildId>,
    },
    /// There was nothing to build again.
    Nothing,
    /// Nothing of the pull request is run, because its author may not write.
    Unapproved {
        /// The author's login.
        author: String,
    },
    /// Who commands may not.
    Refused {
        /// The role that the author has.
        role: String,
    },
    /// The command could not be understood.
    Misunderstood {
        /// Why, for people.
        reason: String,
    },
}

/// A button of GitHub that a person pressed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Press {
    /// The repository.
    pub repository: RepositoryId,
    /// Who pressed it.
    pub person: UserId,
    /// That person's login at that time, for people.
    pub login: String,
    /// Which button.
    pub button: Button,
}

/// What a button asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "button", rename_all = "kebab-case")]
pub enum Button {
    /// One build again.
    Rerun {
        /// The build that the check run shows.
        build: BuildId,
    },
    /// All of a head again.
    RerunAll {
        /// The head.
        commit: CommitSha,
    },
}

impl Schema for Tables {
    const NAME: &'static str = "summit";
    const MIGRATIONS: &'static [Migration] = &[];

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
            let active = !build.is_settled() && !build.waits_for_person();
            let active = active || build.keeps_assets();
            active.then_some(0).into_iter().collect()
        });
        let builds_aside = builds.index("builds_aside", |_, build: &Build| {
            build
                .waits_for_person()
                .then_some(build.repository.number())
                .into_iter()
                .collect()
        });
        let builds_unshown = builds.index("builds_unshown", |_, build: &Build| {
            (build.shown.seq != build.seq)
                .then_some(0)
                .into_iter()
                .collect()
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
            builds_aside,
            builds_unshown,
            builds_by_folder,
            builds_by_head,
            claims,
            claims_by_name,
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

/// A change to a build that was not made.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The database failed.
    #[error("cannot change a build")]
    Storage(#[from] Error),
    /// There is no such build.
    #[error("there is no build {0}")]
    Unknown(BuildId),
    /// The build's state does not take the event.
    #[error(transparent)]
    Illegal(#[from] IllegalTransition),
}

impl Tables {
    /// Opens the database below `folder`.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(folder: &Path) -> Result<(Environment, Self), OpenError> {
        Environment::open::<Self>(&folder.join("db"), &Options::default())
    }

    /// Applies `event` to a build and commits state and effects together. Returns the build.
    ///
    /// # Errors
    /// When the build is unknown, does not take the event, or the database fails.
    pub fn change(
        &self,
        txn: &mut RwTxn<'_>,
        id: BuildId,
        event: Event,
        now: Timestamp,
    ) -> Result<Build, ChangeError> {
        let build = self
            .builds
            .find(txn, &id)?
            .ok_or(ChangeError::Unknown(id))?;
        let before = build.state.name();
        let (next, effects) = build.apply(event, now)?;
        if next == build {
            return Ok(build);
        }
        self.builds.put(txn, &id, &next)?;
        for effect in effects {
            let number = self.effects.next(txn)?;
            self.outbox.put(txn, &number, &effect)?;
        }
        if let Some(attempt) = build.find_attempt()
            && !matches!(next.state, State::Building { .. })
        {
            self.orders.delete(txn, &attempt)?;
        }
        if before != next.state.name() {
            tracing::info!(
                build.id = %id,
                build.recipe = %next.recipe,
                build.state = next.state.name(),
                "{}", next.explain()
            );
        }
        Ok(next)
    }

    /// Wishes for a look at a target.
    ///
    /// # Errors
    /// When the database fails.
    pub fn wish(
        &self,
        txn: &mut RwTxn<'_>,
        repository: RepositoryId,
        target: &Target,
    ) -> Result<(), Error> {
        let key = look_key(repository, target);
        let look = self.looks.find(txn, &key)?;
        let mut look = look.unwrap_or_else(|| Look {
            repository,
            target: target.clone(),
            count: 0,
            unreturned: 0,
            begun_at: None,
        });
        look.count += 1;
        self.looks.put(txn, &key, &look)
    }

    /// Notes that a look begins, before it does. None when nobody wishes for it any more.
    ///
    /// # Errors
    /// When the database fails.
    pub fn begin_look(
        &self,
        txn: &mut RwTxn<'_>,
        key: &(u64, String),
        now: Timestamp,
    ) -> Result<Option<Look>, Error> {
        let Some(mut look) = self.looks.find(txn, key)? else {
            return Ok(None);
        };
        look.unreturned += 1;
        look.begun_at = Some(now);
        self.looks.put(txn, key, &look)?;
        Ok(Some(look))
    }

    /// Notes that a look came back, if it is still wished for.
    ///
    /// # Errors
    /// When the database fails.
    pub fn end_look(&self, txn: &mut RwTxn<'_>, key: &(u64, String)) -> Result<(), Error> {
        match self.looks.find(txn, key)? {
            Some(look) if look.unreturned > 0 => {
                let unreturned = 0;
                self.looks.put(txn, key, &Look { unreturned, ..look })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The builds that are under way, and those whose assets a builder keeps, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub fn active_builds(&self, txn: &RoTxn<'_>) -> Result<Vec<Build>, Error> {
        self.builds
            .find_by(txn, &self.builds_active, &0)?
            .map(|row| Ok(row?.1))
            .collect()
    }
}

impl Tables {
    /// The builds of a target that are not settled.
    ///
    /// # Errors
    /// When the database fails.
    pub fn builds_of(
        &self,
        txn: &RoTxn<'_>,
        repository: RepositoryId,
        target: &Target,
    ) -> Result<Vec<Build>, Error> {
        let mut builds = self.active_builds(txn)?;
        builds.extend(self.builds_set_aside(txn, repository)?);
        builds.retain(|build| build.repository == repository && build.target == *target);
        Ok(builds)
    }

    /// The builds of a repository that only a person can move, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub fn builds_set_aside(
        &self,
        txn: &RoTxn<'_>,
        repository: RepositoryId,
    ) -> Result<Vec<Build>, Error> {
        self.builds
            .find_by(txn, &self.builds_aside, &repository.number())?
            .map(|row| Ok(row?.1))
            .collect()
    }
}

/// The key of a recipe's folder in `builds_by_folder`: a digest, because a folder can be longer than
/// a key may be.
pub fn folder_key(
    repository: RepositoryId,
    target: &Target,
    folder: &RecipeFolder,
) -> (u64, [u8; 32]) {
    let text = format!("{}\n{folder}", target.git_ref());
    (repository.number(), *Sha256::of(text.as_bytes()).as_bytes())
}

/// The key of a target in `planned` and `looks`.
pub fn look_key(repository: RepositoryId, target: &Target) -> (u64, String) {
    (repository.number(), target.git_ref())
}

#[cfg(test)]
pub(crate) mod tests;
