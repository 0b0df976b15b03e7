//! From changed recipes to builds: which are built, and after which others.

mod batch;
mod begin;
mod first;
mod input;
mod order;
mod whole;

use std::collections::{BTreeMap, HashMap};

use api::id::BuildId;

use super::build::{Build, Scope, State};

use begin::{begin, check_name};
use first::{first_state, twice};
use order::{Place, is_ordered, order};

pub use batch::batches;
pub use first::again;
pub use input::{Candidate, Described, Frame, Others, Unreadable};
pub use order::in_order;
pub use whole::{too_large, unapproved};

/// The builds for `candidates`, and those of `others` whose order changes with them, in no order.
/// `released` is the channel's release of each recipe.
///
/// What is not begun yet is ordered anew as a whole. Were old edges kept and new ones added, two
/// builds planned at different times could come to wait for each other.
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
        // What waited for the build before a broken one waits for the broken one.
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
            // How long the work behind it takes is no reason to write it anew.
            now.path_seconds = before.path_seconds;
            now == before
        });
        if is_same {
            builds.remove(&before.id);
        }
    }
    builds.into_values().collect()
}

#[cfg(test)]
mod tests;
