//! A look at a pull request: what it changes, and whether it can be merged.
//!
//! The plan depends on the head and on its merge base with the base branch. When either changes,
//! the pull request is planned anew: after a push, after a change of the base branch, or when the
//! base branch gains some of its commits. A conflict does not change the plan; it is stored on the
//! builds, and their check runs show it.

use std::sync::Arc;

use api::id::CommitSha;
use moss_db::RwTxn;

use super::commit::{Planned, done, give_up, put_head};
use super::{Error, Reach, Summit, find};
use crate::db::{ChangeError, Look, Merge, Repository, Tables, Write, look_key};
use crate::domain::build::{By, Conflict, Event, Hold, State, Target};
use crate::domain::name::RepositoryId;
use crate::domain::trust::{AsksForRole, Author, Doubt, Stranger, Trust};
use crate::git::{self, Bounds};
use crate::github::{Account, Pull};

/// The result of a look at a pull request.
enum Seen {
    /// The head or the base branch is gone.
    Nothing,
    /// The plan stays as it is.
    Same(Merge),
    /// A new plan is needed.
    New(super::Found, Merge),
}

impl Summit {
    pub(super) async fn look_at_pull(
        self: &Arc<Self>,
        look: &Look,
        repository: &Repository,
        number: u64,
    ) -> Result<(), Error> {
        let Some(pull) = self.app.find_pull(repository, number).await? else {
            return self.looked(look.clone()).await;
        };
        if !pull.is_open() {
            return self.close_pull(look, number).await;
        }
        let planned = self.find_planned(look).await?;
        let before = self.find_merge(look.repository, number).await?;
        let trust = self.trust(repository, &pull).await?;
        // The author may have got write access; then the same head is planned anew.
        let released = trust.find_stranger().is_none() && self.is_held_for_approval(look).await?;
        let is_draft = pull.draft;
        let git_ref = look.target.git_ref();
        let base_ref = format!("refs/heads/{}", pull.base.branch);
        let refs = vec![git_ref.clone(), base_ref.clone()];
        self.fetch(look, repository, refs).await?;
        let (branch, row) = (pull.base.branch, repository.clone());
        let reach = self.reach(trust);
        let seen = self
            .read(look, repository, move |mirror| {
                let head = mirror.find_ref(&git_ref)?;
                let (Some(head), Some(tip)) = (head, mirror.find_ref(&base_ref)?) else {
                    return Ok(Seen::Nothing);
                };
                let merge = merge(mirror, head, branch, tip, reach.bounds)?;
                let is_same = before.is_some_and(|before| before.base == merge.base);
                if planned == Some(head) && is_same && !released {
                    return Ok(Seen::Same(merge));
                }
                let mut found = find(mirror, &row, &git_ref, merge.base, head, &reach)?;
                found.first = false;
                found.is_draft = is_draft;
                found.branch = Some(merge.branch.clone());
                Ok(Seen::New(found, merge))
            })
            .await?;
        match seen {
            Seen::Nothing => self.looked(look.clone()).await,
            Seen::Same(merge) => {
                if !is_draft {
                    self.undraft(look).await?;
                }
                self.note_merge(look, merge).await
            }
            Seen::New(found, merge) => self.plan(look, found, planned, Some(merge)).await,
        }
    }

    /// Lets the builds go on that waited because the pull request was a draft.
    async fn undraft(&self, look: &Look) -> Result<(), Error> {
        let (tables, look, now) = (self.tables.clone(), look.clone(), self.clock.now());
        self.submit(move |txn| {
            for build in tables.builds_of(txn, look.repository, &look.target)? {
                if matches!(build.state.find_hold(), Some(Hold::Draft)) {
                    tables.change_build(txn, build, Event::Undrafted, now)?;
                }
            }
            Ok::<_, ChangeError>(())
        })
        .await
        .map_err(Error::Change)
    }

