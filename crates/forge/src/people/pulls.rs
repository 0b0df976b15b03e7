//! Pull requests, once they are there.

mod draft;
mod merge;
mod open;

use serde_json::json;

use crate::forge::Forge;
use crate::id::AccountId;
use crate::name::{Branch, Sha};
use crate::people::{Refused, account, refuse_archived, repository};
use crate::pull::{self, Changed, Step};
use crate::shape::Object;
use crate::state::State as Tables;
use crate::state::pull::{Base, PullRequest, State};
use crate::webhook::event::PullAction;

pub use merge::MergePull;
pub use open::OpenPull;
pub(crate) use open::find_source;

/// What [`Forge::edit_pull`] changes.
#[derive(Debug, Clone, Copy, Default)]
pub struct EditPull<'text> {
    /// Another title.
    pub title: Option<&'text str>,
    /// Another description.
    pub body: Option<&'text str>,
}

impl Forge {
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
            pull.head.sha = head;
            pull.base = Base::new(pull.base.branch.clone(), base);
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
        let edit = EditPull {
            title: Some(title),
            body: None,
        };
        self.edit_pull(name, number, by, edit).await
    }

    /// Gives a pull request another title, another text, or both, and tells of it once.
    ///
    /// # Errors
    /// When it is missing or not open, when the title is empty, or git fails.
    pub async fn edit_pull(
        &self,
        name: &str,
        number: u64,
        by: &str,
        edit: EditPull<'_>,
    ) -> Result<(), Refused> {
        if edit.title.is_some_and(|title| title.trim().is_empty()) {
            return Err(Refused::State("a pull request needs a title".to_owned()));
        }
        self.change_open(name, number, by, |pull| {
            let mut changes = Object::new();
            if let Some(title) = edit.title {
                let old = std::mem::replace(&mut pull.title, title.to_owned());
                changes.insert("title".to_owned(), json!({ "from": old }));
            }
            if let Some(body) = edit.body {
                let old = pull.body.replace(body.to_owned()).unwrap_or_default();
                changes.insert("body".to_owned(), json!({ "from": old }));
            }
            PullAction::Edited {
                changes: changes.into(),
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
            let old = std::mem::replace(&mut pull.base, Base::new(branch, sha));
            PullAction::Edited {
                changes: json!({
                    "base": { "ref": { "from": old.branch }, "sha": { "from": old.sha } },
                }),
            }
        })
        .await
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

    pub(super) fn pull_key(
        &self,
        name: &str,
        number: u64,
        by: &str,
    ) -> Result<(pull::Key, AccountId), Refused> {
        let state = self.shared.lock();
        let person = account(&state, by)?;
        let record = repository(&state, name)?;
        refuse_archived(record)?;
        let key = (record.id, number);
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

pub(super) fn not_open(number: u64) -> String {
    format!("pull request {number} is not open")
}
