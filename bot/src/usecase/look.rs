//! A look at a target: plans from the last planned commit to the present head.
//!
//! A look compares two states and reads no events. Events may be doubled, late or lost; the
//! resulting plan is the same.

mod commit;
mod gone;
mod group;
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
use moss_db::RoTxn;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::channel;
use super::keyed::{self, Wanted};
use super::{Summit, read};
use crate::db::{ChangeError, Look, Repository, Write, look_key};
use crate::domain::build::Target;
use crate::domain::name::RepositoryId;
use crate::domain::plan::Candidate;
use crate::domain::trust::{Stranger, Trust};
use crate::git::{self, Bounds, FETCH_TIMEOUT, StopOnDrop};
use crate::github;
use commit::{Planned, done, put_head};

/// How many looks run in parallel. Slow looks do not count.
const PARALLEL: usize = 4;

/// A look that takes longer gives its permit to another one: four slow repositories must not stop a
/// fifth.
const SLOW: Duration = Duration::from_secs(10);

/// The interval at which a repacking task checks for wishes.
const ASK: Duration = Duration::from_millis(250);

/// How many builds one transaction moves to another default branch. Other transactions wait for it.
const MOVED_AT_ONCE: usize = 100;

/// The pause after the database failed.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why a look has to be repeated.
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

/// Each repository has one task for all its targets. So only one fetch at a time writes to a
/// mirror, and a slow repository delays no other. When no wish is left, the task repacks the mirror
/// if it is time.
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

/// The result of comparing a target with its last plan.
struct Found {
    what: What,
    head: CommitSha,
    source_date_epoch: i64,
    /// Who vouches for the code.
    trust: Trust,
    /// The branch into which a pull request or a merge group is to be merged.
    branch: Option<String>,
    /// True for a draft: its builds wait.
    is_draft: bool,
    /// True for a target without an earlier plan. Then only releases missing in the channel are
    /// built.
    first: bool,
}

/// The difference between the last plan and the head.
enum What {
    Recipes {
        /// The changed recipes, for each profile to build for.
        candidates: BTreeMap<Architecture, Vec<Candidate>>,
        /// The folders of deleted recipes.
        removed: Vec<RecipeFolder>,
    },
    /// Nobody vouches for the code, so no recipe is read.
    Strange {
        stranger: Stranger,
        folders: Vec<RecipeFolder>,
    },
    /// The difference exceeds a limit.
    TooLarge { reason: String },
}

/// The limits of a look.
struct Reach {
    bounds: Bounds,
    /// The most recipes that are planned.
    recipes: usize,
    /// Who vouches for the code.
    trust: Trust,
    /// The profiles to plan for.
    profiles: Vec<Architecture>,
}

