//! Looking at a target again: from the last commit planned to the head as it is now.
//!
//! Only the present counts. Whatever events came, doubled, late or not at all, the end is the same:
//! the difference between what was planned and what is there is planned.

mod commit;
mod gone;
pub(super) mod names;
mod plan;
mod pull;
mod released;
#[cfg(test)]
mod replay;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use api::id::{Architecture, CommitSha, RecipeFolder};
use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::channel;
use super::keyed::{self, Wanted};
use super::{Summit, read};
use crate::db::{ChangeError, Look, Repository, look_key};
use crate::domain::build::Target;
use crate::domain::name::RepositoryId;
use crate::domain::plan::Candidate;
use crate::domain::trust::Trust;
use crate::git::{self, Bounds, FETCH_TIMEOUT, StopOnDrop};
use crate::github;
use commit::done;

/// How many looks there are side by side, not counting those that take long.
const PARALLEL: usize = 4;

/// After so long a look gives its place to another: four slow repositories must not stop a fifth.
const SLOW: Duration = Duration::from_secs(10);

/// How often it is asked whether something is to be looked at, while a mirror is repacked.
const ASK: Duration = Duration::from_millis(250);

/// The pause after the database failed.
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
/// time, and a repository that is slow to answer holds up no other. When nothing is to be looked at
/// any more, the task repacks the mirror, if it is time.
pub(super) async fn work(summit: Arc<Summit>, shutdown: CancellationToken) {
    let begun_at = summit.clock.now();
    let places = Arc::new(Semaphore::new(PARALLEL));
    let look = |repository, ()| {
        let (summit, places) = (Arc::clone(&summit), Arc::clone(&places));
        async move { summit.look_at_repository(repository, &places).await }
    };
    let wake = &summit.wakes.looks;
    let work = keyed::run(wake, "the wishes for looks", || summit.wanted(), look);
    if shutdown.run_until_cancelled(work).await.is_none() {
        summit.end_looks(begun_at).await;
    }
}

/// What a look found.
struct Found {
    what: What,
    head: CommitSha,
    source_date_epoch: i64,
    /// On whose word it may be run.
    trust: Trust,
    /// True when the target was never planned, so that only what the channel lacks is built.
    first: bool,
}

/// What there is between what was planned and the head.
enum What {
    Recipes {
        /// By the profiles for which they are to be built.
        candidates: BTreeMap<Architecture, Vec<Candidate>>,
        /// The folders of recipes that are no more.
        removed: Vec<RecipeFolder>,
    },
    /// Recipes of a stranger, which are not even read.
    Strange {
        author: String,
        folders: Vec<RecipeFolder>,
    },
    /// More than is planned.
    TooLarge { reason: String },
}

/// How far a look goes.
struct Reach {
    bounds: Bounds,
    /// How many recipes are planned at once.
    recipes: usize,
    /// On whose word what it finds may be run.
    trust: Trust,
    /// For which profiles.
    profiles: Vec<Architecture>,
}

impl Reach {
    /// All that people with write access pushed to a branch.
    fn of_branch(profiles: Vec<Architecture>) -> Self {
        Self {
            bounds: Bounds::TRUSTED,
            recipes: usize::MAX,
            trust: Trust::Writer,
            profiles,
        }
    }
}

impl Summit {
    /// The repositories with targets to be looked at.
    async fn wanted(&self) -> Result<Wanted<RepositoryId, ()>, moss_db::Error> {
        let tables = self.tables.clone();
        let now = self.clock.now();
        self.db
            .query(move |txn| {
                let mut things = Vec::new();
                let mut again = None;
                for row in tables.looks.iter(txn)? {
                    let (_, look) = row?;
                    if look.is_due(now) {
                        things.push((look.repository, ()));
                    } else {
                        let pause = look.due_at().duration_since(now).unsigned_abs();
                        again = Some(again.map_or(pause, |again: Duration| again.min(pause)));
                    }
                }
                things.dedup();
                Ok(Wanted { things, again })
            })
            .await
    }

