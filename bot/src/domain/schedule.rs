//! The next step of a build that is not at a builder yet.

use api::id::BuildId;

use super::build::{Bearing, Build, Event, Hold, State};

/// The event that moves `build` to the state that follows from the builds before it; none when it
/// is in that state already. `find` looks up a build by its id.
///
/// Only the current states decide, not the past. So a build that a failed build held goes on once a
/// newer build of that recipe has succeeded.
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
        // Only a change in the channel or on a host, or a person, can end these holds.
        State::Held {
            by:
                Hold::Needs { .. }
                | Hold::Scattered { .. }
                | Hold::Approval(_)
                | Hold::TooLarge { .. }
                | Hold::Draft,
            ..
        } => return None,
        // A queued build may have to wait again.
        State::Queued { .. } => {}
        State::Building { .. }
        | State::Built(_)
        | State::Publishing { .. }
        | State::Published { .. }
        | State::Failed(_)
        | State::Cancelled { .. }
        | State::Superseded { .. } => return None,
    }
    // The last line of defence: no build runs without the word of somebody with write access.
    if let Some(stranger) = build.trust.find_stranger() {
        return Some(Event::Held(Hold::Approval(stranger.clone())));
    }
    let is_queued = matches!(build.state, State::Queued { .. });
    // A published build stays published, so a queued build of a branch need not check again. Stones
    // that only a builder has can be lost.
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

/// What keeps a build from starting.
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
        // A build that is no longer stored was settled long ago.
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

/// The builds under way that only hints lead to. The build waits for them, but their failure does
/// not hold it.
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

/// True when `before` does not keep `build` from starting.
fn is_enough(build: &Build, before: &Build) -> bool {
    match before.bearing() {
        Bearing::Success => true,
        // Members of a cycle are built against each other's unpublished stones.
        Bearing::Built => build.cycle.contains(&before.id),
        Bearing::Open | Bearing::Dead => false,
    }
}

/// The event, unless the build already waits for the same builds.
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

/// The event, unless the build already has the same hold.
fn held(build: &Build, hold: Hold) -> Option<Event> {
    (build.state.find_hold() != Some(&hold)).then_some(Event::Held(hold))
}

#[cfg(test)]
mod tests;
