//! A repository's files, of any ref, and its branches.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use maud::{Markup, html};
use secrecy::ExposeSecret;

use crate::forge::{Shared, blocking};
use crate::git::refs;
use crate::git::tree::{self, Content, Entry, File, Folder, Found, Kind, MAX_SHOWN};
use crate::name::Sha;
use crate::page::check;
use crate::page::door::Visitor;
use crate::page::frame::{Page, Tab};
use crate::page::look::{self, Place};
use crate::page::refusal::Refusal;
use crate::page::text::{address, count, plain, short};

/// Lines of a file that are shown.
const MAX_LINES: usize = 5_000;
/// Characters of a line that are shown.
const MAX_LINE: usize = 2_000;

/// `GET /{owner}/{repo}`
pub(crate) async fn repository(
    State(shared): State<Arc<Shared>>,
    visitor: Visitor,
    Path((owner, name)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    let place = look::enter(&shared, &visitor, &owner, &name)?;
    let branch = place.default_branch.to_string();
    let (path, asked) = (place.path.clone(), branch.clone());
    let found = blocking(move || match tree::resolve(&path, &asked)? {
        Some(at) => Ok(tree::look(&path, &at.sha, "")?.map(|found| (at, found))),
        None => Ok(None),
    })
    .await?;
    let runs = found.as_ref().map(|(at, _)| {
        let state = shared.lock();
        look::runs_on(&state, place.id, &at.sha)
    });
    let body = html! {
        h1 { (plain(&place.name)) }
        (clone_box(&shared, &visitor, &place))
        @match &found {
            Some((at, Found::Folder(folder))) => {
                p.dim {
                    "Branch " a href=(format!("/{}/branches", place.name)) { code { (plain(&branch)) } }
                    " at " a href=(format!("/{}/commit/{}", place.name, at.sha)) { code { (short(&at.sha)) } }
                }
                (listing(&place, at, folder))
                @if let Some(runs) = runs.filter(|runs| !runs.is_empty()) {
                    h2 { "Checks of the newest commit" }
                    (check::list(&place, &runs))
                }
            }
            _ => {
                p { "There is no branch " code { (plain(&branch)) } " yet. Push a first commit to it." }
            }
        }
    };
    Ok(Page {
        visitor: &visitor,
        title: &place.name,
        place: Some((&place, Tab::Code)),
        body,
    }
    .show())
}

/// How to clone and push, with what the visitor needs for it.
fn clone_box(shared: &Shared, visitor: &Visitor, place: &Place) -> Markup {
    let web = shared.urls.web();
    let (scheme, host) = web.split_once("://").unwrap_or(("http", web));
    let name = &place.name;
    html! {
        section.clone {
            h2 { "Clone and push" }
            @match &visitor.person {
                None => {
                    pre { "git clone " (web) "/" (name) ".git" }
                    p.dim {
                        "Git asks for a user name and a password: your login and your token. "
                        a href=(visitor.sign_in()) { "Sign in" } " to get one."
                    }
                }
                Some(person) => {
                    // The configuration's own token is shown to its person, where nobody else can
                    // reach the page; without a cookie it is a program that asks.
                    @match shared.known_token(&person.login).filter(|_| visitor.form_number.is_some()) {
                        Some(token) => {
                            pre { "git clone " (scheme) "://" (person.login) ":" (address(token.expose_secret())) "@" (host) "/" (name) ".git" }
                            p.dim { "This line has your token in it, and clones and pushes as " strong { (plain(&person.login)) } "." }
                        }
                        None => {
                            pre { "git clone " (scheme) "://" (person.login) "@" (host) "/" (name) ".git" }
                            p.dim {
                                "Git asks for a password: your token. "
                                a href="/-/tokens" { "Make a token" } " if you have none at hand."
                            }
                        }
                    }
                }
            }
        }
    }
}

/// `GET /{owner}/{repo}/tree/{ref}/{path}` and `…/blob/…`
pub(crate) async fn browse(
    State(shared): State<Arc<Shared>>,
    visitor: Visitor,
    Path((owner, name, rest)): Path<(String, String, String)>,
) -> Result<Response, Refusal> {
    let place = look::enter(&shared, &visitor, &owner, &name)?;
    let path = place.path.clone();
    let found = blocking(move || match tree::resolve(&path, &rest)? {
        Some(at) => Ok(tree::look(&path, &at.sha, &at.path)?.map(|found| (at, found))),
        None => Ok(None),
    });
    let (at, found) = found.await?.ok_or_else(Refusal::missing)?;
    let title = format!("{} at {} · {}", at.path, at.reference, place.name);
    let body = html! {
        h1.path { (crumbs(&place, &at)) }
        p.dim {
            "at " code { (plain(&shown_ref(&at.reference))) } " · "
            a href=(format!("/{}/commits/{}", place.name, address(&at.reference))) { "History" }
        }
        @match &found {
            Found::Folder(folder) => (listing(&place, &at, folder)),
            Found::File(file) => (contents(file)),
        }
    };
    Ok(Page {
        visitor: &visitor,
        title: &title,
        place: Some((&place, Tab::Code)),
        body,
    }
    .show())
}

/// A ref as it is shown: a commit by the beginning of its id.
pub(crate) fn shown_ref(reference: &str) -> String {
    match reference.parse::<Sha>() {
        Ok(sha) => short(&sha).to_owned(),
        Err(_) => reference.to_owned(),
    }
}

fn crumbs(place: &Place, at: &tree::Place) -> Markup {
    let (_, name) = place.name.split_once('/').unwrap_or(("", &place.name));
    let root = format!("/{}/tree/{}", place.name, address(&at.reference));
    let parts: Vec<_> = at.path.split('/').filter(|part| !part.is_empty()).collect();
    html! {
        a href=(root) { (plain(name)) }
        @for (index, part) in parts.iter().enumerate() {
            " / "
            @if index + 1 == parts.len() {
                span { (plain(part)) }
            } @else {
                a href=(format!("{root}/{}", address(&parts[..=index].join("/")))) { (plain(part)) }
            }
        }
    }
}

fn listing(place: &Place, at: &tree::Place, folder: &Folder) -> Markup {
    let target = |entry: &Entry| {
        let view = match entry.kind {
            Kind::Folder => "tree",
            Kind::File | Kind::Submodule => "blob",
        };
        let inner = if at.path.is_empty() {
            entry.name.clone()
        } else {
            format!("{}/{}", at.path, entry.name)
        };
        let reference = address(&at.reference);
        format!("/{}/{view}/{reference}/{}", place.name, address(&inner))
    };
    html! {
        ul.files {
            @if folder.entries.is_empty() { li.dim { "This folder is empty." } }
            @for entry in &folder.entries {
                li {
                    @match entry.kind {
                        Kind::Folder => { a.folder href=(target(entry)) { (plain(&entry.name)) "/" } }
                        Kind::File => { a href=(target(entry)) { (plain(&entry.name)) } }
                        Kind::Submodule => { span.dim { (plain(&entry.name)) " (a submodule)" } }
                    }
                }
            }
            @if folder.omitted > 0 { li.dim { "… and " (folder.omitted) " more" } }
        }
    }
}

fn contents(file: &File) -> Markup {
    match &file.content {
        Content::Binary => html! {
            p { "The file is not text: " (count(file.size, "byte")) ". Clone the repository to look at it." }
        },
        Content::TooLarge => html! {
            p {
                "The file has " (file.size) " bytes; up to " (MAX_SHOWN)
                " are shown. Clone the repository to look at it."
            }
        },
        Content::Text(text) => html! {
            div.scroll.code {
                table {
                    @for (index, line) in text.lines().take(MAX_LINES).enumerate() {
                        tr id=(format!("L{}", index + 1)) {
                            td.n { a href=(format!("#L{}", index + 1)) { (index + 1) } }
                            td { (cut(line)) }
                        }
                    }
                }
            }
            @if text.lines().nth(MAX_LINES).is_some() {
                p.dim { "Only the first " (MAX_LINES) " lines are shown. Clone the repository to see the rest." }
            }
        },
    }
}

/// A line, not longer than a page bears.
fn cut(line: &str) -> Markup {
    match line.char_indices().nth(MAX_LINE) {
        Some((end, _)) => html! { (plain(&line[..end])) span.dim { " … cut here" } },
        None => html! { (plain(line)) },
    }
}

/// `GET /{owner}/{repo}/branches`
pub(crate) async fn branches(
    State(shared): State<Arc<Shared>>,
    visitor: Visitor,
    Path((owner, name)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    let place = look::enter(&shared, &visitor, &owner, &name)?;
    let path = place.path.clone();
    let refs = blocking(move || refs::read(&path)).await?;
    let named = |prefix: &'static str| {
        refs.iter()
            .filter_map(move |(name, tip)| Some((name.strip_prefix(prefix)?, Sha::from_oid(*tip))))
            .collect::<Vec<_>>()
    };
    let (branches, tags) = (named("refs/heads/"), named("refs/tags/"));
    let verdicts = {
        let tips = branches.iter().map(|(_, tip)| tip.clone());
        look::verdicts(&shared.lock(), place.id, tips)
    };
    let row = |name: &str, tip: &Sha| {
        html! {
            li {
                a href=(format!("/{}/tree/{}", place.name, address(name))) { code { (plain(name)) } }
                span.dim.small {
                    " " a href=(format!("/{}/commits/{}", place.name, address(name))) { (short(tip)) }
                    @if name == place.default_branch.as_str() { " · default" }
                    @if let Some(verdict) = verdicts.get(tip) { " · " (check::verdict(*verdict)) }
                }
                @if name != place.default_branch.as_str() && visitor.person.is_some() {
                    " " a.small href=(format!("/{}/pulls/new?head={}", place.name, address(name))) { "Open a pull request" }
                }
            }
        }
    };
    let body = html! {
        h1 { "Branches" }
        @if branches.is_empty() { p.dim { "None yet. Push one." } }
        ul.list { @for (name, tip) in &branches { (row(name, tip)) } }
        @if !tags.is_empty() {
            h2 { "Tags" }
            ul.list {
                @for (name, _) in &tags {
                    li { a href=(format!("/{}/tree/{}", place.name, address(name))) { code { (plain(name)) } } }
                }
            }
        }
    };
    let title = format!("Branches · {}", place.name);
    Ok(Page {
        visitor: &visitor,
        title: &title,
        place: Some((&place, Tab::Branches)),
        body,
    }
    .show())
}
