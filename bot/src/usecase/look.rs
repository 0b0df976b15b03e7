//! Looking at a target again: from the last commit planned to the head as it is now.
//!
//! Only the present counts. Whatever events came, doubled, late or not at all, the end is the same:
//! the difference between what was planned and what is there is planned.

mod commit;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use api::id::{CommitSha, RecipeFolder};
use tokio::sync::Semaphore;

use super::channel::{self, Snapshot};
use super::{Backoff, Summit, keyed, read};
use crate::db::{ChangeError, Look, Repository, look_key};
use crate::domain::build::{By, Event, Target};
use crate::domain::name::RepositoryId;
use crate::domain::plan::{Again, Candidate, Conflict, Frame};
use crate::git::{self, FETCH_TIMEOUT};
use crate::github::{self, Pull};
use commit::{Changes, commit_plan, done, give_up, of_target};

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

/// What a look compares.
struct Span {
    base: Option<CommitSha>,
    head: CommitSha,
    conflict: Option<Conflict>,
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
        self.plan(look, found, planned, None).await
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
        // The author may write by now: the same head is planned anew.
        let released = unapproved.is_none() && self.is_held_for_approval(look).await?;
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
                if planned == Some(head) && !released {
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
        self.plan(look, found, planned, unapproved).await
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

    /// True when builds of the target wait for their author to be given write access.
    async fn is_held_for_approval(&self, look: &Look) -> Result<bool, moss_db::Error> {
        let tables = self.tables.clone();
        let look = look.clone();
        self.db
            .query(move |txn| {
                let builds = of_target(&tables, txn, look.repository, &look.target)?;
                Ok(builds.iter().any(|build| build.unapproved.is_some()))
            })
            .await
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
        unapproved: Option<String>,
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