    /// Stores how a pull request merges, and notes it on its builds.
    async fn note_merge(&self, look: &Look, merge: Merge) -> Result<(), Error> {
        let tables = self.tables.clone();
        let (look, now) = (look.clone(), self.clock.now());
        self.submit(move |txn| {
            put_head(
                &tables,
                txn,
                &look,
                merge.head,
                (Planned::Wholly, None),
                now,
            )?;
            put_merge(&tables, txn, &look, &merge)?;
            note_conflict(&tables, txn, &look, &merge)?;
            done(&tables, txn, &look)
        })
        .await
        .map_err(Error::Change)?;
        Ok(())
    }

    /// Adds wishes for the pull requests whose merge with `branch` has changed, by the mirror
    /// alone. It makes no request to GitHub.
    pub(super) async fn follow_branch(
        &self,
        repository: RepositoryId,
        branch: &str,
    ) -> Result<(), Error> {
        let merges = self.merges_into(repository, branch).await?;
        let (mirrors, base_ref) = (self.mirrors.clone(), format!("refs/heads/{branch}"));
        let bounds = self.reach(Trust::Writer).bounds;
        let compare = move || {
            let mirror = mirrors.open(repository)?;
            let Some(tip) = mirror.find_ref(&base_ref)? else {
                return Ok(Vec::new());
            };
            let moved = merges.into_iter().filter(|(_, before)| before.tip != tip);
            let compared = moved.map(|(number, before)| {
                let now = merge(&mirror, before.head, before.branch.clone(), tip, bounds);
                // If the mirror lacks a head, the look fetches it.
                let is_same =
                    |now: &Merge| (&now.base, &now.conflict) == (&before.base, &before.conflict);
                (number, now.ok().filter(is_same))
            });
            Ok::<_, git::Error>(compared.collect())
        };
        let compared: Vec<(u64, Option<Merge>)> = tokio::task::spawn_blocking(compare)
            .await
            .expect("reading a mirror does not panic")?;
        if compared.is_empty() {
            return Ok(());
        }
        let tables = self.tables.clone();
        self.db
            .submit(move |txn| {
                for (number, same) in compared {
                    match same {
                        Some(merge) => {
                            let key = (repository.number(), number);
                            tables.merges.put(txn, &key, &merge)?;
                        }
                        None => tables.wish(txn, repository, &Target::Pull { number })?,
                    }
                }
                Ok::<_, moss_db::Error>(())
            })
            .await?;
        Ok(())
    }

    /// The open pull requests into `branch`, by number.
    pub(super) async fn merges_into(
        &self,
        repository: RepositoryId,
        branch: &str,
    ) -> Result<Vec<(u64, Merge)>, moss_db::Error> {
        let tables = self.tables.clone();
        let base = (repository.number(), branch.to_owned());
        self.db
            .query(move |txn| {
                let rows = tables.merges.find_by(txn, &tables.merges_by_base, &base)?;
                rows.map(|row| row.map(|((_, number), merge)| (number, merge)))
                    .collect()
            })
            .await
    }

    async fn find_merge(
        &self,
        repository: RepositoryId,
        number: u64,
    ) -> Result<Option<Merge>, moss_db::Error> {
        let tables = self.tables.clone();
        let key = (repository.number(), number);
        self.db
            .query(move |txn| tables.merges.find(txn, &key))
            .await
    }

    /// Who vouches for the code of a pull request.
    async fn trust(&self, repository: &Repository, pull: &Pull) -> Result<Trust, Error> {
        let stranger = |author: &str, doubt| Stranger {
            author: author.to_owned(),
            doubt,
        };
        let author = match &pull.user {
            None => Err(stranger("a deleted account", Doubt::AuthorGone)),
            Some(author) => match self.doubt(repository, pull, author).await? {
                Some(doubt) => Err(stranger(&author.login, doubt)),
                None => Ok(()),
            },
        };
        Ok(Trust::of_pull(author, pull.head.sha, None))
    }

