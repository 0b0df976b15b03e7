//! Looking at a target again: from the last commit planned to the head as it is now.
//!
//! Only the present counts. Whatever events came, doubled, late or not at all, the end is the same:
//! the difference between what was planned and what is there is planned.

mod commit;
mod pull;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use api::id::{CommitSha, RecipeFolder};
use tokio::sync::Semaphore;

use super::channel::{self, Snapshot};
use super::{Backoff, Summit, keyed, read};
use crate::db::{ChangeError, Look, Merge, Repository, look_key};
use crate::domain::build::Target;
use crate::domain::name::RepositoryId;
use crate::domain::plan::{Again, Candidate, Frame};
use crate::git::{self, FETCH_TIMEOUT};
use crate::github;
use commit::{Changes, commit_plan, done};
use pull::put_merge;

/// How many repositories are looked at side by side.
const PARALLEL: usize = 4;

/// The longest pause before a look that failed is repeated; the repository's other targets wait
/// for it too.
const PATIENCE: Duration = Duration::from_secs(5);

/// A look that has to be repeated.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// GitHub did not answer.
    #[error(transparent)]
    GitHub(#[from] github::Error),
    /// The mirror could not be fetched or read.
    #[error(transparent)]
    Git(#[from] git::Error),
    /// vessel did not answer.
    #[error(transparent)]
    Channel(#[from] channel::Error),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] moss_db::Error),
    /// A build could not be superseded.
    #[error(transparent)]
    Change(#[from] ChangeError),
}

/// One task looks at all targets of a repository, so that its mirror is fetched into by one at a
/// time, and a repository that is slow to answer holds up no other.
pub(super) async fn work(summit: Arc<Summit>) {
    let places = Arc::new(Semaphore::new(PARALLEL));
    let look = |repository, ()| {
        let (summit, places) = (Arc::clone(&summit), Arc::clone(&places));
        async move { summit.look_at_repository(repository, &places).await }
    };
    let wake = &summit.wakes.looks;
    keyed::run(wake, "the wishes for looks", || summit.wanted(), look).await;
}

/// What a look found.
struct Found {
    candidates: Vec<Candidate>,
    /// The folders of recipes that are no more.
    removed: Vec<RecipeFolder>,
    head: CommitSha,
    source_date_epoch: i64,
    /// True when the target was never planned, so that only what the channel lacks is built.
    first: bool,
}

/// What a look at a pull request knows beside what it found.
#[derive(Default)]
struct PullFacts {
    /// The author's login, when nothing of it may be run.
    unapproved: Option<String>,
    merge: Option<Merge>,
}

impl Summit {
    /// The repositories with targets to be looked at.
    async fn wanted(&self) -> Result<Vec<(RepositoryId, ())>, moss_db::Error> {
        let tables = self.tables.clone();
        self.db
            .query(move |txn| {
                let looks = tables.looks.iter(txn)?;
                let mut wanted = looks
                    .map(|row| Ok((row?.1.repository, ())))
                    .collect::<Result<Vec<_>, moss_db::Error>>()?;
                wanted.dedup();
                Ok(wanted)
            })
            .await
    }

    /// Looks at the targets of a repository until none is left to be looked at.
    async fn look_at_repository(self: &Arc<Self>, repository: RepositoryId, places: &Semaphore) {
        let mut backoff = Backoff::up_to(PATIENCE);
        loop {
            let tables = self.tables.clone();
            let looks = self
                .db
                .query(move |txn| {
                    let looks = tables.looks.iter_prefix(txn, &repository.number())?;
                    looks
                        .map(|row| Ok(row?.1))
                        .collect::<Result<Vec<Look>, moss_db::Error>>()
                })
                .await;
            let mut good = true;
            match looks {
                Ok(looks) if looks.is_empty() => return,
                Ok(looks) => {
                    let Ok(_place) = places.acquire().await else {
                        return;
                    };
                    for look in looks {
                        good &= self.look_once(look).await;
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "the wishes for looks cannot be read");
                    good = false;
                }
            }
            if good {
                backoff.reset();
            } else {
                backoff.wait().await;
            }
        }
    }

    /// False when the look has to be repeated.
    async fn look_once(self: &Arc<Self>, look: Look) -> bool {
        match self.look(&look).await {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(
                    repository.id = %look.repository,
                    target = %look.target,
                    error = %service::error::Chain(&error),
                    "a look failed and is repeated"
                );
                false
            }
        }
    }

    /// Plans what is to be built for a target, and takes the wish away.
    ///
    /// # Errors
    /// When it has to be repeated.
    pub async fn look(self: &Arc<Self>, look: &Look) -> Result<(), Error> {
        let tables = self.tables.clone();
        let id = look.repository.number();
        let repository = self
            .db
            .query(move |txn| tables.repositories.find(txn, &id))
            .await?;
        let Some(repository) = repository else {
            return self.looked(look.clone()).await;
        };
        match look.target.clone() {
            Target::Branch { name } => self.look_at_branch(look, &repository, &name).await,
            Target::Pull { number } => self.look_at_pull(look, &repository, number).await,
        }
    }

    /// Plans a default branch, and has pull requests looked at that any branch no longer merges
    /// with as it did.
    async fn look_at_branch(
        self: &Arc<Self>,
        look: &Look,
        repository: &Repository,
        branch: &str,
    ) -> Result<(), Error> {
        let is_published = repository.default_branch == branch;
        if !is_published && self.merges_into(look.repository, branch).await?.is_empty() {
            return self.looked(look.clone()).await;
        }
        let git_ref = look.target.git_ref();
        self.fetch(look, repository, vec![git_ref.clone()]).await?;
        self.follow_branch(look.repository, branch).await?;
        if !is_published {
            return self.looked(look.clone()).await;
        }
        let planned = self.find_planned(look).await?;
        let row = repository.clone();
        let found = self
            .read(look, repository, move |mirror| {
                let head = mirror.find_ref(&git_ref)?;
                let Some(head) = head.filter(|head| planned != Some(*head)) else {
                    return Ok(None);
                };
                let base = planned.filter(|planned| mirror.has(*planned));
                Ok(Some(find(mirror, &row, &git_ref, base, head)?))
            })
            .await?;
        let Some(found) = found else {
            return self.looked(look.clone()).await;
        };
        self.plan(look, found, planned, PullFacts::default()).await
    }

    async fn find_planned(&self, look: &Look) -> Result<Option<CommitSha>, moss_db::Error> {
        let tables = self.tables.clone();
        let key = look_key(look.repository, &look.target);
        self.db
            .query(move |txn| tables.planned.find(txn, &key))
            .await
    }

    /// Fetches `refs` into the mirror.
    async fn fetch(
        &self,
        look: &Look,
        repository: &Repository,
        refs: Vec<String>,
    ) -> Result<(), Error> {
        let token = self
            .app
            .clone_token(repository.installation, look.repository)
            .await?;
        let url = repository.clone_url.clone();
        self.read(look, repository, move |mirror| {
            mirror.fetch(&url, Some(&token), &refs)
        })
        .await
    }

    /// Does something with the mirror, on a thread where that may block.
    async fn read<T: Send + 'static>(
        &self,
        look: &Look,
        repository: &Repository,
        work: impl FnOnce(&git::Mirror) -> Result<T, git::Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (mirrors, id) = (self.mirrors.clone(), look.repository);
        let url = repository.clone_url.to_string();
        let work = tokio::task::spawn_blocking(move || work(&mirrors.open(id)?));
        // A server that is silent does not end the thread, but must not end all looks with it.
        match tokio::time::timeout(FETCH_TIMEOUT * 2, work).await {
            Ok(read) => Ok(read.expect("reading a mirror does not panic")?),
            Err(_) => Err(Error::Git(git::Error::TimedOut { url })),
        }
    }

    async fn plan(
        self: &Arc<Self>,
        look: &Look,
        mut found: Found,
        base: Option<CommitSha>,
        pull: PullFacts,
    ) -> Result<(), Error> {
        let snapshot = self.channel.snapshot().await?;
        let released = snapshot.releases();
        if found.first && look.target.is_published() {
            found
                .candidates
                .retain(|candidate| is_lacking(candidate, &released));
        }
        add_provided(&mut found.candidates, &snapshot);
        let frame = Frame {
            repository: look.repository,
            target: look.target.clone(),
            commit: found.head,
            source_date_epoch: found.source_date_epoch,
            now: self.clock.now(),
            again: Again::No,
            unapproved: pull.unapproved,
            conflict: pull.merge.as_ref().and_then(|merge| merge.conflict.clone()),
        };
        let tables = self.tables.clone();
        let look = look.clone();
        self.db
            .submit(move |txn| {
                // Another look may have come first; then this one saw an older state.
                let key = look_key(look.repository, &look.target);
                if tables.planned.find(txn, &key)? != base {
                    return Ok(());
                }
                let changes = Changes {
                    candidates: found.candidates,
                    removed: found.removed,
                };
                commit_plan(&tables, txn, &frame, changes, &released)?;
                tables.planned.put(txn, &key, &frame.commit)?;
                if let Some(merge) = &pull.merge {
                    put_merge(&tables, txn, &look, merge)?;
                }
                done(&tables, txn, &look)
            })
            .await
            .map_err(Error::Change)?;
        self.builds_moved();
        Ok(())
    }

    async fn looked(&self, look: Look) -> Result<(), Error> {
        let tables = self.tables.clone();
        self.db
            .submit(move |txn| done(&tables, txn, &look))
            .await
            .map_err(Error::Change)
    }
}

/// The recipes that differ between `base` and `head`, which is kept from now on.
fn find(
    mirror: &git::Mirror,
    repository: &Repository,
    git_ref: &str,
    base: Option<CommitSha>,
    head: CommitSha,
) -> Result<Found, git::Error> {
    let changes = mirror.changed_recipes(base, head)?;
    mirror.keep(&format!("{}/{head}", git_ref.replace('/', "-")), head)?;
    Ok(Found {
        candidates: read::candidates(mirror, repository, head, changes.changed)?,
        removed: changes.removed,
        head,
        source_date_epoch: mirror.author_time(head)?,
        first: base.is_none(),
    })
}

/// A recipe is expected to provide what its published packages do, also where its folder holds no
/// manifest of them.
fn add_provided(candidates: &mut [Candidate], snapshot: &Snapshot) {
    let published = snapshot.provides();
    for candidate in candidates {
        if let Ok(recipe) = &mut candidate.recipe
            && let Some(provides) = published.get(recipe.name.as_str())
        {
            recipe.provides.extend(provides.iter().copied().cloned());
            recipe.provides.sort();
            recipe.provides.dedup();
        }
    }
}

/// True when the channel does not have the recipe's release.
fn is_lacking(candidate: &Candidate, released: &HashMap<String, u64>) -> bool {
    match &candidate.recipe {
        Ok(recipe) => released
            .get(recipe.name.as_str())
            .is_none_or(|have| recipe.release > *have),
        Err(_) => true,
    }
}