    /// The looks that this process has begun and does not end were not what ended it.
    async fn end_looks(&self, begun_at: Timestamp) {
        let tables = self.tables.clone();
        let ended = self.db.submit(move |txn| {
            let looks = tables.looks.iter(txn)?;
            let looks = looks.collect::<Result<Vec<_>, moss_db::Error>>()?;
            for (key, look) in looks {
                if look.begun_at.is_some_and(|at| at >= begun_at) {
                    tables.end_look(txn, &key)?;
                }
            }
            Ok::<_, moss_db::Error>(())
        });
        if let Err(error) = ended.await {
            tracing::warn!(%error, "looks that were cut off count as tried");
        }
    }

    /// Looks at the targets of a repository until none is to be looked at now.
    async fn look_at_repository(self: &Arc<Self>, repository: RepositoryId, places: &Semaphore) {
        loop {
            match self.due_looks(repository).await {
                Ok(looks) if looks.is_empty() => {
                    if !self.repack(repository).await {
                        return;
                    }
                }
                Ok(looks) => {
                    for look in looks {
                        let Ok(place) = places.acquire().await else {
                            return;
                        };
                        let mut looking = std::pin::pin!(self.look_once(look));
                        if tokio::time::timeout(SLOW, &mut looking).await.is_err() {
                            drop(place);
                            looking.await;
                        }
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "the wishes for looks cannot be read");
                    tokio::time::sleep(PATIENCE).await;
                }
            }
        }
    }

    /// Repacks the mirror of a repository, if fetches have left many packs in it. True when something
    /// is to be looked at meanwhile: then the repacking is left to itself.
    async fn repack(&self, repository: RepositoryId) -> bool {
        let mirrors = self.mirrors.clone();
        let waits = StopOnDrop::default();
        let stop = waits.stop();
        let work =
            tokio::task::spawn_blocking(move || mirrors.open(repository)?.until(stop).repack());
        let mut work = std::pin::pin!(work);
        loop {
            match tokio::time::timeout(ASK, &mut work).await {
                Ok(done) => {
                    if let Err(error) = done.expect("repacking does not panic") {
                        let error = service::error::Chain(&error);
                        tracing::warn!(repository.id = %repository, %error, "a mirror is not repacked");
                    }
                    return false;
                }
                Err(_) => {
                    let looks = self.due_looks(repository).await;
                    if looks.is_ok_and(|looks| !looks.is_empty()) {
                        return true;
                    }
                }
            }
        }
    }

    /// The looks at the targets of a repository that are due.
    async fn due_looks(&self, repository: RepositoryId) -> Result<Vec<Look>, moss_db::Error> {
        let tables = self.tables.clone();
        let now = self.clock.now();
        self.db
            .query(move |txn| {
                let looks = tables.looks.iter_prefix(txn, &repository.number())?;
                let looks = looks.map(|row| Ok(row?.1));
                let mut looks = looks.collect::<Result<Vec<Look>, moss_db::Error>>()?;
                looks.retain(|look| look.is_due(now));
                Ok(looks)
            })
            .await
    }

    /// Looks at a target; one that fails is wished for still, and says why.
    async fn look_once(self: &Arc<Self>, look: Look) {
        let look = match self.begin(&look).await {
            Ok(Some(look)) => look,
            Ok(None) => return,
            Err(error) => {
                tracing::error!(%error, "a look cannot be begun");
                return tokio::time::sleep(PATIENCE).await;
            }
        };
        let Err(error) = self.look(&look).await else {
            return;
        };
        let reason = service::error::Chain(&error).to_string();
        tracing::warn!(
            repository.id = %look.repository,
            target = %look.target,
            error = reason,
            "a look failed and is repeated"
        );
        let (tables, now) = (self.tables.clone(), self.clock.now());
        let noted = self
            .db
            .submit(move |txn| tables.fail_look(txn, &look, reason, now));
        if let Err(error) = noted.await {
            tracing::error!(%error, "that a look failed cannot be noted");
            tokio::time::sleep(PATIENCE).await;
        }
    }

