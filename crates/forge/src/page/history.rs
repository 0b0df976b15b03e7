//! Lists of commits.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;

use crate::forge::{Shared, blocking};
use crate::git::commit::{self, Commit};
use crate::git::history::{self, Stretch};
use crate::name::Sha;
use crate::page::check;
use crate::page::code::shown_ref;
use crate::page::door::Visitor;
use crate::page::frame::{Page, Tab};
use crate::page::look::{self, Place};
use crate::page::refusal::Refusal;
use crate::page::text::{address, plain, short, subject, time};

/// Commits on one page.
const SHOWN: usize = 30;

/// Where a page of a history begins: so many commits behind one, which stays where it is while
/// others are pushed.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Cursor {
    from: Option<String>,
    skip: Option<usize>,
}

/// `GET /{owner}/{repo}/commits`
pub(crate) async fn of_default(
    shared: State<Arc<Shared>>,
    visitor: Visitor,
    Path((owner, name)): Path<(String, String)>,
    cursor: Query<Cursor>,
) -> Result<Response, Refusal> {
    let place = look::enter(&shared, &visitor, &owner, &name)?;
    let branch = place.default_branch.to_string();
    list(shared, visitor, Path((owner, name, branch)), cursor).await
}

/// `GET /{owner}/{repo}/commits/{ref}`
pub(crate) async fn list(
    State(shared): State<Arc<Shared>>,
    visitor: Visitor,
    Path((owner, name, reference)): Path<(String, String, String)>,
    Query(cursor): Query<Cursor>,
) -> Result<Response, Refusal> {
    let place = look::enter(&shared, &visitor, &owner, &name)?;
    let skip = cursor.skip.unwrap_or_default();
    let path = place.path.clone();
    let asked = cursor.from.unwrap_or_else(|| reference.clone());
    let found = blocking(move || match commit::find(&path, &asked)? {
        Some(tip) => Ok(Some((history::list(&path, &tip, skip, SHOWN)?, tip))),
        None => Ok(None),
    });
    let Some((stretch, tip)) = found.await? else {
        if reference == place.default_branch.as_str() {
            return Ok(empty(&visitor, &place));
        }
        return Err(Refusal::missing());
    };
    let at = format!("/{}/commits/{}", place.name, address(&reference));
    let turn = |skip: usize| format!("{at}?from={tip}&skip={skip}");
    let body = html! {
        h1 { "Commits" }
        p.dim { "of " code { (plain(&shown_ref(&reference))) } }
        (rows(&shared, &place, &stretch))
        nav.turn {
            @if skip > 0 { a href=(turn(skip.saturating_sub(SHOWN))) { "← Newer" } }
            @if stretch.goes_on { a href=(turn(skip.saturating_add(SHOWN))) { "Older →" } }
        }
    };
    let title = format!("Commits · {}", place.name);
    Ok(Page {
        visitor: &visitor,
        title: &title,
        place: Some((&place, Tab::Commits)),
        body,
    }
    .show())
}

fn empty(visitor: &Visitor, place: &Place) -> Response {
    let body = html! {
        h1 { "Commits" }
        p.dim { "None yet. Push a first one." }
    };
    Page {
        visitor,
        title: &format!("Commits · {}", place.name),
        place: Some((place, Tab::Commits)),
        body,
    }
    .show()
}

/// The commits of a stretch, each with how its checks stand.
pub(crate) fn rows(shared: &Shared, place: &Place, stretch: &Stretch) -> Markup {
    let ids = stretch.commits.iter().map(|commit| commit.sha.clone());
    let verdicts = look::verdicts(&shared.lock(), place.id, ids);
    let now = shared.clock.now();
    let target = |sha: &Sha| format!("/{}/commit/{sha}", place.name);
    let row = |commit: &Commit| {
        html! {
            li {
                div { a.strong href=(target(&commit.sha)) { (subject(&commit.message)) } }
                div.dim.small {
                    (plain(&commit.author.name)) " · " (time(now, commit.author.at)) " · "
                    a href=(target(&commit.sha)) { code { (short(&commit.sha)) } }
                    @if let Some(verdict) = verdicts.get(&commit.sha) { " · " (check::verdict(*verdict)) }
                }
            }
        }
    };
    html! { ul.list { @for commit in &stretch.commits { (row(commit)) } } }
}
