//! Making a new build from a candidate.

use std::sync::Arc;

use super::input::{Candidate, Described, Frame};
use crate::domain::build::{Build, Failure, FailureKind, Plan, Scope, State};
use crate::domain::check_run::name::{NameClaim, of_recipe};

/// The name of a candidate's check run.
pub(super) fn check_name(candidate: &Candidate, frame: &Frame, is_refused: bool) -> String {
    let name = match &candidate.recipe {
        Ok(recipe) => &recipe.name,
        Err(unreadable) => &unreadable.name,
    };
    let standing = match is_refused {
        true => NameClaim::Refused,
        false => NameClaim::Holder,
    };
    let profile = frame.is_one_of_many.then_some(&frame.profile);
    of_recipe(&candidate.folder, name, standing, profile)
}

/// A new build of a candidate. `check` is the name of its check run, if it differs from the
/// default.
pub(super) fn begin(
    candidate: &Candidate,
    frame: &Frame,
    scope: Scope,
    check: Option<String>,
) -> Build {
    let described = candidate.recipe.as_ref().ok();
    let texts = |of: fn(&Described) -> Vec<String>| described.map(of).unwrap_or_default();
    let plan = Plan {
        repository: frame.repository,
        target: frame.target.clone(),
        profile: frame.profile.clone(),
        commit: frame.commit,
        folder: candidate.folder.clone(),
        tree: candidate.tree,
        recipe: match &candidate.recipe {
            Ok(recipe) => recipe.name.clone(),
            Err(unreadable) => unreadable.name.clone(),
        },
        check,
        own_run: frame.own_run,
        scope,
        version: described.map_or_else(String::new, |recipe| recipe.version.clone()),
        release: described.map_or(0, |recipe| recipe.release),
        needs: texts(|recipe| recipe.needs.iter().map(ToString::to_string).collect()),
        hints: texts(|recipe| recipe.hints.iter().map(ToString::to_string).collect()),
        provides: texts(|recipe| recipe.provides.iter().map(ToString::to_string).collect()),
        source_date_epoch: frame.source_date_epoch,
        created_at: frame.now,
        warnings: described.map_or_else(Vec::new, |recipe| recipe.warnings.clone()),
        trust: frame.trust.clone(),
        asked_by: None,
    };
    let state = match &candidate.recipe {
        Ok(_) => State::Planned,
        Err(unreadable) => State::Failed(Failure {
            kind: FailureKind::Recipe,
            phase: None,
            message: unreadable.message.clone(),
            annotations: unreadable.annotations.clone(),
            at: frame.now,
        }),
    };
    Build {
        conflict: frame.conflict.clone(),
        state,
        ..Build::new(candidate.id, Arc::new(plan))
    }
}
