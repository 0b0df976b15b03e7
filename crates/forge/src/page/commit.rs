//! A commit: what it changed, what its check runs say, and what people do.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{Redirect, Response};
use maud::{Markup, html};

use crate::forge::{Forge, Shared, blocking};
use crate::git::commit::{self, Commit};
use crate::git::diff;
use crate::page::door::{Actor, Visitor};
use crate::page::form::Fields;
use crate::page::frame::{Page, Tab};
use crate::page::look::{self, Place};
use crate::page::refusal::Refusal;
use crate::page::text::{plain, short, subject, time};
use crate::page::{check, difference, frame, talk};
use crate::rights::Deed;
use crate::state::comment::Subject;

/// `GET /{owner}/{repo}/commit/{sha}` and its `/checks`.
pub(crate) async fn show(
    State(shared): State<Arc<Shared>>,
    visitor: Visitor,
    Path((owner, name, sha)): Path<(String, String, String)>,
) -> Result<Response, Refusal> {
    let place = look::enter(&shared, &visitor, &owner, &name)?;
    let path = place.path.clone();
    let found = blocking(move || {
        let Some(sha) = commit::find(&path, &sha)? else {
            return Ok(None);
        };
        let difference = diff::of_commit(&path, &sha)?;
        Ok(commit::read(&path, &sha)?.map(|commit| (commit, difference)))
    });
    let (commit, difference) = found.await?.ok_or_else(Refusal::missing)?;
    let (runs, said) = {
        let state = shared.lock();
        let about = |subject: &Subject| match subject {
            Subject::Commit { sha, .. } => *sha == commit.sha,
            Subject::Pull(_) => false,
        };
        let runs = look::runs_on(&state, place.id, &commit.sha);
        (runs, look::comments(&state, place.id, about))
    };
    let now = shared.clock.now();
    let action = format!("/{}/commit/{}/comments", place.name, commit.sha);
    let body = html! {
        h1 { (subject(&commit.message)) }
        (facts(&place, &commit, now))
        h2 id="checks" { "Checks" }
        (check::details(&visitor, &place, &runs, now))
        h2 id="difference" { "Changes" }
        (difference::show(&place, &commit.sha, &difference, &runs))
        h2 id="comments" { "Comments" }
        (talk::comments(&said, "commitcomment", now))
        (talk::write(&visitor, &place, &action))
    };
    let title = format!("{} · {}", short(&commit.sha), place.name);
    Ok(Page {
        visitor: &visitor,
        title: &title,
        place: Some((&place, Tab::Commits)),
        body,
    }
    .show())
}

fn facts(place: &Place, commit: &Commit, now: jiff::Timestamp) -> Markup {
    let rest = commit.message.split_once('\n').map_or("", |(_, rest)| rest);
    html! {
        @if !rest.trim().is_empty() { (frame::block(rest.trim())) }
        p.dim {
            (plain(&commit.author.name)) " wrote it " (time(now, commit.author.at)) " · commit "
            code title=(commit.sha) { (short(&commit.sha)) }
            @for parent in &commit.parents {
                " · parent " a href=(format!("/{}/commit/{parent}", place.name)) { code { (short(parent)) } }
            }
            " · " a href=(format!("/{}/tree/{}", place.name, commit.sha)) { "Files" }
        }
    }
}

/// `POST /{owner}/{repo}/commit/{sha}/comments`
pub(crate) async fn comment(
    State(shared): State<Arc<Shared>>,
    visitor: Visitor,
    actor: Actor,
    Path((owner, name, sha)): Path<(String, String, String)>,
    fields: Fields,
) -> Result<Redirect, Refusal> {
    let body = talk::read(&fields)?;
    let at = (owner.as_str(), name.as_str());
    let place = look::permit(&shared, &visitor, &actor, at, Deed::Comment)?;
    let path = place.path.clone();
    let sha = blocking(move || commit::find(&path, &sha))
        .await?
        .ok_or_else(Refusal::missing)?;
    let forge = Forge { shared };
    let login = &actor.person.login;
    let id = forge
        .comment_on_commit(&place.name, &sha, login, &body)
        .await?;
    let anchor = frame::anchor("commitcomment", id);
    Ok(Redirect::to(&format!(
        "/{}/commit/{sha}#{anchor}",
        place.name
    )))
}
