//! Merge queues.

use crate::forge::Forge;
use crate::id::RepositoryId;
use crate::name::{Branch, Sha};
use crate::obstacle;
use crate::people::pulls::not_open;
use crate::people::{Refused, repository};
use crate::pull::Key;
use crate::queue;
use crate::state::State;
use crate::state::pull::{Mergeability, PullRequest};
use crate::state::queue::{Entry, Reason};
use crate::state::rule::MergeQueue;
use crate::webhook::event::{self, PullAction};

/// A pull request in a merge queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    /// Its number.
    pub number: u64,
    /// The branch of its group, and the commit on it; none while there is no group.
    pub group: Option<(Branch, Sha)>,
}

impl Forge {
    /// Gives a branch a merge queue, or takes it away with all that is in it.
    ///
    /// # Errors
    /// When the repository is missing, the branch's name is none, or git fails.
    pub async fn set_merge_queue(
        &self,
        name: &str,
        branch: &str,
        queue: MergeQueue,
    ) -> Result<(), Refused> {
        self.change_rule(name, branch, |rule| rule.queue = queue)?;
        self.advance(name).await
    }

    /// Puts a pull request at the end of its base branch's merge queue. Its group is made, and checks
    /// are asked for, unless the one before it is not that far.
    ///
    /// # Errors
    /// When it is missing, not open, conflicting, blocked or queued already, when its base has no
    /// queue, or git fails.
    pub async fn enqueue(&self, name: &str, number: u64, by: &str) -> Result<(), Refused> {
        let (key, person) = self.pull_key(name, number, by)?;
        let distance = event::distance(&self.shared, key.0, number).await?;
        {
            let mut state = self.shared.lock();
            let pull = admit(&state, key)?;
            let (branch, head) = (pull.base.branch.clone(), pull.head.sha.clone());
            let place = state.next_id();
            let entry = Entry {
                place,
                branch,
                by: person,
                head,
                group: None,
                leaves: None,
            };
            state.queue.insert(key, entry);
            let action = PullAction::Enqueued;
            event::pull_request(&self.shared, &mut state, key, person, action, distance);
        }
        self.advance(name).await
    }

    /// Takes a pull request out of the merge queue.
    ///
    /// # Errors
    /// When it is missing or not in the queue, or git fails.
    pub async fn dequeue(&self, name: &str, number: u64, by: &str) -> Result<(), Refused> {
        let (key, person) = self.pull_key(name, number, by)?;
        {
            let mut state = self.shared.lock();
            let entry = state.queue.get_mut(&key);
            let missing = || Refused::missing("entry of a merge queue", number);
            let entry = entry.ok_or_else(missing)?;
            (entry.leaves, entry.by) = (Some(Reason::Manual), person);
        }
        self.advance(name).await
    }

    /// Lets the time be up for the checks of all that is in a branch's merge queue.
    ///
    /// # Errors
    /// When the repository is missing, the branch's name is none, or git fails.
    pub async fn expire_merge_queue(&self, name: &str, branch: &str) -> Result<(), Refused> {
        let branch: Branch = branch.parse()?;
        {
            let mut state = self.shared.lock();
            let id = repository(&state, name)?.id;
            let keys: Vec<_> = waiting(&state, id, &branch).map(|(key, _)| key).collect();
            for key in keys {
                if let Some(entry) = state.queue.get_mut(&key) {
                    entry.leaves.get_or_insert(Reason::Timeout);
                }
            }
        }
        self.advance(name).await
    }

    /// What is in a branch's merge queue, the first one first.
    #[must_use]
    pub fn merge_queue(&self, name: &str, branch: &str) -> Vec<Queued> {
        let state = self.shared.lock();
        let (Ok(record), Ok(branch)) = (repository(&state, name), branch.parse()) else {
            return Vec::new();
        };
        let mut queue: Vec<_> = waiting(&state, record.id, &branch).collect();
        queue.sort_by_key(|(_, entry)| entry.place);
        let queued = queue.into_iter().map(|((_, number), entry)| {
            let group = entry.group.as_ref();
            let group = group.map(|group| {
                let branch = entry.group_branch(number, &group.base);
                (branch, group.head.clone())
            });
            Queued { number, group }
        });
        queued.collect()
    }

    async fn advance(&self, name: &str) -> Result<(), Refused> {
        let id = self.repository_id(name)?;
        self.shared.changed();
        Ok(queue::advance(&self.shared, id).await?)
    }
}

/// A pull request that may be put into the queue.
fn admit(state: &State, key: Key) -> Result<&PullRequest, Refused> {
    let pull = state.pulls.get(&key).filter(|pull| pull.is_open());
    let pull = pull.ok_or_else(|| Refused::State(not_open(key.1)))?;
    let (number, branch) = (key.1, &pull.base.branch);
    if !state.has_queue(key.0, branch) {
        let problem = format!("the branch {branch} has no merge queue");
        return Err(Refused::State(problem));
    }
    if state.queue.contains_key(&key) {
        let problem = format!("pull request {number} is in the merge queue already");
        return Err(Refused::State(problem));
    }
    if let Some(obstacle) = obstacle::find(state, pull) {
        return Err(obstacle.into());
    }
    match pull.mergeable {
        Mergeability::Clean(_) => Ok(pull),
        Mergeability::Conflicting => Err(Refused::Conflict(number)),
    }
}

fn waiting<'state>(
    state: &'state State,
    repository: RepositoryId,
    branch: &Branch,
) -> impl Iterator<Item = (Key, &'state Entry)> {
    let of_repository = state.queue.range((repository, 0)..=(repository, u64::MAX));
    of_repository
        .filter(move |(_, entry)| entry.branch == *branch)
        .map(|(key, entry)| (*key, entry))
}
