//! What a build that was not handed to a builder yet should do next.

use api::id::BuildId;

use super::build::{Build, Event, Hold, State};

/// The event that brings `build` where the builds before it say it should be; none when it is
/// there. `find` looks up a build that it comes after.
///
/// This is a function of the present only, so a build that was held because another one failed goes
/// on once that one's successor has succeeded.
pub fn decide(build: &Build, find: impl Fn(BuildId) -> Option<Build>) -> Option<Event> {
    match &build.state {
        State::Planned | State::Waiting { .. } => {}
        State::Held {
            by: Hold::Build { .. },
            ..
        } => {}
        // Only a look at the channel or a person can end these.
        State::Held {
            by: Hold::Needs { .. } | Hold::Approval { .. },
            ..
        } => return None,
        State::Queued { .. } if build.unapproved.is_some() => {}
        State::Queued { .. }
        | State::Building { .. }
        | State::Built(_)
        | State::Publishing { .. }
        | State::Published { .. }
        | State::Failed(_)
        | State::Cancelled { .. }
        | State::Superseded { .. } => return None,
    }
    // However it came here: what nobody with write access stands for is not run.
    if let Some(author) = &build.unapproved {
        let author = author.clone();
        return Some(Event::Held(Hold::Approval { author }));
    }
    let mut open = Vec::new();
    for before in &build.after {
        // A build that is remembered no more was settled long ago.
        let Some(before) = find(*before) else {
            continue;
        };
        if is_enough(build, &before) {
            continue;
        }
        if blocks(&before) {
            let hold = Hold::Build {
                build: before.id,
                recipe: before.recipe.to_string(),
            };
            return changed(build, Event::Held(hold));
        }
        open.push(before.id);
    }
    if open.is_empty() {
        Some(Event::Ready)
    } else {
        changed(build, Event::Blocked { on: open })
    }
}

/// True when `build` can go on as far as `before` is concerned.
fn is_enough(build: &Build, before: &Build) -> bool {
    // Members of a cycle are built against each other's unpublished stones.
    let member = build.cycle.contains(&before.id);
    let built = matches!(before.state, State::Built(_) | State::Publishing { .. });
    before.is_success() || (member && built)
        // The channel had it all along.
        || matches!(
            before.state,
            State::Cancelled { by: super::build::By::AlreadyPublished { .. }, .. }
        )
}

/// True when `before` will not succeed by itself.
fn blocks(before: &Build) -> bool {
    match &before.state {
        State::Failed(_)
        | State::Cancelled { .. }
        | State::Superseded { .. }
        | State::Held { .. } => true,
        State::Planned
        | State::Waiting { .. }
        | State::Queued { .. }
        | State::Building { .. }
        | State::Built(_)
        | State::Publishing { .. }
        | State::Published { .. } => false,
    }
}

/// The event, unless the build is where it leads already.
fn changed(build: &Build, event: Event) -> Option<Event> {
    let there = match (&build.state, &event) {
        (State::Held { by, .. }, Event::Held(hold)) => by == hold,
        (State::Waiting { on }, Event::Blocked { on: open }) => on == open,
        _ => false,
    };
    (!there).then_some(event)
}

#[cfg(test)]
mod tests;
