//! Everything the forge knows besides git itself. It lives in memory: a forge that starts anew
//! finds its bare repositories again and nothing else (see `docs/forge.md`).

pub(crate) mod access;
pub(crate) mod account;
pub(crate) mod check_run;
pub(crate) mod comment;
pub(crate) mod pull;
pub(crate) mod repository;

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;

use self::access::Tokens;
use self::account::{Account, Kind};
use self::check_run::{CheckRun, Suite};
use self::comment::Comment;
use self::pull::PullRequest;
use self::repository::{Repository, Role, Standing};
use crate::id::{
    AccountId, CheckRunId, CheckSuiteId, CommentId, InstallationId, PullId, RepositoryId,
};
use crate::name::{FullName, Login, RepositoryName, Sha};
use crate::webhook::log::Log;

/// The tables. Held under one lock, never across an await or a git operation.
#[derive(Debug)]
pub(crate) struct State {
    last_id: u64,
    pub(crate) accounts: BTreeMap<AccountId, Account>,
    by_login: HashMap<String, AccountId>,
    pub(crate) installations: BTreeMap<InstallationId, AccountId>,
    pub(crate) repositories: BTreeMap<RepositoryId, Repository>,
    pub(crate) pulls: BTreeMap<(RepositoryId, u64), PullRequest>,
    pub(crate) comments: BTreeMap<CommentId, Comment>,
    pub(crate) check_runs: BTreeMap<CheckRunId, CheckRun>,
    pub(crate) suites: BTreeMap<CheckSuiteId, Suite>,
    pub(crate) tokens: Tokens,
    pub(crate) deliveries: Log,
    pub(crate) started_at: Timestamp,
    /// The account the App acts as.
    pub(crate) bot: AccountId,
}

impl State {
    /// Tables with nothing but the App's bot.
    pub(crate) fn new(bot: Login, now: Timestamp) -> Self {
        let id = AccountId::new(FIRST_ID);
        let mut state = Self {
            last_id: FIRST_ID,
            accounts: BTreeMap::new(),
            by_login: HashMap::new(),
            installations: BTreeMap::new(),
            repositories: BTreeMap::new(),
            pulls: BTreeMap::new(),
            comments: BTreeMap::new(),
            check_runs: BTreeMap::new(),
            suites: BTreeMap::new(),
            tokens: Tokens::default(),
            deliveries: Log::default(),
            started_at: now,
            bot: id,
        };
        state.insert_account(Account {
            id,
            login: bot,
            kind: Kind::Bot,
            created_at: now,
        });
        state
    }

    /// The next number of the one id counter.
    pub(crate) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    pub(crate) fn insert_account(&mut self, account: Account) {
        self.by_login
            .insert(account.login.as_str().to_ascii_lowercase(), account.id);
        self.accounts.insert(account.id, account);
    }

    pub(crate) fn find_account(&self, login: &str) -> Option<&Account> {
        let id = self.by_login.get(&login.to_ascii_lowercase())?;
        self.accounts.get(id)
    }

    /// The account behind an id that a record of the state holds.
    pub(crate) fn account(&self, id: AccountId) -> &Account {
        self.accounts.get(&id).expect("accounts are never removed")
    }

    /// The repository behind an id that a record of the state holds.
    pub(crate) fn repository(&self, id: RepositoryId) -> &Repository {
        self.repositories
            .get(&id)
            .expect("repositories are never removed")
    }

    pub(crate) fn find_repository(&self, owner: &str, name: &str) -> Option<&Repository> {
        let owner = self.find_account(owner)?.id;
        self.standing_repositories().find(|repository| {
            repository.owner == owner && repository.name.as_str().eq_ignore_ascii_case(name)
        })
    }

    /// The repositories that were not deleted.
    pub(crate) fn standing_repositories(&self) -> impl Iterator<Item = &Repository> {
        self.repositories
            .values()
            .filter(|repository| repository.standing != Standing::Deleted)
    }

    pub(crate) fn full_name(&self, repository: &Repository) -> FullName {
        FullName::new(
            self.account(repository.owner).login.clone(),
            repository.name.clone(),
        )
    }

    /// The installation that covers a repository: the one on its owner, unless the App was taken
    /// out of it.
    pub(crate) fn installation_of(&self, repository: &Repository) -> Option<InstallationId> {
        match repository.standing {
            Standing::Here => {}
            Standing::WithoutApp | Standing::Deleted => return None,
        }
        self.installations
            .iter()
            .find(|(_, account)| **account == repository.owner)
            .map(|(id, _)| *id)
    }

    /// GitHub's `repository_selection` of the installation on an account.
    pub(crate) fn selection(&self, account: AccountId) -> &'static str {
        let mut own = self.standing_repositories();
        let is_without = |record: &Repository| {
            record.owner == account && record.standing == Standing::WithoutApp
        };
        if own.any(is_without) {
            "selected"
        } else {
            "all"
        }
    }

    /// What an account may do in a repository.
    pub(crate) fn role(&self, repository: &Repository, account: AccountId) -> Role {
        if repository.owner == account {
            return Role::Admin;
        }
        repository
            .roles
            .get(&account)
            .cloned()
            .unwrap_or(Role::None)
    }

    /// The open pull requests of a repository whose head is this commit. Empty for a head in
    /// another repository, as on GitHub.
    pub(crate) fn pulls_at(&self, repository: RepositoryId, sha: &Sha) -> Vec<&PullRequest> {
        self.pulls
            .values()
            .filter(|pull| {
                pull.repository == repository
                    && pull.head.repository == repository
                    && pull.head.sha == *sha
                    && pull.is_open()
            })
            .collect()
    }

    /// The suite of the App on a commit, made if there is none. The second value tells whether
    /// it is new.
    pub(crate) fn suite(
        &mut self,
        repository: RepositoryId,
        sha: &Sha,
        branch: Option<&str>,
        now: Timestamp,
    ) -> (CheckSuiteId, Novelty) {
        let found = self
            .suites
            .values()
            .find(|suite| suite.repository == repository && suite.head_sha == *sha);
        if let Some(suite) = found {
            return (suite.id, Novelty::Known);
        }
        let id = CheckSuiteId::new(self.next_id());
        let suite = Suite {
            id,
            repository,
            head_sha: sha.clone(),
            head_branch: branch.map(str::to_owned),
            created_at: now,
        };
        self.suites.insert(id, suite);
        (id, Novelty::New)
    }

    pub(crate) fn insert_repository(&mut self, mut repository: Repository) -> RepositoryId {
        let id = RepositoryId::new(self.next_id());
        repository.id = id;
        self.repositories.insert(id, repository);
        id
    }

    pub(crate) fn insert_pull(&mut self, mut pull: PullRequest) -> u64 {
        pull.id = PullId::new(self.next_id());
        let number = {
            let repository = self
                .repositories
                .get_mut(&pull.repository)
                .expect("repositories are never removed");
            repository.last_number += 1;
            repository.last_number
        };
        pull.number = number;
        self.pulls.insert((pull.repository, number), pull);
        number
    }

    /// Whether an owner already has a repository of that name.
    pub(crate) fn has_repository(&self, owner: &Login, name: &RepositoryName) -> bool {
        self.find_repository(owner.as_str(), name.as_str())
            .is_some()
    }
}

/// Whether something was there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Novelty {
    New,
    Known,
}

/// Above every pull request number, so that a number taken for an id finds nothing.
const FIRST_ID: u64 = 10_001;
