//! The first state of a build: planned, or an end state at once.

use std::collections::HashMap;
use std::sync::Arc;

use api::id::BuildId;
use jiff::Timestamp;

use super::input::{Described, Frame};
use crate::domain::build::{Annotation, Build, By, Failure, FailureKind, Plan, State};

/// The first state of a build whose recipe can be read. vessel checks the release again when it
/// imports a build (`repo/src/domain/arrival.rs`).
pub(super) fn first_state(
    recipe: &Described,
    frame: &Frame,
    released: &HashMap<String, u64>,
) -> State {
    let Some(&channel) = released.get(recipe.name.as_str()) else {
        return State::Planned;
    };
    if !frame.target.is_published() {
        return State::Planned;
    }
    match recipe.release.cmp(&channel) {
        std::cmp::Ordering::Greater => State::Planned,
        // A release is built once, unless a person asks for a rebuild (`usecase::rebuild`).
        std::cmp::Ordering::Equal => State::Cancelled {
            by: By::AlreadyPublished { release: channel },
            at: frame.now,
        },
        std::cmp::Ordering::Less => {
            let message = lower(recipe.release, channel);
            let (path, line) = recipe.release_at.clone();
            let annotation = Annotation {
                path,
                line,
                is_error: true,
                title: "release-lower".to_owned(),
                message: message.clone(),
            };
            broken(message, Some(annotation), frame.now)
        }
    }
}

/// A new build of the unchanged recipe of `refused`, which holds its name now. `channel` is the
/// channel's release of the recipe.
pub fn again(refused: &Build, id: BuildId, now: Timestamp, channel: Option<u64>) -> Build {
    let state = match channel {
        Some(channel) if refused.release == channel => State::Cancelled {
            by: By::AlreadyPublished { release: channel },
            at: now,
        },
        Some(channel) if refused.release < channel => {
            broken(lower(refused.release, channel), None, now)
        }
        Some(_) | None => State::Planned,
    };
    let plan = Plan {
        created_at: now,
        own_run: refused.own_run_of_next(),
        asked_by: None,
        ..Plan::clone(&refused.plan)
    };
    Build {
        conflict: refused.conflict.clone(),
        state,
        ..Build::new(id, Arc::new(plan))
    }
}

fn lower(release: u64, channel: u64) -> String {
    format!(
        "release {release} is lower than the published release {channel}; raise `release` above \
         {channel}"
    )
}

/// The end state of a build whose name another recipe holds.
pub(super) fn twice(recipe: &Described, other: &str, at: Timestamp) -> State {
    let message = format!("the name {} is taken by the recipe in {other}", recipe.name);
    State::Failed(Failure {
        kind: FailureKind::NameTaken,
        phase: None,
        annotations: vec![Annotation {
            path: recipe.release_at.0.clone(),
            line: recipe.name_line,
            is_error: true,
            title: "name-taken".to_owned(),
            message: message.clone(),
        }],
        message,
        at,
    })
}

fn broken(message: String, annotation: Option<Annotation>, at: Timestamp) -> State {
    State::Failed(Failure {
        kind: FailureKind::Recipe,
        phase: None,
        annotations: annotation.into_iter().collect(),
        message,
        at,
    })
}