    /// Why the author of a pull request does not count as a writer of its head; none if so.
    async fn doubt(
        &self,
        repository: &Repository,
        pull: &Pull,
        author: &Account,
    ) -> Result<Option<Doubt>, Error> {
        let bots = &self.config.github.bots;
        let kind = match author.is_bot() {
            true => Author::Bot {
                may_write: bots.iter().any(|bot| bot.may_write(author.id.number())),
            },
            false => Author::Person,
        };
        match Doubt::before_role(kind, pull.origin()) {
            Ok(AsksForRole::No) => Ok(None),
            Ok(AsksForRole::Yes) => {
                let role = self.app.find_role(repository, author.id).await?;
                let may_write = role.is_some_and(|(_, role)| role.may_write());
                Ok((!may_write).then_some(Doubt::MayNotWrite))
            }
            Err(doubt) => Ok(Some(doubt)),
        }
    }

    /// The limits of a look at a pull request.
    fn reach(&self, trust: Trust) -> Reach {
        let pulls = &self.config.pulls;
        Reach {
            bounds: Bounds {
                entries: pulls.entries,
                bytes: pulls.bytes,
            },
            recipes: pulls.recipes,
            trust,
            profiles: self.profiles.clone(),
        }
    }

    /// True when builds of the target are held until their author may write.
    async fn is_held_for_approval(&self, look: &Look) -> Result<bool, moss_db::Error> {
        let tables = self.tables.clone();
        let look = look.clone();
        self.db
            .query(move |txn| {
                let builds = tables.builds_of(txn, look.repository, &look.target)?;
                Ok(builds.iter().any(|build| !build.permits_running()))
            })
            .await
    }

    /// Cancels the builds of a closed pull request.
    async fn close_pull(self: &Arc<Self>, look: &Look, number: u64) -> Result<(), Error> {
        let tables = self.tables.clone();
        let now = self.clock.now();
        let look = look.clone();
        self.submit(move |txn| {
            for build in tables.builds_of(txn, look.repository, &look.target)? {
                give_up(&tables, txn, &build, Event::Cancelled(By::PullClosed), now)?;
            }
            tables.drop_head(txn, look.repository, &look.target)?;
            tables
                .planned
                .delete(txn, &look_key(look.repository, &look.target))?;
            tables
                .merges
                .delete(txn, &(look.repository.number(), number))?;
            done(&tables, txn, &look)
        })
        .await
        .map_err(Error::Change)?;
        Ok(())
    }
}

/// How `head` merges into `branch`, whose head is `tip`.
fn merge(
    mirror: &git::Mirror,
    head: CommitSha,
    branch: String,
    tip: CommitSha,
    bounds: Bounds,
) -> Result<Merge, git::Error> {
    let found = match mirror.find_conflicts(tip, head, bounds)? {
        Ok(found) => found,
        Err(too_large) => {
            tracing::warn!(%head, branch, "mergeability is unknown: {too_large}");
            None
        }
    };
    let conflict = found.map(|found| Conflict {
        branch: branch.clone(),
        paths: found.paths,
        count: found.count,
    });
    Ok(Merge {
        head,
        base: mirror.find_merge_base(tip, head)?,
        branch,
        tip,
        conflict,
    })
}

/// Stores how a pull request merges. Other targets have no merge.
pub(super) fn put_merge(
    tables: &Tables,
    txn: &mut RwTxn<'_>,
    look: &Look,
    merge: &Merge,
) -> Result<(), moss_db::Error> {
    match look.target {
        Target::Branch { .. } | Target::Group { .. } => Ok(()),
        Target::Pull { number } => {
            let key = (look.repository.number(), number);
            tables.merges.put(txn, &key, merge)
        }
    }
}

/// Notes on the builds of a pull request's head whether it conflicts.
fn note_conflict(
    tables: &Tables,
    txn: &mut Write<'_, '_>,
    look: &Look,
    merge: &Merge,
) -> Result<(), moss_db::Error> {
    for mut build in tables.readable_builds_of_head(txn, look.repository, merge.head)? {
        let stands =
            build.target == look.target && !matches!(build.state, State::Superseded { .. });
        if stands && build.conflict != merge.conflict {
            build.conflict.clone_from(&merge.conflict);
            build.seq += 1;
            tables.put_build(txn, &build)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
