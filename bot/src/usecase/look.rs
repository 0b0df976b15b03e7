//! Looking at a target again: from the last commit planned to the head as it is now.
//!
//! Only the present counts. Whatever events came, doubled, late or not at all, the end is the same:
//! the difference between what was planned and what is there is planned.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use api::id::{BuildId, CommitSha, RecipeFolder};
use futures_util::StreamExt as _;
use moss_db::RwTxn;

use super::{Backoff, Summit, channel, read};
use crate::db::{ChangeError, Look, Repository, Tables, look_key};
use crate::domain::build::{Build, By, Event, State, Target};
use crate::domain::name::RepositoryId;
use crate::domain::plan::{self, Again, Candidate, Conflict, Frame, Others};
use crate::git::{self, FETCH_TIMEOUT};
use crate::github::{self, Pull};

/// How many repositories are looked at side by side.
const PARALLEL: usize = 4;

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

pub(super) async fn work(summit: Arc<Summit>) {
    let mut backoff = Backoff::new();
    loop {
        match summit.look_at_all().await {
            Ok(Seen::Nothing) => {
                backoff.reset();
                summit.wakes.looks.wait().await;
            }
            Ok(Seen::All) => backoff.reset(),
            Ok(Seen::Some) => backoff.wait_or(&summit.wakes.looks).await,
            Err(error) => {
                tracing::error!(%error, "the wishes for looks cannot be read");
                backoff.wait().await;
            }
        }
    }
}

/// What a look compares.
struct Span {
    base: Option<CommitSha>,
    head: CommitSha,
    conflict: Option<Conflict>,
}

enum Seen {
    Nothing,
    All,
    Some,
}

/// What a look found.
struct Found {
    candidates: Vec<Candidate>,
    /// The folders of recipes that are no more.
    removed: Vec<RecipeFolder>,
    conflict: Option<Conflict>,
    head: CommitSha,
    source_date_epoch: i64,
    /// True when the target was never planned, so that only what the channel lacks is built.
    first: bool,
}

