//! Everything the forge knows besides git itself. It is read in memory; every change of it is
//! written to the database too (see `records`), and a forge that starts anew finds it there.

pub(crate) mod access;
pub(crate) mod account;
pub(crate) mod check_run;
pub(crate) mod comment;
pub(crate) mod counter;
pub(crate) mod installation;
pub(crate) mod pull;
pub(crate) mod queue;
pub(crate) mod repository;
pub(crate) mod review;
pub(crate) mod rule;
pub(crate) mod table;
pub(crate) mod team;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use self::access::Tokens;
use self::account::{Account, Kind};
use self::check_run::{CheckRun, Conclusion, Status, Suite};
use self::comment::Comment;
use self::counter::Counters;
use self::installation::Suspension;
use self::pull::PullRequest;
use self::queue::Entry;
use self::repository::{Repository, Role, Standing, Visibility};
use self::review::{Review, ReviewComment};
use self::rule::{MergeQueue, Rule};
use self::table::Table;
use self::team::Team;
use crate::id::{
    AccountId, CheckRunId, CheckSuiteId, CommentId, CommentKind, InstallationId, Numbered,
    RepositoryId, ReviewCommentId, ReviewId,
};
use crate::name::{Branch, FullName, Login, RepositoryName, Sha};
use crate::webhook::log::Log;

/// The tables. Held under one lock, never across an await or a git operation.
#[derive(Debug)]
pub(crate) struct State {
    counters: Counters,
    /// Those of which the database was told.
    told_counters: Option<Counters>,
    pub(crate) accounts: Table<AccountId, Account>,
    by_login: BTreeMap<String, AccountId>,
    /// Teams by their organisation and their name in URLs.
    pub(crate) teams: Table<(AccountId, String), Team>,
    pub(crate) installations: Table<InstallationId, AccountId>,
    /// The installations that are suspended.
    pub(crate) suspensions: Table<InstallationId, Suspension>,
    pub(crate) repositories: Table<RepositoryId, Repository>,
    /// The names, in lower case, that repositories had until they were renamed or transferred.
    pub(crate) old_names: Table<(AccountId, String), RepositoryId>,
    /// Deleted repositories whose folders are still to be removed.
    pub(crate) leftovers: Table<RepositoryId, ()>,
    /// What branches and tags pointed to when they were last settled, by their full names.
    pub(crate) refs: Table<(RepositoryId, String), Sha>,
    /// Who is changing a repository's refs now.
    pub(crate) pushers: Table<RepositoryId, AccountId>,
    /// Branches whose change was announced and is yet to be followed by the pull requests it is
    /// about, and who changed them.
    pub(crate) follows: Table<(RepositoryId, String), AccountId>,
    /// The rules of branches, by the branch's name.
    pub(crate) rules: Table<(RepositoryId, String), Rule>,
    /// Commits that a base branch is being moved to so that a pull request is merged.
    pub(crate) merging: Table<(RepositoryId, u64), Sha>,
    /// Pull requests in merge queues.
    pub(crate) queue: Table<(RepositoryId, u64), Entry>,
    pub(crate) pulls: Table<(RepositoryId, u64), PullRequest>,
    pub(crate) comments: Table<CommentId, Comment>,
    pub(crate) reviews: Table<ReviewId, Review>,
    pub(crate) review_comments: Table<ReviewCommentId, ReviewComment>,
    pub(crate) check_runs: Table<CheckRunId, CheckRun>,
    pub(crate) suites: Table<CheckSuiteId, Suite>,
    pub(crate) tokens: Tokens,
    pub(crate) deliveries: Log,
    /// When the forge first started.
    pub(crate) started_at: Timestamp,
    /// The account the App acts as.
    pub(crate) bot: AccountId,
}

/// What there is once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    #[serde(flatten)]
    counters: Counters,
    bot: AccountId,
    started_at: Timestamp,
}

impl State {
    /// Tables with nothing but the App's bot.
    pub(crate) fn new(bot: Login, now: Timestamp) -> Self {
        let mut counters = Counters::default();
        let id = AccountId::numbered(counters.next(AccountId::SEQUENCE));
        let mut state = Self::empty(&Head {
            counters,
            bot: id,
            started_at: now,
        });
        state.told_counters = None;
        state.insert_account(Account {
            id,
            login: bot,
            kind: Kind::Bot,
            created_at: now,
        });
        state
    }

