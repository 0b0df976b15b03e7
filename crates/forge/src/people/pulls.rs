//! Pull requests.

use serde_json::json;

use crate::forge::{Forge, blocking};
use crate::git::merge;
use crate::id::{AccountId, PullId};
use crate::name::{Branch, Sha};
use crate::people::{Refused, account, repository};
use crate::pull::{self, Changed, Step};
use crate::push;
use crate::state::State as Tables;
use crate::state::pull::{Base, Head, Mergeability, PullRequest, State};
use crate::webhook::event::PullAction;

/// What [`Forge::open_pull`] needs.
#[derive(Debug, Clone, Copy)]
pub struct OpenPull<'text> {
    /// The repository to change, `owner/name`.
    pub repository: &'text str,
    /// Who opens it.
    pub author: &'text str,
    /// The branch it comes from: `branch`, or `owner:branch` for a fork.
    pub head: &'text str,
    /// The branch it goes to.
    pub base: &'text str,
    /// Its title.
    pub title: &'text str,
    /// Its description.
    pub body: Option<&'text str>,
}

impl Forge {
    /// Opens a pull request and gives its number.
    ///
    /// # Errors
    /// When a repository, branch or person is missing, or git fails.
    pub async fn open_pull(&self, open: OpenPull<'_>) -> Result<u64, Refused> {
        let shared = &self.shared;
        let (target, source, author, branch) = {
            let state = shared.lock();
            let target = repository(&state, open.repository)?;
            let author = account(&state, open.author)?;
            let (source, branch) = match open.head.split_once(':') {
                None => (target, open.head),
                Some((owner, branch)) => {
                    let name = format!("{owner}/{}", target.name);
                    (repository(&state, &name)?, branch)
                }
            };
            let branch: Branch = branch.parse()?;
            (target.id, source.id, author, branch)
        };
        let base: Branch = open.base.parse()?;
        let now = shared.clock.now();
        let opened = pull::open(
            shared,
            PullRequest {
                id: PullId::new(0),
                number: 0,
                repository: target,
                title: open.title.to_owned(),
                body: open.body.map(str::to_owned),
                author,
                head: Head {
                    repository: source,
                    branch,
                    sha: Sha::zero(),
                },
                base: Base {
                    branch: base,
                    sha: Sha::zero(),
                },
                state: State::Open,
                mergeable: Mergeability::Conflicting,
                created_at: now,
                updated_at: now,
            },
        )
        .await?;
        let number = opened.map_err(|missing| Refused::missing("branch", missing.0))?;
        shared.changed();
        Ok(number)
    }

    /// A pull request as it stands.
    #[must_use]
    pub fn find_pull(&self, repository: &str, number: u64) -> Option<PullRequest> {
        let id = self.repository_id(repository).ok()?;
        self.shared.lock().pulls.get(&(id, number)).cloned()
    }

    /// Closes a pull request without a merge.
    ///
    /// # Errors
    /// When it is missing or not open, or git fails.
    pub async fn close_pull(&self, name: &str, number: u64, by: &str) -> Result<(), Refused> {
        let at = self.shared.clock.now();
        self.change_open(name, number, by, |pull| {
            pull.state = State::Closed { at };
            PullAction::Closed
        })
        .await
    }

    /// Opens a closed pull request again.
    ///
    /// # Errors
    /// When it is missing or not closed, when one of its branches is gone, or git fails.
    pub async fn reopen_pull(&self, name: &str, number: u64, by: &str) -> Result<(), Refused> {
        let (key, person) = self.pull_key(name, number, by)?;
        // Nobody looked at its branches while it was closed.
        {
            let state = self.shared.lock();
            let pull = state.pulls.get(&key);
            pull.map(|pull| tips(&state, pull)).transpose()?;
        }
        let now = self.shared.clock.now();
        let changed = pull::change(&self.shared, key, person, |state, pull| {
            let is_closed = matches!(pull.state, State::Closed { .. });
            let (true, Ok((head, base))) = (is_closed, tips(state, pull)) else {
                return Step::Stay;
            };
            (pull.head.sha, pull.base.sha) = (head, base);
            pull.state = State::Open;
            pull.updated_at = now;
            Step::Tell(PullAction::Reopened)
        });
        let changed = changed.await?;
        self.told(changed, || format!("pull request {number} is not closed"))
    }