impl Summit {
    async fn look_at_all(self: &Arc<Self>) -> Result<Seen, moss_db::Error> {
        let tables = self.tables.clone();
        let looks: Vec<Look> = self
            .db
            .query(move |txn| tables.looks.iter(txn)?.map(|row| Ok(row?.1)).collect())
            .await?;
        if looks.is_empty() {
            return Ok(Seen::Nothing);
        }
        let mut by_repository: BTreeMap<RepositoryId, Vec<Look>> = BTreeMap::new();
        for look in looks {
            by_repository.entry(look.repository).or_default().push(look);
        }
        let results = futures_util::stream::iter(by_repository.into_values())
            .map(|looks| async {
                let mut good = true;
                for look in looks {
                    good &= self.look_once(look).await;
                }
                good
            })
            .buffer_unordered(PARALLEL)
            .collect::<Vec<bool>>()
            .await;
        Ok(if results.into_iter().all(|good| good) {
            Seen::All
        } else {
            Seen::Some
        })
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

    async fn look_at_branch(
        self: &Arc<Self>,
        look: &Look,
        repository: &Repository,
        branch: &str,
    ) -> Result<(), Error> {
        if repository.default_branch != branch {
            return self.looked(look.clone()).await;
        }
        let planned = self.find_planned(look).await?;
        let refs = vec![look.target.git_ref()];
        let found = self
            .fetch_and_compare(look, repository, refs, move |mirror, git_ref| {
                let Some(head) = mirror.find_ref(git_ref)? else {
                    return Ok(None);
                };
                Ok((planned != Some(head)).then(|| Span {
                    base: planned.filter(|planned| mirror.has(*planned)),
                    head,
                    conflict: None,
                }))
            })
            .await?;
        let Some(found) = found else {
            return self.looked(look.clone()).await;
        };
        let released = self.channel.snapshot().await?.releases();
        self.plan(look, found, planned, released, None).await
    }

    async fn look_at_pull(
        self: &Arc<Self>,
        look: &Look,
        repository: &Repository,
        number: u64,
    ) -> Result<(), Error> {
        let Some(pull) = self.app.find_pull(repository, number).await? else {
            return self.looked(look.clone()).await;
        };
        if !pull.is_open() {
            return self.close_pull(look).await;
        }
        let planned = self.find_planned(look).await?;
        let unapproved = self.unapproved(repository, &pull).await?;
        let base_ref = format!("refs/heads/{}", pull.base.branch);
        let refs = vec![look.target.git_ref(), base_ref.clone()];
        let branch = pull.base.branch;
        let found = self
            .fetch_and_compare(look, repository, refs, move |mirror, git_ref| {
                let Some(head) = mirror.find_ref(git_ref)? else {
                    return Ok(None);
                };
                let Some(tip) = mirror.find_ref(&base_ref)? else {
                    return Ok(None);
                };
                if planned == Some(head) {
                    return Ok(None);
                }
                let conflict = mirror.find_conflicts(tip, head)?;
                Ok(Some(Span {
                    base: mirror.find_merge_base(tip, head)?,
                    head,
                    conflict: conflict.map(|found| Conflict {
                        branch,
                        paths: found.paths,
                        count: found.count,
                    }),
                }))
            })
            .await?;
        let Some(mut found) = found else {
            return self.looked(look.clone()).await;
        };
        found.first = false;
        let released = self.channel.snapshot().await?.releases();
        self.plan(look, found, planned, released, unapproved).await
    }

    /// The author's login, when nothing of the pull request may be run.
    async fn unapproved(
        &self,
        repository: &Repository,
        pull: &Pull,
    ) -> Result<Option<String>, Error> {
        let Some(author) = &pull.user else {
            return Ok(Some("a deleted account".to_owned()));
        };
        if pull.is_from_fork() {
            return Ok(Some(author.login.clone()));
        }
        let role = self.app.find_role(repository, author.id).await?;
        let may = role.is_some_and(|(_, role)| role.may_write());
        Ok((!may).then(|| author.login.clone()))
    }

    async fn find_planned(&self, look: &Look) -> Result<Option<CommitSha>, moss_db::Error> {
        let tables = self.tables.clone();
        let key = look_key(look.repository, &look.target);
        self.db
            .query(move |txn| tables.planned.find(txn, &key))
            .await
    }

    /// Fetches `refs` and lets `compare` choose base and head; none when nothing is new.
    async fn fetch_and_compare(
        &self,
        look: &Look,
        repository: &Repository,
        refs: Vec<String>,
        compare: impl FnOnce(&git::Mirror, &str) -> Result<Option<Span>, git::Error> + Send + 'static,
    ) -> Result<Option<Found>, Error> {
        let token = self
            .app
            .clone_token(repository.installation, look.repository)
            .await?;
        let url = repository.clone_url.to_string();
        let (mirrors, row, look) = (self.mirrors.clone(), repository.clone(), look.clone());
        let work = move || {
            let mirror = mirrors.open(look.repository)?;
            mirror.fetch(&row.clone_url, Some(&token), &refs)?;
            let Some(span) = compare(&mirror, &look.target.git_ref())? else {
                return Ok(None);
            };
            let head = span.head;
            let changes = mirror.changed_recipes(span.base, head)?;
            let kept = format!("{}/{head}", look.target.git_ref().replace('/', "-"));
            mirror.keep(&kept, head)?;
            Ok(Some(Found {
                candidates: read::candidates(&mirror, &row, head, changes.changed)?,
                removed: changes.removed,
                conflict: span.conflict,
                head,
                source_date_epoch: mirror.author_time(head)?,
                first: span.base.is_none(),
            }))
        };
        // A server that is silent does not end the thread, but must not end all looks with it.
        match tokio::time::timeout(FETCH_TIMEOUT * 2, tokio::task::spawn_blocking(work)).await {
            Ok(read) => read.expect("reading a mirror does not panic"),
            Err(_) => Err(Error::Git(git::Error::TimedOut { url })),
        }
    }

    async fn plan(
        self: &Arc<Self>,
        look: &Look,
        mut found: Found,
        base: Option<CommitSha>,
        released: HashMap<String, u64>,
        unapproved: Option<String>,
    ) -> Result<(), Error> {
        if found.first && look.target.is_published() {
            found
                .candidates
                .retain(|candidate| is_lacking(candidate, &released));
        }
        let frame = Frame {
            repository: look.repository,
            target: look.target.clone(),
            commit: found.head,
            source_date_epoch: found.source_date_epoch,
            now: self.clock.now(),
            again: Again::No,
            unapproved,
            conflict: found.conflict,
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

    /// Gives up what is under way for a pull request that was closed.
    async fn close_pull(self: &Arc<Self>, look: &Look) -> Result<(), Error> {
        let tables = self.tables.clone();
        let now = self.clock.now();
        let look = look.clone();
        self.db
            .submit(move |txn| {
                for build in of_target(&tables, txn, look.repository, &look.target)? {
                    give_up(&tables, txn, &build, Event::Cancelled(By::PullClosed), now)?;
                }
                tables
                    .planned
                    .delete(txn, &look_key(look.repository, &look.target))?;
                done(&tables, txn, &look)
            })
            .await
            .map_err(Error::Change)?;
        self.builds_moved();
        Ok(())
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

/// Takes the wish away, unless a newer one came in meanwhile.
fn done(tables: &Tables, txn: &mut RwTxn<'_>, look: &Look) -> Result<(), ChangeError> {
    let key = look_key(look.repository, &look.target);
    if tables
        .looks
        .find(txn, &key)?
        .is_some_and(|now| now.count == look.count)
    {
        tables.looks.delete(txn, &key)?;
    }
    Ok(())
}

fn of_target(
    tables: &Tables,
    txn: &RwTxn<'_>,
    repository: RepositoryId,
    target: &Target,
) -> Result<Vec<Build>, moss_db::Error> {
    let mut builds = tables.active_builds(txn)?;
    builds.retain(|build| build.repository == repository && build.target == *target);
    Ok(builds)
}

/// Ends a build that the database says is under way; one that is being published goes on.
fn give_up(
    tables: &Tables,
    txn: &mut RwTxn<'_>,
    build: &Build,
    event: Event,
    now: jiff::Timestamp,
) -> Result<(), ChangeError> {
    match tables.change(txn, build.id, event, now) {
        Ok(_) | Err(ChangeError::Illegal(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// What a plan is made of.
struct Changes {
    candidates: Vec<Candidate>,
    removed: Vec<RecipeFolder>,
}

/// Writes the builds of a plan, and lets them take the place of older ones.
fn commit_plan(
    tables: &Tables,
    txn: &mut RwTxn<'_>,
    frame: &Frame,
    changes: Changes,
    released: &HashMap<String, u64>,
) -> Result<(), ChangeError> {
    let mut places: HashMap<RecipeFolder, Option<BuildId>> = HashMap::new();
    places.extend(changes.removed.into_iter().map(|folder| (folder, None)));
    let candidates = changes.candidates.iter();
    places.extend(candidates.map(|new| (new.folder.clone(), Some(new.id))));
    let others = if frame.target.is_published() {
        others(tables, txn, frame, &places)?
    } else {
        Others::default()
    };
    let before = of_target(tables, txn, frame.repository, &frame.target)?;
    let builds = plan::plan(changes.candidates, frame, &others, released);
    tracing::info!(
        repository.id = %frame.repository,
        target = %frame.target,
        commit = %frame.commit,
        builds = builds.len(),
        "planned"
    );
    for build in &builds {
        tables.builds.put(txn, &build.id, build)?;
    }
    for build in before {
        let by = match places.get(&build.folder) {
            Some(by) => *by,
            // A pull request is planned whole from its base each time; a branch goes on from what
            // was.
            None if frame.target.is_published() => continue,
            None => None,
        };
        give_up(tables, txn, &build, Event::Superseded { by }, frame.now)?;
    }
    Ok(())
}

/// What a plan of a branch has to fit in with. `places` says by which new build a folder's builds
/// are replaced; by none when the recipe is gone.
fn others(
    tables: &Tables,
    txn: &RwTxn<'_>,
    frame: &Frame,
    places: &HashMap<RecipeFolder, Option<BuildId>>,
) -> Result<Others, moss_db::Error> {
    let place = |build: &Build| {
        let here = build.repository == frame.repository && build.target == frame.target;
        places.get(&build.folder).filter(|_| here)
    };
    let mut builds = tables.active_builds(txn)?;
    builds.retain(|build| build.target.is_published() && place(build).is_none());
    let known: HashSet<BuildId> = builds.iter().map(|build| build.id).collect();
    let named: BTreeSet<BuildId> = builds
        .iter()
        .flat_map(|build| build.after.iter().chain(&build.cycle))
        .filter(|id| !known.contains(*id))
        .copied()
        .collect();
    let mut replaced = HashMap::new();
    // In the order of their ids, so that the newest is kept.
    for id in named {
        let Some(build) = tables.builds.find(txn, &id)? else {
            continue;
        };
        match place(&build) {
            Some(Some(new)) => drop(replaced.insert(*new, build)),
            Some(None) => {}
            None if stands_in_the_way(&build) => builds.push(build),
            None => {}
        }
    }
    Ok(Others { builds, replaced })
}

/// True for a build that ended without success and whose place no other took.
fn stands_in_the_way(build: &Build) -> bool {
    match &build.state {
        State::Failed(_)
        | State::Cancelled {
            by: By::PullClosed | By::Person { .. },
            ..
        } => true,
        State::Cancelled {
            by: By::AlreadyPublished { .. },
            ..
        }
        | State::Superseded { .. }
        | State::Planned
        | State::Waiting { .. }
        | State::Queued { .. }
        | State::Building { .. }
        | State::Built(_)
        | State::Publishing { .. }
        | State::Published { .. }
        | State::Held { .. } => false,
    }
}

#[cfg(test)]
mod tests;
