//! Suspects: failed builds that may be the reason why a need is not met.
//!
//! Before its first successful build, nobody knows what a recipe provides. When a new library
//! fails, nothing tells that it would have provided `pkgconfig(x)`. So when nothing meets a need of
//! a build, the failed builds of the same target are suspects
//! - if only names are known of what they provide: they are new, or cannot be read; or
//! - if the missing thing has their name, or the name of one of their packages.
//!
//! A build that only lacks something itself is a suspect just by name; otherwise two such builds
//! would hold each other. A build that waits for this one is never a suspect. A build held by
//! suspects goes on when one of them succeeds, or when something else provides what it lacks.

use std::collections::{HashMap, HashSet};

use api::id::BuildId;
use moss_format::Dependency;

use super::build::{Build, By, Hold, State, Suspect};

/// The suspects for `build`, which lacks `missing`.
///
/// `head` has only the newest build of each recipe. `is_lacking(id)` is true when build `id` is
/// about to be held because it lacks something.
pub fn suspects(
    build: &Build,
    missing: &[String],
    head: &[Build],
    is_lacking: impl Fn(BuildId) -> bool,
) -> Vec<Suspect> {
    let by_id: HashMap<BuildId, &Build> = head.iter().map(|build| (build.id, build)).collect();
    let names: Vec<String> = missing.iter().filter_map(|need| called(need)).collect();
    let found = head.iter().filter(|other| {
        let is_suspect = match prospect(other, &is_lacking) {
            Prospect::Hopeful => false,
            Prospect::Lacking => is_called(other, &names),
            Prospect::Dead => is_unforeseen(other) || is_called(other, &names),
        };
        is_suspect
            && other.id != build.id
            && (other.repository, &other.target) == (build.repository, &build.target)
            && other.profile == build.profile
            && !waits_for(other.id, build.id, &by_id)
    });
    found
        .map(|other| Suspect {
            build: other.id,
            recipe: other.recipe.to_string(),
        })
        .collect()
}

enum Prospect {
    /// It succeeded, or still may.
    Hopeful,
    /// It lacks something itself.
    Lacking,
    /// It did not succeed, or a build before it did not.
    Dead,
}

fn prospect(build: &Build, is_lacking: impl Fn(BuildId) -> bool) -> Prospect {
    match &build.state {
        State::Held { by, .. } => match by {
            Hold::Build { .. } | Hold::Suspected { .. } => Prospect::Dead,
            Hold::Needs { .. } | Hold::Scattered { .. } => Prospect::Lacking,
            Hold::Approval(_) | Hold::TooLarge { .. } | Hold::Draft => Prospect::Hopeful,
        },
        State::Failed(_)
        | State::Cancelled {
            by: By::PullClosed | By::GroupGone | By::RepositoryGone | By::Person { .. },
            ..
        } => Prospect::Dead,
        State::Planned
        | State::Waiting { .. }
        | State::Queued { .. }
        | State::Building { .. }
        | State::Built(_)
        | State::Publishing { .. }
        | State::Published { .. }
        | State::Cancelled {
            by: By::AlreadyPublished { .. },
            ..
        }
        | State::Superseded { .. } => {
            if is_lacking(build.id) {
                Prospect::Lacking
            } else {
                Prospect::Hopeful
            }
        }
    }
}

/// True when only package names are known of what a build provides.
fn is_unforeseen(build: &Build) -> bool {
    build
        .provides
        .iter()
        .all(|provider| !provider.contains('('))
}

/// The name inside a need, without its kind.
fn called(need: &str) -> Option<String> {
    let need: Dependency = need.parse().ok()?;
    Some(need.name().to_lowercase())
}

/// True when a build or one of its packages has one of these names.
fn is_called(build: &Build, names: &[String]) -> bool {
    let packages = build.provides.iter().filter(|name| !name.contains('('));
    let own = std::iter::once(build.recipe.as_str()).chain(packages.map(String::as_str));
    own.map(str::to_lowercase).any(|name| names.contains(&name))
}

/// True when `build` comes after `other`, directly or indirectly.
fn waits_for(build: BuildId, other: BuildId, by_id: &HashMap<BuildId, &Build>) -> bool {
    let mut open = vec![build];
    let mut seen = HashSet::new();
    while let Some(id) = open.pop() {
        if id == other {
            return true;
        }
        let Some(build) = by_id.get(&id).filter(|_| seen.insert(id)) else {
            continue;
        };
        open.extend(&build.after);
        open.extend(build.cycle.iter().filter(|member| **member != id));
        if let State::Held {
            by: Hold::Suspected { of, .. },
            ..
        } = &build.state
        {
            open.extend(of.iter().map(|suspect| suspect.build));
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::super::build::{FailureKind, example};
    use super::*;

    fn failed(number: u8, recipe: &str) -> Build {
        let mut build = example::build(number, recipe);
        build.state = State::Failed(example::failure(FailureKind::Attempt, None));
        build
    }

    fn held(number: u8, recipe: &str, by: Hold) -> Build {
        let mut build = example::build(number, recipe);
        let since = example::at(0);
        build.state = State::Held { by, since };
        build
    }

    fn lacks(missing: &str) -> Hold {
        Hold::Needs {
            missing: vec![missing.to_owned()],
        }
    }

    fn suspected(build: &Build, missing: &str, head: &[Build]) -> Vec<String> {
        let found = suspects(build, &[missing.to_owned()], head, |_| false);
        found.into_iter().map(|suspect| suspect.recipe).collect()
    }

    #[test]
    fn new_recipes_that_failed_are_suspected_of_anything() {
        let flute = example::build(1, "flute");
        let mut drum = failed(3, "drum");
        drum.provides = vec!["drum".to_owned(), "pkgconfig(drum)".to_owned()];
        let fine = example::build(4, "fine");
        let head = [flute.clone(), failed(2, "reed"), drum, fine];
        assert_eq!(suspected(&flute, "pkgconfig(other)", &head), ["reed"]);
        // A recipe that was built before is suspected only by name.
        assert_eq!(suspected(&flute, "cmake(Drum)", &head), ["reed", "drum"]);
    }

    #[test]
    fn what_only_lacks_something_is_suspected_by_its_name() {
        let flute = example::build(1, "flute");
        let reed = held(2, "reed", lacks("cane"));
        let head = [flute.clone(), reed.clone()];
        assert_eq!(suspected(&flute, "pkgconfig(reed)", &head), ["reed"]);
        assert_eq!(suspected(&flute, "pkgconfig(other)", &head), [""; 0]);
        // The two do not suspect each other.
        let of = vec![Suspect {
            build: reed.id,
            recipe: "reed".to_owned(),
        }];
        let missing = vec!["pkgconfig(reed)".to_owned()];
        let flute = held(1, "flute", Hold::Suspected { missing, of });
        let head = [flute, reed.clone()];
        assert_eq!(suspected(&reed, "pkgconfig(flute)", &head), [""; 0]);
    }

    #[test]
    fn nothing_that_waits_for_a_build_is_suspected_by_it() {
        let flute = example::build(1, "flute");
        let mut band = failed(2, "band");
        band.after = vec![flute.id];
        let mut foreign = failed(3, "reed");
        foreign.target = example::pull();
        let head = [flute.clone(), band, foreign];
        assert_eq!(suspected(&flute, "pkgconfig(reed)", &head), [""; 0]);
    }
}
