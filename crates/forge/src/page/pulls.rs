//! Lists of pull requests, opening one, and forking.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::{Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;

use crate::forge::{Forge, Shared, blocking};
use crate::git::refs;
use crate::page::door::{Actor, Visitor};
use crate::page::form::{Fields, form};
use crate::page::frame::{Page, Tab};
use crate::page::look::{self, Place, Pull};
use crate::page::pull::state_badge;
use crate::page::refusal::Refusal;
use crate::page::talk;
use crate::page::text::{plain, time};
use crate::people::OpenPull;
use crate::people::pulls::find_source;
use crate::rest::pull::MAX_TITLE;
use crate::rights::{self, Deed};

/// Pull requests on one page.
const SHOWN: usize = 50;

/// Which pull requests are listed.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Filter {
    #[serde(default)]
    state: Wanted,
    skip: Option<usize>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Wanted {
    #[default]
    Open,
    Closed,
}

/// `GET /{owner}/{repo}/pulls`
pub(crate) async fn list(
    State(shared): State<Arc<Shared>>,
    visitor: Visitor,
    Path((owner, name)): Path<(String, String)>,
    Query(filter): Query<Filter>,
) -> Result<Response, Refusal> {
    let place = look::enter(&shared, &visitor, &owner, &name)?;
    let skip = filter.skip.unwrap_or_default();
    let mut pulls = look::pulls(&shared.lock(), place.id);
    pulls.retain(|pull| pull.pull.is_open() == (filter.state == Wanted::Open));
    let goes_on = pulls.len() > skip.saturating_add(SHOWN);
    let shown: Vec<_> = pulls.into_iter().skip(skip).take(SHOWN).collect();
    let (at, word) = match filter.state {
        Wanted::Open => (format!("/{}/pulls?state=open", place.name), "open"),
        Wanted::Closed => (format!("/{}/pulls?state=closed", place.name), "closed"),
    };
    let now = shared.clock.now();
    let body = html! {
        h1 { "Pull requests" }
        nav.turn {
            a href=(format!("/{}/pulls", place.name)) aria-current=[(word == "open").then_some("true")] { "Open" }
            a href=(format!("/{}/pulls?state=closed", place.name)) aria-current=[(word == "closed").then_some("true")] { "Closed" }
            a.button href=(format!("/{}/pulls/new", place.name)) { "New pull request" }
        }
        @if shown.is_empty() { p.dim { "None is " (word) "." } }
        ul.list {
            @for one in &shown {
                li {
                    div { (state_badge(&one.pull)) a.strong href=(target(&place, one)) { (plain(&one.pull.title)) } }
                    div.dim.small {
                        "#" (one.pull.number) " · " (plain(&one.author)) " opened it " (time(now, one.pull.created_at))
                    }
                }
            }
        }
        nav.turn {
            @if skip > 0 { a href=(format!("{at}&skip={}", skip.saturating_sub(SHOWN))) { "← Newer" } }
            @if goes_on { a href=(format!("{at}&skip={}", skip.saturating_add(SHOWN))) { "Older →" } }
        }
    };
    let title = format!("Pull requests · {}", place.name);
    Ok(Page {
        visitor: &visitor,
        title: &title,
        place: Some((&place, Tab::Pulls)),
        body,
    }
    .show())
}

fn target(place: &Place, pull: &Pull) -> String {
    format!("/{}/pull/{}", place.name, pull.pull.number)
}

/// The branches that are chosen when the form is opened.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Chosen {
    head: Option<String>,
    base: Option<String>,
}

/// The branches that a pull request can come from, and those that it can go to.
struct Choice {
    /// As [`OpenPull`] takes them: `branch` or `owner:branch`.
    heads: Vec<String>,
    bases: Vec<String>,
}

/// `GET /{owner}/{repo}/pulls/new`
pub(crate) async fn ask(
    State(shared): State<Arc<Shared>>,
    visitor: Visitor,
    actor: Actor,
    Path((owner, name)): Path<(String, String)>,
    Query(chosen): Query<Chosen>,
) -> Result<Response, Refusal> {
    let mut place = look::enter(&shared, &visitor, &owner, &name)?;
    let mut chosen = chosen;
    // From a fork's own page a pull request goes to what it is a fork of.
    if let Some((parent, name)) = place.parent.as_deref().and_then(|it| it.split_once('/')) {
        let owner = owner.clone();
        if let Ok(parent) = look::enter(&shared, &visitor, parent, name) {
            place = parent;
            chosen.head = chosen.head.map(|branch| format!("{owner}:{branch}"));
        }
    }
    let choice = choices(&shared, &actor, &place).await?;
    let default = place.default_branch.to_string();
    let base = chosen.base.unwrap_or(default);
    let body = html! {
        h1 { "Open a pull request" }
        @if choice.heads.is_empty() {
            p {
                "There is no branch that you could open one from: that needs a branch beside "
                code { (plain(&base)) } " in this repository, and the role write in it, or a fork of it."
            }
            p { "Push a branch, or press Fork above, push to your fork, and come back." }
        } @else {
            (form(&visitor, &format!("/{}/pulls", place.name), "card", &fields(&choice, &base, chosen.head.as_deref())))
        }
    };
    let title = format!("New pull request · {}", place.name);
    Ok(Page {
        visitor: &visitor,
        title: &title,
        place: Some((&place, Tab::Pulls)),
        body,
    }
    .show())
}

