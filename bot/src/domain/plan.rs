//! Planning: which changed recipes are built, and in which order.

mod batch;
mod begin;
mod first;
mod input;
mod order;
mod whole;

use std::collections::{BTreeMap, HashMap};

use api::id::BuildId;

use super::build::{Build, Hold, Scope, State};

use begin::{begin, check_name};
use first::{first_state, twice};
use order::{Place, is_ordered, order};

pub use batch::batches;
pub use first::again;
pub use input::{Candidate, Described, Frame, Others, Unreadable};
pub use order::in_order;
pub use whole::{too_large, unapproved};

/// Plans builds for `candidates`. Returns these builds, and the builds of `others` whose order
/// changes, in no particular order. `released` is the channel's release of each recipe.
///
/// All builds that have not started are ordered again as a whole. If old edges were kept and new
/// ones added, two builds planned at different times could wait for each other.
pub fn plan(
    candidates: Vec<Candidate>,
    frame: &Frame,
    others: &Others,
    released: &HashMap<String, u64>,
) -> Vec<Build> {
    let mut builds: BTreeMap<BuildId, Build> = BTreeMap::new();
    let mut places: BTreeMap<BuildId, Place> = BTreeMap::new();
    for candidate in candidates {
        let other = others.taken.get(&candidate.folder);
        let check = check_name(&candidate, frame, other.is_some());
        let mut build = begin(&candidate, frame, Scope::Recipe, Some(check));
        if let Ok(recipe) = candidate.recipe {
            build.state = match other {
                Some(other) => twice(&recipe, other, frame.now),
                None => first_state(&recipe, frame, released),
            };
            if matches!(build.state, State::Planned) {
                let place = Place {
                    needs: recipe.needs,
                    hints: recipe.hints,
                    provides: recipe.provides,
                };
                places.insert(build.id, place);
            }
        }
        // This recipe is broken and replaces an older build. Builds that waited for the older build
        // now wait for this one.
        if let (State::Failed(_), Some(old)) = (&build.state, others.replaced.get(&build.id)) {
            places.insert(build.id, Place::of(old));
        }
        builds.insert(build.id, build);
    }
    for build in &others.builds {
        let mut place = Place::of(build);
        if !is_ordered(build) {
            place.needs.clear();
            place.hints.clear();
        }
        places.insert(build.id, place);
        if is_ordered(build) && !build.state.is_final() {
            builds.insert(build.id, build.clone());
        }
    }
    order(&places, &mut builds, &others.took);
    for before in &others.builds {
        let is_same = builds.get_mut(&before.id).is_some_and(|now| {
            // A new estimate of the path alone is no reason to write the row.
            now.path_seconds = before.path_seconds;
            now == before
        });
        if is_same {
            builds.remove(&before.id);
        }
    }
    if frame.is_draft {
        let planned = builds.values_mut();
        for build in planned.filter(|build| matches!(build.state, State::Planned)) {
            let since = frame.now;
            build.state = State::Held {
                by: Hold::Draft,
                since,
            };
        }
    }
    builds.into_values().collect()
}

#[cfg(test)]
mod tests;