    /// Tables to be filled with the rows that an earlier process wrote.
    pub(crate) fn empty(head: &Head) -> Self {
        Self {
            counters: head.counters.clone(),
            told_counters: Some(head.counters.clone()),
            accounts: Table::default(),
            by_login: BTreeMap::new(),
            teams: Table::default(),
            installations: Table::default(),
            suspensions: Table::default(),
            repositories: Table::default(),
            old_names: Table::default(),
            leftovers: Table::default(),
            refs: Table::default(),
            pushers: Table::default(),
            follows: Table::default(),
            rules: Table::default(),
            merging: Table::default(),
            queue: Table::default(),
            pulls: Table::default(),
            comments: Table::default(),
            reviews: Table::default(),
            review_comments: Table::default(),
            check_runs: Table::default(),
            suites: Table::default(),
            tokens: Tokens::default(),
            deliveries: Log::default(),
            started_at: head.started_at,
            bot: head.bot,
        }
    }

    /// Makes what follows from the rows, once they are there: where repositories lie in `data`, and
    /// who has which login. The App's bot is called `bot` from now on.
    pub(crate) fn complete(&mut self, data: &Path, bot: Login) {
        self.by_login = self
            .accounts
            .values()
            .map(|account| (login_key(account.login.as_str()), account.id))
            .collect();
        let mut repositories = BTreeMap::clone(&self.repositories);
        for record in repositories.values_mut() {
            let owner = &self.account(record.owner).login;
            let made_at = || repository::folder(owner, &record.name);
            let folder = record.folder.clone().unwrap_or_else(made_at);
            record.path = repository::root(data).join(folder);
        }
        self.repositories = Table::from(repositories);
        self.deliveries.wait_for_address();
        let mut account = self.account(self.bot).clone();
        if account.login != bot {
            self.by_login.remove(&login_key(account.login.as_str()));
            account.login = bot;
            self.insert_account(account);
        }
    }

    /// What there is once, if it changed since the last call.
    pub(crate) fn take_head(&mut self) -> Option<Head> {
        if self.told_counters.as_ref() == Some(&self.counters) {
            return None;
        }
        self.told_counters = Some(self.counters.clone());
        Some(Head {
            counters: self.counters.clone(),
            bot: self.bot,
            started_at: self.started_at,
        })
    }

    /// The next id of its kind.
    pub(crate) fn next_id<T: Numbered>(&mut self) -> T {
        T::numbered(self.counters.next(T::SEQUENCE))
    }

    /// The id of the next comment of a kind.
    pub(crate) fn next_comment(&mut self, kind: CommentKind) -> CommentId {
        CommentId::new(kind, self.counters.next(kind.sequence()))
    }

    pub(crate) fn insert_account(&mut self, account: Account) {
        self.by_login
            .insert(login_key(account.login.as_str()), account.id);
        self.accounts.insert(account.id, account);
    }

    pub(crate) fn find_account(&self, login: &str) -> Option<&Account> {
        let id = self.by_login.get(&login_key(login))?;
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

    /// The repository that had a name until it was renamed or transferred, unless another one has
    /// taken it.
    pub(crate) fn find_moved(&self, owner: &str, name: &str) -> Option<&Repository> {
        if self.find_repository(owner, name).is_some() {
            return None;
        }
        let key = (self.find_account(owner)?.id, name.to_ascii_lowercase());
        let moved = self.repository(*self.old_names.get(&key)?);
        (moved.standing != Standing::Deleted).then_some(moved)
    }

    /// The repository that has a name, or had it.
    pub(crate) fn find_by_any_name(&self, owner: &str, name: &str) -> Option<&Repository> {
        self.find_repository(owner, name)
            .or_else(|| self.find_moved(owner, name))
    }

    /// Gives a repository another owner and name, which must be free. The old one leads to it.
    pub(crate) fn move_repository(
        &mut self,
        id: RepositoryId,
        owner: AccountId,
        name: RepositoryName,
    ) {
        self.old_names
            .remove(&(owner, name.as_str().to_ascii_lowercase()));
        let record = self.repository(id);
        let was = (record.owner, record.name.as_str().to_ascii_lowercase());
        let made_at = repository::folder(&self.account(record.owner).login, &record.name);
        self.old_names.insert(was, id);
        let record = self
            .repositories
            .get_mut(&id)
            .expect("repositories are never removed");
        record.folder.get_or_insert(made_at);
        record.owner = owner;
        record.name = name;
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

    /// The installation that covers a repository: the one on its owner, unless that is suspended or
    /// the App was taken out of the repository.
    pub(crate) fn installation_of(&self, repository: &Repository) -> Option<InstallationId> {
        match repository.standing {
            Standing::Here => {}
            Standing::WithoutApp | Standing::Deleted => return None,
        }
        self.installation_on(repository.owner)
            .filter(|id| !self.suspensions.contains_key(id))
    }

    /// The installation on an account, be it suspended or not.
    pub(crate) fn installation_on(&self, account: AccountId) -> Option<InstallationId> {
        self.installations
            .iter()
            .find(|(_, on)| **on == account)
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

    /// What an account may do in a repository: what it was given there, and to read what is public.
    pub(crate) fn role(&self, repository: &Repository, account: AccountId) -> Role {
        let given = self.given_role(repository, account);
        match repository.visibility {
            Visibility::Public if given == Role::None => Role::Read,
            Visibility::Public | Visibility::Private => given,
        }
    }

    /// The role that an account was given in a repository.
    pub(crate) fn given_role(&self, repository: &Repository, account: AccountId) -> Role {
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

    /// The check runs on a commit, newest first.
    pub(crate) fn runs_on<'state>(
        &'state self,
        repository: RepositoryId,
        sha: &'state Sha,
    ) -> impl Iterator<Item = &'state CheckRun> {
        let all = self.check_runs.values().rev();
        all.filter(move |run| run.repository == repository && run.head_sha == *sha)
    }

    /// The newest check run of each name on a commit, newest first.
    pub(crate) fn newest_runs_on<'state>(
        &'state self,
        repository: RepositoryId,
        sha: &'state Sha,
    ) -> impl Iterator<Item = &'state CheckRun> {
        let mut names = BTreeSet::new();
        self.runs_on(repository, sha)
            .filter(move |run| names.insert(run.name.as_str()))
    }

