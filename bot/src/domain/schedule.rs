//! What a build that was not handed to a builder yet should do next.

use api::id::BuildId;

use super::build::{Bearing, Build, Event, Hold, State};

/// The event that brings `build` where the builds before it say it should be; none when it is
/// there. `find` looks up a build that it comes after.
///
/// This is a function of the present only, so a build that was held because another one failed goes
/// on once that one's successor has succeeded.
pub fn decide<'a>(build: &Build, find: impl Fn(BuildId) -> Option<&'a Build>) -> Option<Event> {
    match &build.state {
        State::Planned | State::Waiting { .. } => {}
        State::Held {
            by: Hold::Build { .. },
            ..
        } => {}
        State::Held {
            by: Hold::Suspected { of, .. },
            ..
        } => {
            let mut found = of.iter().filter_map(|suspect| find(suspect.build));
            return found
                .any(|suspect| suspect.is_success())
                .then_some(Event::Ready);
        }
        // Only a look at the channel or the hosts, or a person, can end these.
        State::Held {
            by:
                Hold::Needs { .. }
                | Hold::Scattered { .. }
                | Hold::Approval { .. }
                | Hold::TooLarge { .. },
            ..
        } => return None,
        // It may have to wait again.
        State::Queued { .. } => {}
        State::Building { .. }
        | State::Built(_)
        | State::Publishing { .. }
        | State::Published { .. }
        | State::Failed(_)
        | State::Cancelled { .. }
        | State::Superseded { .. } => return None,
    }
    // However it came here: what nobody with write access stands for is not run.
    if let Some(author) = build.trust.find_stranger() {
        let author = author.to_owned();
        return Some(Event::Held(Hold::Approval { author }));
    }
    let is_queued = matches!(build.state, State::Queued { .. });
    // What was published once stays so, but stones that only a builder has can be lost.
    let after = build
        .after
        .iter()
        .filter(|_| !is_queued || !build.target.is_published());
    let members = build.cycle.iter().take_while(|id| **id != build.id);
    let obstacle = match obstacle(build, after, &find) {
        Obstacle::None => obstacle(build, members, &find),
        found @ (Obstacle::Open(_) | Obstacle::Dead(_)) => found,
    };
    let obstacle = match obstacle {
        Obstacle::None if is_queued => return None,
        Obstacle::None => hinted(build, &find),
        found @ (Obstacle::Open(_) | Obstacle::Dead(_)) => found,
    };
    match obstacle {
        Obstacle::None => Some(Event::Ready),
        Obstacle::Open(on) => blocked(build, on),
        Obstacle::Dead(hold) => held(build, hold),
    }
}

/// What keeps a build from being dispatched.
enum Obstacle {
    None,
    /// Builds that are under way.
    Open(Vec<BuildId>),
    /// A build that will not succeed by itself.
    Dead(Hold),
}

fn obstacle<'a, 'b>(
    build: &Build,
    ids: impl Iterator<Item = &'a BuildId>,
    find: impl Fn(BuildId) -> Option<&'b Build>,
) -> Obstacle {
    let mut open = Vec::new();
    for before in ids {
        // A build that is remembered no more was settled long ago.
        let Some(before) = find(*before) else {
            continue;
        };
        if is_enough(build, before) {
            continue;
        }
        if before.bearing() == Bearing::Dead {
            return Obstacle::Dead(Hold::Build {
                build: before.id,
                recipe: before.recipe.to_string(),
            });
        }
        open.push(before.id);
    }
    match open.as_slice() {
        [] => Obstacle::None,
        _ => Obstacle::Open(open),
    }
}

/// Builds under way that the recipe does not ask for, but its last build did. They hold nothing.
fn hinted<'a>(build: &Build, find: impl Fn(BuildId) -> Option<&'a Build>) -> Obstacle {
    let before = build.behind.iter().filter_map(|id| find(*id));
    let open: Vec<BuildId> = before
        .filter(|before| !is_enough(build, before) && before.bearing() != Bearing::Dead)
        .map(|before| before.id)
        .collect();
    match open.as_slice() {
        [] => Obstacle::None,
        _ => Obstacle::Open(open),
    }
}

/// True when `build` can go on as far as `before` is concerned.
fn is_enough(build: &Build, before: &Build) -> bool {
    match before.bearing() {
        Bearing::Success => true,
        // Members of a cycle are built against each other's unpublished stones.
        Bearing::Built => build.cycle.contains(&before.id),
        Bearing::Open | Bearing::Dead => false,
    }
}

/// The event, unless the build is where it leads already.
fn blocked(build: &Build, on: Vec<BuildId>) -> Option<Event> {
    let there = match &build.state {
        State::Waiting { on: before } => *before == on,
        State::Planned
        | State::Queued { .. }
        | State::Building { .. }
        | State::Built(_)
        | State::Publishing { .. }
        | State::Published { .. }
        | State::Held { .. }
        | State::Failed(_)
        | State::Cancelled { .. }
        | State::Superseded { .. } => false,
    };
    (!there).then_some(Event::Blocked { on })
}

/// As [`blocked`].
fn held(build: &Build, hold: Hold) -> Option<Event> {
    (build.state.find_hold() != Some(&hold)).then_some(Event::Held(hold))
}

#[cfg(test)]
mod tests;
