//! Merge queues: groups are made, checked, and become the base.
//!
//! Each pull request in the queue of a branch gets a group: a merge of it with all that is before it,
//! on a branch `gh-readonly-queue/BASE/pr-NUMBER-SHA`. The base moves to the first group once all
//! required checks have passed on that. Who leaves the queue in another way takes the groups behind
//! along, and these are made anew.
//!
//! What is to be done follows from the tables alone ([`step`]), and one step is done at a time, in a
//! turn of the repository's refs ([`carry_out`]). A step can be done again where a crash cut it off:
//! a start goes on with what is left. A task of the forge looks after every change.

mod carry_out;
mod step;

use std::collections::BTreeSet;
use std::sync::Arc;

use thiserror::Error;

use crate::forge::Shared;
use crate::git::GitError;
use crate::id::RepositoryId;
use crate::push;
use crate::records::Unrecorded;

/// A queue cannot go on.
#[derive(Debug, Error)]
pub(crate) enum Stuck {
    /// Git could not.
    #[error(transparent)]
    Git(#[from] GitError),
    /// It cannot be recorded.
    #[error(transparent)]
    Unrecorded(#[from] Unrecorded),
}

/// Does what there is to do in the queues of a repository.
pub(crate) async fn advance(shared: &Arc<Shared>, repository: RepositoryId) -> Result<(), Stuck> {
    loop {
        let Some(wanted) = step::find(&shared.lock(), repository) else {
            return Ok(());
        };
        let turn = push::begin(shared, repository, wanted.by).await?;
        // Somebody else may have changed the queue, or done the step.
        let still = step::find(&shared.lock(), repository).filter(|still| *still == wanted);
        match still {
            Some(step) => carry_out::carry_out(shared, turn, step).await?,
            None => push::settle(shared, turn).await?,
        }
        shared.changed();
    }
}

/// Does what there is to do in all queues. What one cannot do is logged, and tried again after the
/// next change.
pub(crate) async fn advance_all(shared: &Arc<Shared>) {
    let repositories: BTreeSet<_> = {
        let state = shared.lock();
        state
            .queue
            .keys()
            .map(|(repository, _)| *repository)
            .collect()
    };
    for repository in repositories {
        if let Err(error) = advance(shared, repository).await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "a merge queue cannot go on"
            );
        }
    }
}

/// Looks after all queues whenever something changed.
pub(crate) async fn attend(shared: Arc<Shared>) {
    let mut changes = shared.changes();
    while changes.changed().await.is_ok() {
        advance_all(&shared).await;
    }
}
