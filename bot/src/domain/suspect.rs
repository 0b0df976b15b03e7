//! Whose failure it may be that a need is met by nothing.
//!
//! What a recipe provides is not known before it was built once: a new library that fails has not
//! told that it would have brought `pkgconfig(x)`. So when nothing meets a need of a build, the
//! builds of the same head that did not succeed are suspected
//! - if nothing is known of what they provide but names: they are new, or cannot be read; or
//! - if what is missing is called like them or one of their packages.
//!
//! A build that itself only lacks something is suspected by its name alone, since otherwise any two
//! that lack something would hold each other. None is suspected that waits for the build itself.
//! What is held by suspects goes on when one of them has succeeded, or when what it lacks has come
//! from elsewhere.

use std::collections::{HashMap, HashSet};

use api::id::BuildId;
use moss_format::Dependency;

use super::build::{Build, By, Hold, State, Suspect};

/// The builds among those of its head that `build` is held by when it lacks `missing`. Of each
/// recipe only the newest build is to be among `head`; `is_lacking` tells those that are about to be
/// held because of what they lack.
pub fn suspects(
    build: &Build,
    missing: &[String],
    head: &[Build],
    is_lacking: impl Fn(BuildId) -> bool,
) -> Vec<Suspect> {
    let by_id: HashMap<BuildId, &Build> = head.iter().map(|build| (build.id, build)).collect();
    let names: Vec<String> = missing.iter().filter_map(|need| called(need)).collect();
    let found = head.iter().filter(|other| {
        let is_suspect = match standing(other, &is_lacking) {
            Standing::Hopeful => false,
            Standing::Lacking => is_called(other, &names),
            Standing::Dead => is_unforeseen(other) || is_called(other, &names),
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

enum Standing {
    /// It succeeded, or may yet.
    Hopeful,
    /// It lacks something itself.
    Lacking,
    /// It did not succeed, or comes after such a one.
    Dead,
}

fn standing(build: &Build, is_lacking: impl Fn(BuildId) -> bool) -> Standing {
    match &build.state {
        State::Held { by, .. } => match by {
            Hold::Build { .. } | Hold::Suspected { .. } => Standing::Dead,
            Hold::Needs { .. } | Hold::Scattered { .. } => Standing::Lacking,
            Hold::Approval { .. } | Hold::TooLarge { .. } => Standing::Hopeful,
        },
        State::Failed(_)
        | State::Cancelled {
            by: By::PullClosed | By::RepositoryGone | By::Person { .. },
            ..
        } => Standing::Dead,
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
                Standing::Lacking
            } else {
                Standing::Hopeful
            }
        }
    }
}

/// True when nothing is known of what a build provides but the names of its packages.
fn is_unforeseen(build: &Build) -> bool {
    build
        .provides
        .iter()
        .all(|provider| !provider.contains('('))
}

/// What a need is called, whatever its kind.
fn called(need: &str) -> Option<String> {
    let need: Dependency = need.parse().ok()?;
    Some(need.name().to_lowercase())
}

/// True when a build, or one of its packages, has one of these names.
fn is_called(build: &Build, names: &[String]) -> bool {
    let packages = build.provides.iter().filter(|name| !name.contains('('));
    let own = std::iter::once(build.recipe.as_str()).chain(packages.map(String::as_str));
    own.map(str::to_lowercase).any(|name| names.contains(&name))
}

/// True when one build comes after the other, directly or around corners.
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
        // One that was built before only of what is called like it.
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
