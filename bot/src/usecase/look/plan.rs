//! From what a look found to what is committed.

use std::collections::HashMap;
use std::sync::Arc;

use api::id::{BuildId, CommitSha};

use super::commit::{Changes, Released, commit_plan, commit_whole, done};
use super::pull::put_merge;
use super::{Error, Found, PullFacts, Summit, What};
use crate::db::{Look, look_key};
use crate::domain::build::Build;
use crate::domain::claim::Names;
use crate::domain::plan::{self, Candidate, Frame, batches};
use crate::usecase::channel::Snapshot;

/// About how many recipes are planned in one transaction: others have to wait for it.
const BATCH: usize = 250;

/// What is committed in one transaction.
enum Part {
    Recipes(Changes),
    /// One build that stands for all.
    Whole(Box<Build>),
}

impl Summit {
    /// Plans what a look found. Much is planned in parts; when that is cut short, the target does
    /// not count as planned yet, and the next look goes on where it ended.
    pub(super) async fn plan(
        self: &Arc<Self>,
        look: &Look,
        found: Found,
        base: Option<CommitSha>,
        pull: PullFacts,
    ) -> Result<(), Error> {
        let frame = Frame {
            repository: look.repository,
            target: look.target.clone(),
            commit: found.head,
            source_date_epoch: found.source_date_epoch,
            now: self.clock.now(),
            conflict: pull.merge.as_ref().and_then(|merge| merge.conflict.clone()),
        };
        let mut channel = Arc::default();
        let parts = match found.what {
            What::Recipes {
                mut candidates,
                removed,
            } => {
                let known = self.channel.latest().await?;
                let released = known.snapshot.releases();
                let names = Arc::new(names_of(&candidates));
                if found.first && look.target.is_published() {
                    candidates.retain(|candidate| is_lacking(candidate, &released));
                }
                add_provided(&mut candidates, &known.snapshot);
                channel = Arc::new(Released {
                    releases: released,
                    read_at: known.read_at,
                });
                let size = match look.target.is_published() {
                    true => BATCH,
                    false => usize::MAX,
                };
                let batches = batches(candidates, size).into_iter();
                let parts = batches.map(|candidates| {
                    Part::Recipes(Changes {
                        candidates,
                        removed: removed.iter().cloned().collect(),
                        names: Arc::clone(&names),
                        branch: pull.merge.as_ref().map(|merge| merge.branch.clone()),
                    })
                });
                parts.collect()
            }
            What::Unapproved { author, folders } => {
                let whole = plan::unapproved(BuildId::new(), &frame, author, &folders);
                vec![Part::Whole(Box::new(whole))]
            }
            What::TooLarge { reason } => {
                let whole = plan::too_large(BuildId::new(), &frame, reason);
                vec![Part::Whole(Box::new(whole))]
            }
        };
        let mut parts = parts.into_iter().peekable();
        while let Some(part) = parts.next() {
            let end = parts.peek().is_none().then_some(&pull);
            self.commit(look, &frame, base, part, &channel, end).await?;
        }
        Ok(())
    }

    /// Commits a part of a plan; the last with its `end`.
    async fn commit(
        &self,
        look: &Look,
        frame: &Frame,
        base: Option<CommitSha>,
        part: Part,
        channel: &Arc<Released>,
        end: Option<&PullFacts>,
    ) -> Result<(), Error> {
        let (tables, look, frame) = (self.tables.clone(), look.clone(), frame.clone());
        let (channel, end) = (Arc::clone(channel), end.cloned());
        self.submit(move |txn| {
            // Another look may have come first; then this one saw an older state.
            let key = look_key(look.repository, &look.target);
            if tables.planned.find(txn, &key)? != base {
                return Ok(());
            }
            match part {
                Part::Recipes(changes) => {
                    commit_plan(&tables, txn, &frame, changes, &channel)?;
                }
                Part::Whole(build) => commit_whole(&tables, txn, &frame, &build)?,
            }
            let Some(pull) = end else {
                return Ok(());
            };
            tables.planned.put(txn, &key, &frame.commit)?;
            if let Some(merge) = &pull.merge {
                put_merge(&tables, txn, &look, merge)?;
            }
            // Of a branch more is to be looked at.
            match look.target.is_published() {
                true => Ok(()),
                false => done(&tables, txn, &look),
            }
        })
        .await
        .map_err(Error::Change)
    }
}

/// What the recipes are called that differ.
fn names_of(candidates: &[Candidate]) -> Names {
    let names = candidates.iter().map(|candidate| {
        let name = candidate.recipe.as_ref().ok();
        (
            candidate.folder.clone(),
            name.map(|recipe| recipe.name.clone()),
        )
    });
    names.collect()
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
