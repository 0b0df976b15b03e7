//! Suspects: failed builds that may be the reason why a need is not met.
//!
//! When nothing meets a need of a build, the failed builds of the same target are suspects
//! - if the recipe's last manifest provides the missing thing; or
//! - if the missing thing has the name of the recipe, or of one of its packages: before the first
//!   successful build, names are all that is known of a recipe.
//!
//! A build that waits for this one is never a suspect. A build held by suspects goes on when one of
//! them succeeds, or when something else provides what it lacks.

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
        other.id != build.id
            && (other.repository, &other.target) == (build.repository, &build.target)
            && other.profile == build.profile
            && may_provide(other, missing, &names)
            && !may_succeed(other, &is_lacking)
            && !waits_for(other.id, build.id, &by_id)
    });
    found
        .map(|other| Suspect {
            build: other.id,
            recipe: other.recipe.to_string(),
        })
        .collect()
}

/// True when a build succeeded, or still may without help.
fn may_succeed(build: &Build, is_lacking: impl Fn(BuildId) -> bool) -> bool {
    match &build.state {
        State::Held { by, .. } => match by {
            Hold::Build { .. }
            | Hold::Suspected { .. }
            | Hold::Needs { .. }
            | Hold::Scattered { .. } => false,
            Hold::Approval(_) | Hold::TooLarge { .. } | Hold::Draft => true,
        },
        State::Failed(_)
        | State::Cancelled {
            by: By::PullClosed | By::GroupGone | By::RepositoryGone | By::Person { .. },
            ..
        } => false,
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
        | State::Superseded { .. } => !is_lacking(build.id),
    }
}

/// True when the last manifest of a build's recipe provides one of the `missing` things, or when one
/// of them has the name of the recipe or of one of its packages.
fn may_provide(build: &Build, missing: &[String], names: &[String]) -> bool {
    let provides = &build.provides;
    provides.iter().any(|provider| missing.contains(provider)) || is_called(build, names)
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
    fn what_failed_is_suspected_of_what_its_last_manifest_provides() {
        let flute = example::build(1, "flute");
        let mut drum = failed(3, "drum");
        drum.provides = vec!["drum".to_owned(), "pkgconfig(skin)".to_owned()];
        let mut fine = example::build(4, "fine");
        fine.provides = drum.provides.clone();
        let head = [flute.clone(), failed(2, "reed"), drum, fine];
        assert_eq!(suspected(&flute, "pkgconfig(skin)", &head), ["drum"]);
        assert_eq!(suspected(&flute, "cmake(Drum)", &head), ["drum"]);
        assert_eq!(suspected(&flute, "pkgconfig(other)", &head), [""; 0]);
    }

    /// Nobody knows yet what they provide, but their names have nothing to do with what is missing.
    #[test]
    fn new_recipes_that_failed_are_suspected_by_their_names_only() {
        let sudo = example::build(1, "sudo");
        let head = [
            sudo.clone(),
            failed(2, "python-jinja"),
            failed(3, "python-markupsafe"),
            failed(4, "pam"),
        ];
        assert_eq!(suspected(&sudo, "pkgconfig(pam)", &head), ["pam"]);
        assert_eq!(suspected(&sudo, "pkgconfig(pam)", &head[..3]), [""; 0]);
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