fn fields(choice: &Choice, base: &str, head: Option<&str>) -> Markup {
    html! {
        label for="base" { "Into" }
        select id="base" name="base" {
            @for branch in &choice.bases { option value=(branch) selected[branch == base] { (plain(branch)) } }
        }
        label for="head" { "From" }
        select id="head" name="head" {
            @for branch in &choice.heads {
                option value=(branch) selected[Some(branch.as_str()) == head] { (plain(branch)) }
            }
        }
        label for="title" { "Title" }
        input id="title" name="title" maxlength=(MAX_TITLE) required;
        label for="body" { "Description" }
        textarea id="body" name="body" rows="6" {}
        button.primary type="submit" { "Open pull request" }
    }
}

async fn choices(shared: &Arc<Shared>, actor: &Actor, place: &Place) -> Result<Choice, Refusal> {
    let sources: Vec<_> = {
        let state = shared.lock();
        let network = state.repository(place.id).parent.unwrap_or(place.id);
        let name = &state.repository(place.id).name;
        state
            .standing_repositories()
            // `owner:branch` names a fork by its owner, so it has its parent's name.
            .filter(|record| record.parent.unwrap_or(record.id) == network && record.name == *name)
            .filter(|record| {
                rights::check(&state, record, actor.person.id, Deed::OfferBranch).is_ok()
            })
            .map(|record| {
                let owner =
                    (record.id != place.id).then(|| state.account(record.owner).login.to_string());
                (owner, record.path.clone())
            })
            .collect()
    };
    let path = place.path.clone();
    let default = place.default_branch.to_string();
    let choice = blocking(move || {
        let bases = branches(&path)?;
        let mut heads = Vec::new();
        for (owner, path) in sources {
            for branch in branches(&path)? {
                match &owner {
                    Some(owner) => heads.push(format!("{owner}:{branch}")),
                    None if branch == default => {}
                    None => heads.push(branch),
                }
            }
        }
        Ok(Choice { heads, bases })
    });
    Ok(choice.await?)
}

fn branches(path: &std::path::Path) -> Result<Vec<String>, crate::git::GitError> {
    let refs = refs::read(path)?;
    let names = refs
        .keys()
        .filter_map(|name| name.strip_prefix("refs/heads/"));
    Ok(names.map(str::to_owned).collect())
}

/// `POST /{owner}/{repo}/pulls`
pub(crate) async fn open(
    State(shared): State<Arc<Shared>>,
    visitor: Visitor,
    actor: Actor,
    Path((owner, name)): Path<(String, String)>,
    fields: Fields,
) -> Result<Redirect, Refusal> {
    let (head, base) = (fields.text("head")?, fields.text("base")?);
    let title = fields.text("title")?;
    if title.chars().count() > MAX_TITLE {
        let what = format!("The title is longer than {MAX_TITLE} characters.");
        return Err(Refusal::unprocessable(what));
    }
    let body = fields.find("body");
    talk::check_length(body.as_deref().unwrap_or_default())?;
    let place = look::enter(&shared, &visitor, &owner, &name)?;
    {
        let state = shared.lock();
        let target = state.repository(place.id);
        rights::check(&state, target, actor.person.id, Deed::OpenPull)?;
        let (source, _) = find_source(&state, target, &head)?;
        rights::check(&state, source, actor.person.id, Deed::OfferBranch)?;
    }
    let open = OpenPull {
        repository: &place.name,
        author: &actor.person.login,
        head: &head,
        base: &base,
        title: title.trim(),
        body: body.as_deref(),
        draft: false,
    };
    let number = Forge { shared }.open_pull(open).await?;
    Ok(Redirect::to(&format!("/{}/pull/{number}", place.name)))
}

/// `POST /{owner}/{repo}/fork`
pub(crate) async fn fork(
    State(shared): State<Arc<Shared>>,
    visitor: Visitor,
    actor: Actor,
    Path((owner, name)): Path<(String, String)>,
    _fields: Fields,
) -> Result<Redirect, Refusal> {
    let at = (owner.as_str(), name.as_str());
    let place = look::permit(&shared, &visitor, &actor, at, Deed::Fork)?;
    let person = actor.person.id;
    let known = {
        let state = shared.lock();
        state
            .standing_repositories()
            .find(|record| record.owner == person && record.parent == Some(place.id))
            .map(|record| state.full_name(record).to_string())
    };
    // Pressed twice, the button leads to the fork that is there.
    let fork = match known {
        Some(name) => name,
        None => {
            let forge = Forge { shared };
            forge
                .fork(&place.name, &actor.person.login)
                .await?
                .to_string()
        }
    };
    Ok(Redirect::to(&format!("/{fork}")))
}
