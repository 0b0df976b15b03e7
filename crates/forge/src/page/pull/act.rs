//! What people do to a pull request.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Redirect;

use super::{address_of, enter};
use crate::forge::{Forge, Shared};
use crate::git::merge::method::MergeMethod;
use crate::name::Sha;
use crate::page::door::{Actor, Visitor};
use crate::page::form::Fields;
use crate::page::refusal::Refusal;
use crate::page::{frame, talk};
use crate::people::{MergePull, Refused};
use crate::rights::{self, Deed};
use crate::state::pull::PullRequest;

/// Checks that a person may do something with a pull request, and gives its address.
fn permit(
    shared: &Shared,
    visitor: &Visitor,
    actor: &Actor,
    pull: (&str, &str, u64),
    deed: impl Fn(&PullRequest) -> Deed,
) -> Result<(String, String), Refusal> {
    let entered = enter(shared, visitor, pull)?;
    let state = shared.lock();
    let record = state.repository(entered.place.id);
    let deed = deed(&entered.pull.pull);
    rights::check(&state, record, actor.person.id, deed)?;
    let at = address_of(&entered.place, &entered.pull.pull);
    Ok((entered.place.name, at))
}

/// `POST /{owner}/{repo}/pull/{number}/comments`
pub(crate) async fn comment(
    State(shared): State<Arc<Shared>>,
    visitor: Visitor,
    actor: Actor,
    Path((owner, name, number)): Path<(String, String, u64)>,
    fields: Fields,
) -> Result<Redirect, Refusal> {
    let body = talk::read(&fields)?;
    let pull = (owner.as_str(), name.as_str(), number);
    let (name, at) = permit(&shared, &visitor, &actor, pull, |_| Deed::Comment)?;
    let forge = Forge { shared };
    let id = forge.comment_on_pull(&name, number, &actor.person.login, &body)?;
    let anchor = frame::anchor("issuecomment", id);
    Ok(Redirect::to(&format!("{at}#{anchor}")))
}

/// `POST /{owner}/{repo}/pull/{number}/merge`
pub(crate) async fn merge(
    State(shared): State<Arc<Shared>>,
    visitor: Visitor,
    actor: Actor,
    Path((owner, name, number)): Path<(String, String, u64)>,
    fields: Fields,
) -> Result<Redirect, Refusal> {
    // The commit that the person saw: what was pushed meanwhile is not merged unseen.
    let seen: Sha = fields
        .text("head")?
        .parse()
        .map_err(|error| Refusal::from(Refused::Name(error)))?;
    let method = match fields.find("method") {
        Some(word) => read_method(&word)?,
        None => MergeMethod::default(),
    };
    let pull = (owner.as_str(), name.as_str(), number);
    let (name, at) = permit(&shared, &visitor, &actor, pull, |_| Deed::Merge)?;
    let wish = MergePull {
        head: Some(&seen),
        method,
        ..MergePull::default()
    };
    let forge = Forge { shared };
    forge
        .merge_pull_with(&name, number, &actor.person.login, wish)
        .await?;
    Ok(Redirect::to(&at))
}

/// The choices of the form, with GitHub's words.
pub(super) const METHODS: [(&str, &str, MergeMethod); 3] = [
    ("merge", "Create a merge commit", MergeMethod::Merge),
    ("squash", "Squash and merge", MergeMethod::Squash),
    ("rebase", "Rebase and merge", MergeMethod::Rebase),
];

fn read_method(word: &str) -> Result<MergeMethod, Refusal> {
    let found = METHODS.iter().find(|(known, _, _)| *known == word);
    found.map(|(_, _, method)| *method).ok_or_else(|| {
        Refusal::unprocessable(format!("There is no way to merge that is called `{word}`."))
    })
}

/// `POST /{owner}/{repo}/pull/{number}/close`
pub(crate) async fn close(
    State(shared): State<Arc<Shared>>,
    visitor: Visitor,
    actor: Actor,
    Path((owner, name, number)): Path<(String, String, u64)>,
    _fields: Fields,
) -> Result<Redirect, Refusal> {
    let pull = (owner.as_str(), name.as_str(), number);
    let (name, at) = permit(&shared, &visitor, &actor, pull, closing)?;
    let forge = Forge { shared };
    forge.close_pull(&name, number, &actor.person.login).await?;
    Ok(Redirect::to(&at))
}

/// `POST /{owner}/{repo}/pull/{number}/reopen`
pub(crate) async fn reopen(
    State(shared): State<Arc<Shared>>,
    visitor: Visitor,
    actor: Actor,
    Path((owner, name, number)): Path<(String, String, u64)>,
    _fields: Fields,
) -> Result<Redirect, Refusal> {
    let pull = (owner.as_str(), name.as_str(), number);
    let (name, at) = permit(&shared, &visitor, &actor, pull, closing)?;
    let forge = Forge { shared };
    forge
        .reopen_pull(&name, number, &actor.person.login)
        .await?;
    Ok(Redirect::to(&at))
}

const fn closing(pull: &PullRequest) -> Deed {
    Deed::ClosePull(pull.author)
}
