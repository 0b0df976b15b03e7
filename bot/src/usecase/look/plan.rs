//! From what a look found to what is committed.

use std::sync::Arc;

use api::id::{BuildId, CommitSha};

use super::commit::{Changes, commit_plan, commit_whole, done};
use super::pull::put_merge;
use super::released::{OfProfile, Released};
use super::{Error, Found, Summit, What};
use crate::db::{Look, Merge, look_key};
use crate::domain::build::Build;
use crate::domain::claim::Names;
use crate::domain::plan::{self, Candidate, Frame, batches};
use crate::usecase::channel::Snapshot;

/// About how many recipes are planned in one transaction: others have to wait for it.
pub(super) const BATCH: usize = 250;

/// What is committed in one transaction.
enum Part {
    Recipes(Changes),
    /// One build that stands for all.
    Whole(Box<Build>),
}

impl Summit {
    /// Plans what a look found, of a pull request with how it is merged. Much is planned in parts, and
    /// each profile by itself; when that is cut short, the target does not count as planned yet, and the
    /// next look goes on where it ended.
    pub(super) async fn plan(
        self: &Arc<Self>,
        look: &Look,
        found: Found,
        base: Option<CommitSha>,
        merge: Option<Merge>,
    ) -> Result<(), Error> {
        let frame = Frame {
            repository: look.repository,
            target: look.target.clone(),
            commit: found.head,
            source_date_epoch: found.source_date_epoch,
            now: self.clock.now(),
            conflict: merge.as_ref().and_then(|merge| merge.conflict.clone()),
            trust: found.trust,
            profile: self.profiles[0].clone(),
            is_one_of_many: self.profiles.len() > 1,
        };
        let whole = |whole| vec![(frame.clone(), Part::Whole(Box::new(whole)))];
        let mut channels = Released::default();
        let parts = match found.what {
            What::Recipes {
                candidates,
                removed,
            } => {
                let mut parts = Vec::new();
                for (profile, mut candidates) in candidates {
                    let known = self.channel(&profile)?.latest().await?;
                    let snapshot = &known.snapshot;
                    let names = Arc::new(names_of(&candidates));
                    if found.first && look.target.is_published() {
                        candidates.retain(|candidate| is_lacking(candidate, snapshot));
                    }
                    add_provided(&mut candidates, snapshot);
                    channels.0.insert(profile.clone(), OfProfile::from(&known));
                    let size = match look.target.is_published() {
                        true => BATCH,
                        false => usize::MAX,
                    };
                    let frame = Frame {
                        profile,
                        ..frame.clone()
                    };
                    for candidates in batches(candidates, size) {
                        let changes = Changes {
                            candidates,
                            removed: removed.iter().cloned().collect(),
                            names: Arc::clone(&names),
                            branch: merge.as_ref().map(|merge| merge.branch.clone()),
                        };
                        parts.push((frame.clone(), Part::Recipes(changes)));
                    }
                }
                parts
            }
            What::Strange { author, folders } => {
                whole(plan::unapproved(BuildId::new(), &frame, author, &folders))
            }
            What::TooLarge { reason } => whole(plan::too_large(BuildId::new(), &frame, reason)),
        };
        let channels = Arc::new(channels);
        let mut parts = parts.into_iter().peekable();
        while let Some((frame, part)) = parts.next() {
            let end = parts.peek().is_none().then_some(&merge);
            self.commit((look, base), frame, part, &channels, end)
                .await?;
        }
        Ok(())
    }

    /// Commits a part of a plan that goes on from `base`; the last with its `end`.
    async fn commit(
        &self,
        (look, base): (&Look, Option<CommitSha>),
        frame: Frame,
        part: Part,
        channels: &Arc<Released>,
        end: Option<&Option<Merge>>,
    ) -> Result<(), Error> {
        let (tables, look) = (self.tables.clone(), look.clone());
        let (channels, end) = (Arc::clone(channels), end.cloned());
        self.submit(move |txn| {
            // Another look may have come first; then this one saw an older state.
            let key = look_key(look.repository, &look.target);
            if tables.planned.find(txn, &key)? != base {
                return Ok(());
            }
            match part {
                Part::Recipes(changes) => {
                    commit_plan(&tables, txn, &frame, changes, &channels)?;
                }
                Part::Whole(build) => commit_whole(&tables, txn, &frame, &build)?,
            }
            let Some(merge) = end else {
                return Ok(());
            };
            tables.planned.put(txn, &key, &frame.commit)?;
            if let Some(merge) = &merge {
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
pub(super) fn names_of(candidates: &[Candidate]) -> Names {
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
    for candidate in candidates {
        if let Ok(recipe) = &mut candidate.recipe {
            let name = recipe.name.clone();
            recipe.expect(snapshot.provides_of(name.as_str()));
        }
    }
}

/// True when the channel does not have the recipe's release.
fn is_lacking(candidate: &Candidate, snapshot: &Snapshot) -> bool {
    match &candidate.recipe {
        Ok(recipe) => snapshot
            .release_of(recipe.name.as_str())
            .is_none_or(|have| recipe.release > have),
        Err(_) => true,
    }
}
