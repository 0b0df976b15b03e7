//! What a start does for an earlier process that ended in the middle of a change of refs.

use std::sync::Arc;

use super::{follow, settle_refs};
use crate::forge::{Shared, blocking};
use crate::git::{self, GitError};
use crate::id::{AccountId, RepositoryId};

/// Does what is left of pushes that were cut off. A repository that cannot be read is named in the
/// log and does not keep the others from being served.
pub(crate) async fn catch_up(shared: &Arc<Shared>) {
    let follows: Vec<_> = {
        let state = shared.lock();
        let marks = state.follows.iter();
        marks.map(|(key, pusher)| (key.clone(), *pusher)).collect()
    };
    for ((repository, branch), pusher) in follows {
        report(follow::follow(shared, repository, pusher, &branch).await);
    }
    for (repository, pusher) in unsettled(shared) {
        report(restore_head(shared, repository).await);
        report(settle_refs(shared, repository, pusher).await);
    }
    shared.lock().merging.retain(|_, _| false);
}

/// All repositories, and to whom a change of each is attributed: to the one whose turn it was, else
/// to the owner.
fn unsettled(shared: &Shared) -> Vec<(RepositoryId, AccountId)> {
    let state = shared.lock();
    state
        .standing_repositories()
        .map(|record| {
            let pusher = state.pushers.get(&record.id).copied();
            (record.id, pusher.unwrap_or(record.owner))
        })
        .collect()
}

/// Git's `HEAD` is changed before the record of it.
async fn restore_head(shared: &Shared, repository: RepositoryId) -> Result<(), GitError> {
    let (path, branch) = {
        let state = shared.lock();
        let record = state.repository(repository);
        (record.path.clone(), record.default_branch.clone())
    };
    blocking(move || git::point_head(&path, &branch)).await
}

fn report(result: Result<(), GitError>) {
    if let Err(error) = result {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "cannot settle what an earlier process left"
        );
    }
}