    /// Gives a pull request another title.
    ///
    /// # Errors
    /// When it is missing or not open, or git fails.
    pub async fn rename_pull(
        &self,
        name: &str,
        number: u64,
        by: &str,
        title: &str,
    ) -> Result<(), Refused> {
        self.change_open(name, number, by, |pull| {
            let old = std::mem::replace(&mut pull.title, title.to_owned());
            PullAction::Edited {
                changes: json!({ "title": { "from": old } }),
            }
        })
        .await
    }

    /// Sends a pull request to another branch of its repository.
    ///
    /// # Errors
    /// When it or the branch is missing, when it is not open, or git fails.
    pub async fn retarget_pull(
        &self,
        name: &str,
        number: u64,
        by: &str,
        base: &str,
    ) -> Result<(), Refused> {
        let branch: Branch = base.parse()?;
        let sha = {
            let state = self.shared.lock();
            let id = repository(&state, name)?.id;
            let tip = state.find_tip(id, &branch).cloned();
            tip.ok_or_else(|| Refused::missing("branch", &branch))?
        };
        self.change_open(name, number, by, |pull| {
            let (branch, sha) = (branch.clone(), sha.clone());
            let old = std::mem::replace(&mut pull.base, Base { branch, sha });
            PullAction::Edited {
                changes: json!({
                    "base": { "ref": { "from": old.branch }, "sha": { "from": old.sha } },
                }),
            }
        })
        .await
    }

    /// Merges a pull request with a merge commit on its base branch, and gives that commit.
    ///
    /// # Errors
    /// When it is missing, not open or conflicting, or git fails.
    pub async fn merge_pull(&self, name: &str, number: u64, by: &str) -> Result<Sha, Refused> {
        let (key, person) = self.pull_key(name, number, by)?;
        let turn = push::begin(&self.shared, key.0, person).await?;
        let (path, base, head, message) = {
            let state = self.shared.lock();
            let pull = state.pulls.get(&key).filter(|pull| pull.is_open());
            let pull = pull.ok_or_else(|| Refused::State(not_open(number)))?;
            let source = state.full_name(state.repository(pull.head.repository));
            let message = format!(
                "Merge pull request #{number} from {}/{}\n\n{}",
                source.owner(),
                pull.head.branch,
                pull.title
            );
            let path = state.repository(key.0).path.clone();
            (
                path,
                pull.base.branch.clone(),
                pull.head.sha.clone(),
                message,
            )
        };
        let merged = blocking(move || merge::perform(&path, &base, &head, &message)).await?;
        // The pull request's own event follows from the base branch holding its head.
        push::settle(&self.shared, turn).await?;
        merged
            .ok_or_else(|| Refused::State(format!("pull request {number} conflicts with its base")))
    }

    /// Changes a pull request that has to be open.
    async fn change_open(
        &self,
        name: &str,
        number: u64,
        by: &str,
        change: impl Fn(&mut PullRequest) -> PullAction,
    ) -> Result<(), Refused> {
        let (key, person) = self.pull_key(name, number, by)?;
        let now = self.shared.clock.now();
        let changed = pull::change(&self.shared, key, person, |_, pull| {
            if !pull.is_open() {
                return Step::Stay;
            }
            pull.updated_at = now;
            Step::Tell(change(pull))
        });
        let changed = changed.await?;
        self.told(changed, || not_open(number))
    }

    fn told(&self, changed: Changed, otherwise: impl Fn() -> String) -> Result<(), Refused> {
        match changed {
            Changed::Yes => {
                self.shared.changed();
                Ok(())
            }
            Changed::No => Err(Refused::State(otherwise())),
        }
    }

    fn pull_key(
        &self,
        name: &str,
        number: u64,
        by: &str,
    ) -> Result<(pull::Key, AccountId), Refused> {
        let state = self.shared.lock();
        let person = account(&state, by)?;
        let key = (repository(&state, name)?.id, number);
        if state.pulls.contains_key(&key) {
            Ok((key, person))
        } else {
            Err(Refused::missing("pull request", number))
        }
    }
}

/// Where the branches of a pull request point.
fn tips(state: &Tables, pull: &PullRequest) -> Result<(Sha, Sha), Refused> {
    let tip = |repository, branch: &Branch| {
        let found = state.find_tip(repository, branch).cloned();
        found.ok_or_else(|| Refused::missing("branch", branch))
    };
    let head = tip(pull.head.repository, &pull.head.branch)?;
    Ok((head, tip(pull.repository, &pull.base.branch)?))
}

fn not_open(number: u64) -> String {
    format!("pull request {number} is not open")
}