    /// Notes that a look is begun, so that one that ends the process is not begun for ever.
    async fn begin(&self, look: &Look) -> Result<Option<Look>, moss_db::Error> {
        if look.unreturned >= Look::MAX_UNRETURNED {
            tracing::error!(
                repository.id = %look.repository,
                target = %look.target,
                "{} looks in a row did not come back; it is tried again, once an hour",
                look.unreturned
            );
        }
        let (tables, now) = (self.tables.clone(), self.clock.now());
        let key = look_key(look.repository, &look.target);
        self.db
            .submit(move |txn| tables.begin_look(txn, &key, now))
            .await
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
        let Some(repository) = repository.filter(|repository| repository.gone_at.is_none()) else {
            return self.looked(look.clone()).await;
        };
        match look.target.clone() {
            Target::Branch { name } => self.look_at_branch(look, &repository, &name).await,
            Target::Pull { number } => self.look_at_pull(look, &repository, number).await,
        }
    }

    /// Plans a default branch; then has pull requests looked at that any branch no longer merges with
    /// as it did, which takes its time where there are many.
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
        if is_published && !self.plan_branch(look, repository, git_ref).await? {
            return Ok(());
        }
        self.follow_branch(look.repository, branch).await?;
        self.looked(look.clone()).await
    }

    /// Plans what is new on a default branch. The wish stays. False when the branch was planned by
    /// somebody else meanwhile, so that it has to be looked at again.
    async fn plan_branch(
        self: &Arc<Self>,
        look: &Look,
        repository: &Repository,
        git_ref: String,
    ) -> Result<bool, Error> {
        let planned = self.find_planned(look).await?;
        let row = repository.clone();
        let reach = Reach::of_branch(self.profiles.clone());
        let found = self
            .read(look, repository, move |mirror| {
                let head = mirror.find_ref(&git_ref)?;
                let Some(head) = head.filter(|head| planned != Some(*head)) else {
                    return Ok(None);
                };
                let base = planned.filter(|planned| mirror.has(*planned));
                let found = find(mirror, &row, &git_ref, base, head, &reach)?;
                Ok(Some(found))
            })
            .await?;
        let Some(found) = found else {
            return Ok(true);
        };
        let head = found.head;
        self.plan(look, found, planned, None).await?;
        Ok(self.find_planned(look).await? == Some(head))
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
        let waits = StopOnDrop::default();
        let stop = waits.stop();
        let work = tokio::task::spawn_blocking(move || work(&mirrors.open(id)?.until(stop)));
        // A server that is silent does not end the thread, but must not end all looks with it.
        match tokio::time::timeout(FETCH_TIMEOUT * 2, work).await {
            Ok(read) => Ok(read.expect("reading a mirror does not panic")?),
            Err(_) => Err(Error::Git(git::Error::TimedOut { url })),
        }
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
    reach: &Reach,
) -> Result<Found, git::Error> {
    let changes = mirror.changed_recipes(base, head, reach.bounds)?;
    mirror.keep(&format!("{}/{head}", git_ref.replace('/', "-")), head)?;
    Ok(Found {
        what: what(mirror, repository, head, reach, changes)?,
        head,
        source_date_epoch: mirror.author_time(head)?,
        trust: reach.trust.clone(),
        first: base.is_none(),
    })
}

fn what(
    mirror: &git::Mirror,
    repository: &Repository,
    head: CommitSha,
    reach: &Reach,
    changes: Result<git::Changes, git::TooLarge>,
) -> Result<What, git::Error> {
    let git::Changes { changed, removed } = match changes {
        Ok(changes) => changes,
        Err(too_large) => {
            let reason = format!("Nothing is planned, because {too_large}.");
            return Ok(What::TooLarge { reason });
        }
    };
    if let Some(author) = reach.trust.find_stranger()
        && !changed.is_empty()
    {
        let folders = changed.into_iter().map(|recipe| recipe.folder).collect();
        let author = author.to_owned();
        return Ok(What::Strange { author, folders });
    }
    if changed.len() > reach.recipes {
        let reason = format!(
            "Nothing is planned, because {} recipes differ, and at most {} are planned for a pull \
             request.",
            changed.len(),
            reach.recipes
        );
        return Ok(What::TooLarge { reason });
    }
    Ok(What::Recipes {
        candidates: read::candidates(mirror, repository, head, changed, &reach.profiles)?,
        removed,
    })
}
