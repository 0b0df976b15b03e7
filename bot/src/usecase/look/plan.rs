//! Turns the result of a look into a committed plan.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use api::id::{BuildId, CommitSha, RecipeFolder};

use super::commit::{Changes, Planned, commit_plan, commit_whole, done, put_head};
use super::pull::put_merge;
use super::released::{OfProfile, Released};
use super::{Error, Found, Summit, What};
use crate::db::{Look, Merge, look_key};
use crate::domain::build::{Build, OwnRun};
use crate::domain::claim::Names;
use crate::domain::plan::{self, Candidate, Frame, batches};
use crate::usecase::channel::Snapshot;

/// About how many recipes one transaction plans. Other transactions wait for it.
pub(super) const BATCH: usize = 250;

/// The content of one transaction.
enum Part {
    Recipes(Changes),
    /// A placeholder build for all recipes.
    Whole(Box<Build>),
}

impl Summit {
    /// Plans the result of a look; for a pull request it also stores the merge. Each profile is
    /// planned by itself, and many recipes are planned in parts. If this is interrupted, the target
    /// does not count as planned, and the next look continues with the next part.
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
            own_run: OwnRun::Always,
            is_draft: found.is_draft,
        };
        let whole = |whole| vec![(frame.clone(), Part::Whole(Box::new(whole)))];
        let mut channels = Released::default();
        let parts = match found.what {
            What::Recipes {
                candidates,
                removed,
            } => {
                let count: usize = candidates.values().map(Vec::len).sum();
                let own_run = match count > self.config.check_runs.recipes {
                    true => OwnRun::OnFailure,
                    false => OwnRun::Always,
                };
                let mut parts = Vec::new();
                // A name belongs to one recipe, whichever profiles that is for.
                let names = candidates
                    .values()
                    .flat_map(|of_profile| names_of(of_profile));
                let names: Arc<Names> = Arc::new(names.collect());
                for (profile, mut candidates) in candidates {
                    let known = self.channel(&profile)?.latest().await?;
                    let snapshot = &known.snapshot;
                    let removed = not_meant(&names, &candidates, &removed);
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
                        own_run,
                        ..frame.clone()
                    };
                    for candidates in batches(candidates, size) {
                        let changes = Changes {
                            candidates,
                            removed: removed.clone(),
                            names: Arc::clone(&names),
                            branch: found.branch.clone(),
                        };
                        parts.push((frame.clone(), Part::Recipes(changes)));
                    }
                }
                parts
            }
            What::Strange { stranger, folders } => {
                whole(plan::unapproved(BuildId::new(), &frame, stranger, &folders))
            }
            What::TooLarge { reason } => whole(plan::too_large(BuildId::new(), &frame, reason)),
        };
        let channels = Arc::new(channels);
        // A pull request is planned whole each time, so a part of it alone must not be committed.
        let mut commits = match look.target.is_published() {
            true => parts.into_iter().map(|part| vec![part]).collect(),
            false => vec![parts],
        }
        .into_iter()
        .peekable();
        while let Some(parts) = commits.next() {
            let end = commits.peek().is_none().then_some(&merge);
            self.commit((look, base), parts, &channels, end).await?;
        }
        Ok(())
    }

    /// Commits one part of a plan on top of `base`. The last part also commits `end`.
    async fn commit(
        &self,
        (look, base): (&Look, Option<CommitSha>),
        parts: Vec<(Frame, Part)>,
        channels: &Arc<Released>,
        end: Option<&Option<Merge>>,
    ) -> Result<(), Error> {
        let (tables, look) = (self.tables.clone(), look.clone());
        let (channels, end) = (Arc::clone(channels), end.cloned());
        let now = self.clock.now();
        self.submit(move |txn| {
            // Another look may have committed first. Then this plan is outdated.
            let key = look_key(look.repository, &look.target);
            if tables.planned.find(txn, &key)? != base {
                return Ok(());
            }
            let mut head = None;
            for (frame, part) in parts {
                if head.replace(frame.commit).is_none() {
                    let planned = match end {
                        Some(_) => Planned::Wholly,
                        None => Planned::Partly,
                    };
                    let seen = (planned, Some(now));
                    put_head(&tables, txn, &look, frame.commit, seen, now)?;
                }
                match part {
                    Part::Recipes(changes) => {
                        commit_plan(&tables, txn, &frame, changes, &channels)?;
                    }
                    Part::Whole(build) => commit_whole(&tables, txn, &frame, &build)?,
                }
            }
            let (Some(merge), Some(head)) = (end, head) else {
                return Ok(());
            };
            tables.planned.put(txn, &key, &head)?;
            if let Some(merge) = &merge {
                put_merge(&tables, txn, &look, merge)?;
            }
            // The caller has more to do for a branch, so the wish stays. The process has survived what
            // the head holds, so this look does not count as unreturned from here on.
            match look.target.is_published() {
                true => Ok(tables.end_look(txn, &key)?),
                false => done(&tables, txn, &look),
            }
        })
        .await
        .map_err(Error::Change)
    }
}

/// The folders that one profile has no builds of from now on: those of removed recipes, and of recipes that
/// are meant for other profiles.
fn not_meant(
    names: &Names,
    candidates: &[Candidate],
    removed: &[RecipeFolder],
) -> BTreeSet<RecipeFolder> {
    let meant: HashSet<&RecipeFolder> = candidates.iter().map(|one| &one.folder).collect();
    let others = names.keys().filter(|folder| !meant.contains(folder));
    removed.iter().chain(others).cloned().collect()
}

/// The names of the changed recipes.
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

/// Adds the providers of the published packages to each recipe. A recipe is expected to go on
/// providing them, even without a manifest in its folder.
fn add_provided(candidates: &mut [Candidate], snapshot: &Snapshot) {
    for candidate in candidates {
        if let Ok(recipe) = &mut candidate.recipe {
            let name = recipe.name.clone();
            recipe.expect(snapshot.provides_of(name.as_str()));
        }
    }
}

/// True when the channel lacks the recipe's release.
fn is_lacking(candidate: &Candidate, snapshot: &Snapshot) -> bool {
    match &candidate.recipe {
        Ok(recipe) => snapshot
            .release_of(recipe.name.as_str())
            .is_none_or(|have| recipe.release > have),
        Err(_) => true,
    }
}
