//! Merging a pull request.

use super::not_open;
use crate::forge::{Forge, blocking};
use crate::git::merge;
use crate::name::Sha;
use crate::obstacle;
use crate::people::Refused;
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
    /// What follows it; else the pull request's title.
    pub message: Option<&'text str>,
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

    /// As [`Self::merge_pull`], with a message of one's own, or only if the head is still the one
    /// that was looked at.
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
        let (path, base, head, message, login) = {
            let state = self.shared.lock();
            let pull = state.pulls.get(&key).filter(|pull| pull.is_open());
            let pull = pull.ok_or_else(|| Refused::State(not_open(number)))?;
            if let Some(obstacle) = obstacle::find(&state, pull) {
                return Err(obstacle.into());
            }
            if wish.head.is_some_and(|head| *head != pull.head.sha) {
                return Err(Refused::Moved(number));
            }
            (
                state.repository(key.0).path.clone(),
                pull.base.branch.clone(),
                pull.head.sha.clone(),
                message(&state, pull, &wish),
                state.account(person).login.to_string(),
            )
        };
        let merged = blocking(move || {
            let email = format!("{login}@users.noreply.forge.invalid");
            let by = (login.as_str(), email.as_str());
            merge::perform(&path, &base, &head, &message, by)
        })
        .await?;
        // The pull request's own event follows from the base branch holding its head.
        push::settle(&self.shared, turn).await?;
        merged.ok_or(Refused::Conflict(number))
    }
}

/// What a merge commit says.
fn message(state: &Tables, pull: &PullRequest, wish: &MergePull<'_>) -> String {
    let source = state.full_name(state.repository(pull.head.repository));
    let title = wish.title.map_or_else(
        || {
            let (number, owner, branch) = (pull.number, source.owner(), &pull.head.branch);
            format!("Merge pull request #{number} from {owner}/{branch}")
        },
        str::to_owned,
    );
    format!("{title}\n\n{}", wish.message.unwrap_or(&pull.title))
}
