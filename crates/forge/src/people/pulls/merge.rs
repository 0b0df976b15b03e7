//! Merging a pull request.

use std::path::PathBuf;

use super::not_open;
use crate::forge::{Forge, blocking};
use crate::git::merge::method::{self, MergeMethod, Words};
use crate::git::{GitError, refs};
use crate::id::AccountId;
use crate::name::Sha;
use crate::obstacle;
use crate::people::Refused;
use crate::pull::{Key, merge_title};
use crate::push;
use crate::state::State as Tables;
use crate::state::pull::PullRequest;

/// How [`Forge::merge_pull_with`] merges.
#[derive(Debug, Clone, Copy, Default)]
pub struct MergePull<'text> {
    /// The head that has to be there.
    pub head: Option<&'text Sha>,
    /// The first line of the merge commit's message.
    pub title: Option<&'text str>,
    /// What follows it; else the pull request's title, or its text where it is squashed.
    pub message: Option<&'text str>,
    /// How its commits come to the base.
    pub method: MergeMethod,
}

impl Forge {
    /// Merges a pull request with a merge commit on its base branch, and gives that commit.
    ///
    /// # Errors
    /// When it is missing, not open, blocked or conflicting, or git fails.
    pub async fn merge_pull(&self, name: &str, number: u64, by: &str) -> Result<Sha, Refused> {
        self.merge_pull_with(name, number, by, MergePull::default())
            .await
    }

    /// As [`Self::merge_pull`], by a method and with a message of one's own, or only if the head is
    /// still the one that was looked at. Gives what the base points to then.
    ///
    /// # Errors
    /// When it is missing, not open, blocked or conflicting, when its head is another, or git
    /// fails.
    pub async fn merge_pull_with(
        &self,
        name: &str,
        number: u64,
        by: &str,
        wish: MergePull<'_>,
    ) -> Result<Sha, Refused> {
        let (key, person) = self.pull_key(name, number, by)?;
        let turn = push::begin(&self.shared, key.0, person).await?;
        let merge = Merge::prepare(&self.shared.lock(), key, person, &wish)?;
        let (path, branch) = (merge.path.clone(), merge.branch.clone());
        let made = blocking(move || merge.make()).await?;
        let commit = made.ok_or_else(|| conflict(number, wish.method))?;
        self.shared.lock().merging.insert(key, commit.clone());
        self.shared.recorded().await?;
        let to = commit.clone();
        blocking(move || refs::point(&path, &branch, &to, "merge of a pull request")).await?;
        // The pull request's own event follows from the base branch holding the commit.
        push::settle(&self.shared, turn).await?;
        Ok(commit)
    }
}

/// What git needs for a merge.
struct Merge {
    path: PathBuf,
    branch: String,
    head: Sha,
    method: MergeMethod,
    message: String,
    by: String,
    author: String,
}

impl Merge {
    /// Refuses a pull request that cannot be merged as things are.
    fn prepare(
        state: &Tables,
        key: Key,
        person: AccountId,
        wish: &MergePull<'_>,
    ) -> Result<Self, Refused> {
        let pull = state.pulls.get(&key).filter(|pull| pull.is_open());
        let pull = pull.ok_or_else(|| Refused::State(not_open(key.1)))?;
        if let Some(obstacle) = obstacle::find_direct(state, pull) {
            return Err(obstacle.into());
        }
        if wish.head.is_some_and(|head| *head != pull.head.sha) {
            return Err(Refused::Moved(key.1));
        }
        let login = |id| state.account(id).login.to_string();
        Ok(Self {
            path: state.repository(key.0).path.clone(),
            branch: pull.base.branch.reference(),
            head: pull.head.sha.clone(),
            method: wish.method,
            message: message(state, pull, wish),
            by: login(person),
            author: login(pull.author),
        })
    }

    /// Makes the commit that the base branch is to point to.
    fn make(self) -> Result<Option<Sha>, GitError> {
        let Some(base) = refs::find(&self.path, &self.branch)? else {
            return Ok(None);
        };
        let email = |login: &str| format!("{login}@users.noreply.forge.invalid");
        let words = Words {
            message: &self.message,
            by: (&self.by, &email(&self.by)),
            author: (&self.author, &email(&self.author)),
        };
        method::make(&self.path, self.method, &base, &self.head, &words)
    }
}

fn conflict(number: u64, method: MergeMethod) -> Refused {
    match method {
        MergeMethod::Merge | MergeMethod::Squash | MergeMethod::Rebase => Refused::Conflict(number),
        MergeMethod::FastForward => Refused::State(format!(
            "the base of pull request {number} has commits that its head lacks"
        )),
    }
}

/// What a merge commit or a squashed one says.
fn message(state: &Tables, pull: &PullRequest, wish: &MergePull<'_>) -> String {
    let (title, text) = match wish.method {
        MergeMethod::Squash => (
            format!("{} (#{})", pull.title, pull.number),
            pull.body.as_deref().unwrap_or_default(),
        ),
        // The other two keep the messages that there are.
        MergeMethod::Merge | MergeMethod::Rebase | MergeMethod::FastForward => {
            (merge_title(state, pull), pull.title.as_str())
        }
    };
    let title = wish.title.unwrap_or(&title);
    let text = wish.message.unwrap_or(text);
    format!("{title}\n\n{text}").trim_end().to_owned()
}