    /// How the newest check runs on a commit ended together, once all of them have.
    pub(crate) fn verdict(&self, repository: RepositoryId, sha: &Sha) -> Option<Conclusion> {
        let conclusions: Option<Vec<_>> = self
            .newest_runs_on(repository, sha)
            .map(|run| run.status.conclusion())
            .collect();
        Conclusion::of_suite(conclusions?)
    }

    /// Ends the check runs that were unfinished for too long. As on GitHub, nobody is told.
    pub(crate) fn end_overdue_runs(&mut self, now: Timestamp) {
        let overdue: Vec<_> = self
            .check_runs
            .values()
            .filter(|run| run.is_overdue(now))
            .map(|run| run.id)
            .collect();
        for id in overdue {
            if let Some(run) = self.check_runs.get_mut(&id) {
                let conclusion = Conclusion::Stale;
                run.status = Status::Completed {
                    conclusion,
                    at: now,
                };
            }
        }
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
        let id = self.next_id();
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
        let name = repository.name.as_str().to_ascii_lowercase();
        self.old_names.remove(&(repository.owner, name));
        let id = self.next_id();
        repository.id = id;
        self.repositories.insert(id, repository);
        id
    }

    /// The number of a repository's next pull request. Taken, whether it is opened or not.
    pub(crate) fn next_pull_number(&mut self, repository: RepositoryId) -> u64 {
        let repository = self
            .repositories
            .get_mut(&repository)
            .expect("repositories are never removed");
        repository.last_number += 1;
        repository.last_number
    }

    pub(crate) fn insert_pull(&mut self, mut pull: PullRequest) {
        pull.id = self.next_id();
        self.pulls.insert((pull.repository, pull.number), pull);
    }

    /// The rule of a branch, if it has one.
    pub(crate) fn find_rule(&self, repository: RepositoryId, branch: &Branch) -> Option<&Rule> {
        self.rules.get(&(repository, branch.to_string()))
    }

    /// Whether a branch has a merge queue.
    pub(crate) fn has_queue(&self, repository: RepositoryId, branch: &Branch) -> bool {
        let rule = self.find_rule(repository, branch);
        rule.is_some_and(|rule| rule.queue == MergeQueue::On)
    }

    /// What a branch pointed to when the repository was last settled.
    pub(crate) fn find_tip(&self, repository: RepositoryId, branch: &Branch) -> Option<&Sha> {
        self.refs.get(&(repository, branch.reference()))
    }

    /// What all branches and tags of a repository pointed to when it was last settled.
    pub(crate) fn refs_of(&self, repository: RepositoryId) -> impl Iterator<Item = (&str, &Sha)> {
        self.refs
            .range((repository, String::new())..)
            .take_while(move |((of, _), _)| *of == repository)
            .map(|((_, name), sha)| (name.as_str(), sha))
    }

    /// Whether an owner already has a repository of that name.
    pub(crate) fn has_repository(&self, owner: &Login, name: &RepositoryName) -> bool {
        self.find_repository(owner.as_str(), name.as_str())
            .is_some()
    }
}

/// Logins are compared without regard to case.
fn login_key(login: &str) -> String {
    login.to_ascii_lowercase()
}

/// Whether something was there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Novelty {
    New,
    Known,
}