impl Reach {
    /// No limits: people with write access pushed the branch.
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
    /// The repositories with wishes that are due. None is while GitHub would let summit fetch nothing.
    async fn wanted(&self) -> Result<Wanted<RepositoryId, ()>, moss_db::Error> {
        if self.find_suspension().is_some() {
            return Ok(Vec::new().into());
        }
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

    /// Takes back the tries of looks that this process began and did not finish: the process ends
    /// in order.
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
            tracing::warn!(%error, "interrupted looks count as tried");
        }
    }

    /// Looks at the targets of a repository until no wish is due.
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

    /// Repacks the mirror of a repository if fetches have left many packs in it. When a wish comes
    /// in meanwhile, it returns true and the repacking goes on in the background.
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
                        tracing::warn!(repository.id = repository.number(), %error, "a mirror is not repacked");
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

    /// The wishes of a repository that are due.
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

    /// Looks at a target once. A failed look keeps its wish and stores the reason.
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
            repository.id = look.repository.number(),
            look.target = %look.target,
            error = reason,
            "a look failed and is retried"
        );
        let (tables, now) = (self.tables.clone(), self.clock.now());
        let noted = self
            .db
            .submit(move |txn| tables.fail_look(txn, &look, reason, now));
        if let Err(error) = noted.await {
            tracing::error!(%error, "the failure of a look cannot be stored");
            tokio::time::sleep(PATIENCE).await;
        }
    }

    /// Counts the try before the look, so that a look that kills the process is not retried for
    /// ever.
    async fn begin(&self, look: &Look) -> Result<Option<Look>, moss_db::Error> {
        if look.unreturned >= Look::MAX_UNRETURNED {
            tracing::error!(
                repository.id = look.repository.number(),
                look.target = %look.target,
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

    /// Plans the builds of a target and deletes the wish.
    ///
    /// # Errors
    /// When the look has to be repeated.
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
            Target::Group { name } => self.look_at_group(look, &repository, &name).await,
        }
    }

    /// Plans a default branch. Then it adds wishes for pull requests whose merge with any branch
    /// has changed, which takes time when there are many.
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
        if is_published {
            self.move_settled(look.repository).await?;
        }
        let git_ref = look.target.git_ref();
        self.fetch(look, repository, vec![git_ref.clone()]).await?;
        if is_published && !self.plan_branch(look, repository, git_ref).await? {
            return Ok(());
        }
        self.follow_branch(look.repository, branch).await?;
        self.looked(look.clone()).await
    }

    /// Lets the settled builds of earlier default branches follow, in transactions of bounded size.
    async fn move_settled(&self, repository: RepositoryId) -> Result<(), moss_db::Error> {
        let tables = self.tables.clone();
        let has_moves = move |txn: &RoTxn<'_>| tables.has_moves(txn, repository);
        if !self.db.query(has_moves).await? {
            return Ok(());
        }
        loop {
            let tables = self.tables.clone();
            let follow =
                move |txn: &mut Write<'_, '_>| tables.move_settled(txn, repository, MOVED_AT_ONCE);
            if !self.submit(follow).await? {
                return Ok(());
            }
        }
    }

    /// Plans the new commits of a default branch and keeps the wish. False when another look
    /// planned the branch meanwhile; then it has to be looked at again.
    async fn plan_branch(
        self: &Arc<Self>,
        look: &Look,
        repository: &Repository,
        git_ref: String,
    ) -> Result<bool, Error> {
        let planned = self.find_planned(look).await?;
        let reach = Reach::of_branch(self.profiles.clone());
        let (row, name) = (repository.clone(), git_ref.clone());
        let found = self
            .read(look, repository, move |mirror| {
                let head = mirror.find_ref(&name)?;
                let Some(head) = head.filter(|head| planned != Some(*head)) else {
                    return Ok(None);
                };
                let base = planned.filter(|planned| mirror.has(*planned));
                Ok(Some(find(mirror, &row, &name, base, head, &reach)?))
            })
            .await?;
        let mut head = planned;
        if let Some(found) = found {
            head = Some(found.head);
            self.plan(look, found, planned, None).await?;
            if self.find_planned(look).await? != head {
                return Ok(false);
            }
        } else if let Some(head) = head {
            self.keep_head(look, head).await?;
        }
        match head {
            Some(head) => {
                self.plan_new_profiles(look, repository, git_ref, head)
                    .await
            }
            None => Ok(true),
        }
    }

    /// Plans for profiles that are new what their channels lack of a branch whose `head` is planned for
    /// all others. False as for [`Self::plan_branch`].
    async fn plan_new_profiles(
        self: &Arc<Self>,
        look: &Look,
        repository: &Repository,
        git_ref: String,
        head: CommitSha,
    ) -> Result<bool, Error> {
        let (tables, key) = (self.tables.clone(), look_key(look.repository, &look.target));
        let (asked, own) = (tables.clone(), key.clone());
        let new = self.db.query(move |txn| asked.unplanned.find(txn, &own));
        let Some(mut profiles) = new.await? else {
            return Ok(true);
        };
        profiles.retain(|profile| self.profiles.contains(profile));
        if !profiles.is_empty() {
            let (row, reach) = (repository.clone(), Reach::of_branch(profiles));
            let found = self.read(look, repository, move |mirror| {
                find(mirror, &row, &git_ref, None, head, &reach)
            });
            let found = found.await?;
            self.plan(look, found, Some(head), None).await?;
            if self.find_planned(look).await? != Some(head) {
                return Ok(false);
            }
        }
        let planned = self
            .db
            .submit(move |txn| tables.unplanned.delete(txn, &key));
        planned.await?;
        Ok(true)
    }

    /// Makes sure that the planned head of a target has its row.
    async fn keep_head(&self, look: &Look, head: CommitSha) -> Result<(), moss_db::Error> {
        let (tables, look, now) = (self.tables.clone(), look.clone(), self.clock.now());
        let seen = (Planned::Wholly, None);
        self.submit(move |txn| put_head(&tables, txn, &look, head, seen, now))
            .await
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

    /// Runs a function on the mirror, on a blocking thread.
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
        // A silent server may block this thread, but it must not block all looks.
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

/// Finds the recipes that differ between `base` and `head`, and protects `head` from removal.
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
        branch: None,
        is_draft: false,
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
    if let Some(stranger) = reach.trust.find_stranger()
        && !changed.is_empty()
    {
        let folders = changed.into_iter().map(|recipe| recipe.folder).collect();
        let stranger = stranger.clone();
        return Ok(What::Strange { stranger, folders });
    }
    if changed.len() > reach.recipes {
        let reason = format!(
            "Nothing is planned, because the pull request changes {} recipes, and the limit is \
             {}. Split it into smaller pull requests.",
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
