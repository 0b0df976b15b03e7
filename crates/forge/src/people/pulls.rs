//! Pull requests.

use std::sync::Arc;

use serde_json::json;

use crate::forge::{Forge, blocking};
use crate::git::{merge, refs};
use crate::id::{PullId, RepositoryId};
use crate::name::{Branch, Sha};
use crate::people::{Refused, account, repository};
use crate::push;
use crate::state::pull::{Base, Head, Mergeability, PullRequest, State};
use crate::webhook::event::{self, PullAction};

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
            (
                (target.id, target.path.clone()),
                (source.id, source.path.clone()),
                author,
                branch,
            )
        };
        let base: Branch = open.base.parse()?;
        let head_sha = tip(source.1, &branch).await?;
        let base_sha = tip(target.1, &base).await?;
        let now = shared.clock.now();
        let number = shared.lock().insert_pull(PullRequest {
            id: PullId::new(0),
            number: 0,
            repository: target.0,
            title: open.title.to_owned(),
            body: open.body.map(str::to_owned),
            author,
            head: Head {
                repository: source.0,
                branch,
                sha: head_sha,
            },
            base: Base {
                branch: base,
                sha: base_sha,
            },
            state: State::Open,
            mergeable: Mergeability::Conflicting,
            created_at: now,
            updated_at: now,
        });
        push::refresh(shared, target.0, number).await?;
        event::pull_request(shared, target.0, number, author, PullAction::Opened).await?;
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
        let (id, person) = self.open_one(name, number, by)?;
        Ok(push::close(&self.shared, id, number, person).await?)
    }

    /// Opens a closed pull request again.
    ///
    /// # Errors
    /// When it is missing or not closed, or git fails.
    pub async fn reopen_pull(&self, name: &str, number: u64, by: &str) -> Result<(), Refused> {
        let (id, person) = {
            let mut state = self.shared.lock();
            let person = account(&state, by)?;
            let id = repository(&state, name)?.id;
            let pull = state
                .pulls
                .get_mut(&(id, number))
                .ok_or_else(|| Refused::missing("pull request", number))?;
            match pull.state {
                State::Closed { .. } => pull.state = State::Open,
                State::Open | State::Merged { .. } => {
                    return Err(Refused::State(format!(
                        "pull request {number} is not closed"
                    )));
                }
            }
            (id, person)
        };
        push::refresh(&self.shared, id, number).await?;
        event::pull_request(&self.shared, id, number, person, PullAction::Reopened).await?;
        self.shared.changed();
        Ok(())
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
        let (id, person) = self.open_one(name, number, by)?;
        let now = self.shared.clock.now();
        let old = {
            let mut state = self.shared.lock();
            let pull = state
                .pulls
                .get_mut(&(id, number))
                .expect("it was just found");
            pull.updated_at = now;
            std::mem::replace(&mut pull.title, title.to_owned())
        };
        let action = PullAction::Edited {
            changes: json!({ "title": { "from": old } }),
        };
        event::pull_request(&self.shared, id, number, person, action).await?;
        self.shared.changed();
        Ok(())
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
        let (id, person) = self.open_one(name, number, by)?;
        let branch: Branch = base.parse()?;
        let path = self.shared.lock().repository(id).path.clone();
        let sha = tip(path, &branch).await?;
        let now = self.shared.clock.now();
        let old = {
            let mut state = self.shared.lock();
            let pull = state
                .pulls
                .get_mut(&(id, number))
                .expect("it was just found");
            pull.updated_at = now;
            std::mem::replace(&mut pull.base, Base { branch, sha })
        };
        push::refresh(&self.shared, id, number).await?;
        let action = PullAction::Edited {
            changes: json!({
                "base": { "ref": { "from": old.branch }, "sha": { "from": old.sha } },
            }),
        };
        event::pull_request(&self.shared, id, number, person, action).await?;
        self.shared.changed();
        Ok(())
    }

    /// Merges a pull request with a merge commit on its base branch, and gives that commit.
    ///
    /// # Errors
    /// When it is missing, not open or conflicting, or git fails.
    pub async fn merge_pull(&self, name: &str, number: u64, by: &str) -> Result<Sha, Refused> {
        let (id, person) = self.open_one(name, number, by)?;
        let (path, lock, base, head, message) = {
            let state = self.shared.lock();
            let pull = state.pulls.get(&(id, number)).expect("it was just found");
            let record = state.repository(id);
            let source = state.full_name(state.repository(pull.head.repository));
            let message = format!(
                "Merge pull request #{number} from {}/{}\n\n{}",
                source.owner(),
                pull.head.branch,
                pull.title
            );
            let lock = Arc::clone(&record.refs_lock);
            (
                record.path.clone(),
                lock,
                pull.base.branch.clone(),
                pull.head.sha.clone(),
                message,
            )
        };
        let _held = lock.lock_owned().await;
        let (before, merged) = blocking(move || {
            let before = refs::read(&path)?;
            Ok((before, merge::perform(&path, &base, &head, &message)?))
        })
        .await?;
        let Some(commit) = merged else {
            return Err(Refused::State(format!(
                "pull request {number} conflicts with its base"
            )));
        };
        // The pull request's own event follows from the base branch holding its head.
        push::settle(&self.shared, id, person, before).await?;
        Ok(commit)
    }

    fn open_one(
        &self,
        name: &str,
        number: u64,
        by: &str,
    ) -> Result<(RepositoryId, crate::id::AccountId), Refused> {
        let state = self.shared.lock();
        let person = account(&state, by)?;
        let id = repository(&state, name)?.id;
        let pull = state
            .pulls
            .get(&(id, number))
            .ok_or_else(|| Refused::missing("pull request", number))?;
        if pull.is_open() {
            Ok((id, person))
        } else {
            Err(Refused::State(format!("pull request {number} is not open")))
        }
    }
}

async fn tip(path: std::path::PathBuf, branch: &Branch) -> Result<Sha, Refused> {
    let reference = branch.reference();
    let refs = blocking(move || refs::read(&path)).await?;
    refs.get(&reference)
        .map(|tip| Sha::from_oid(*tip))
        .ok_or_else(|| Refused::missing("branch", branch))
}
