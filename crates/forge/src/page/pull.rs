//! A pull request: the talk, its checks, whether it merges, its commits and what it changes.

mod act;

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use maud::{Markup, html};

use crate::forge::{Shared, blocking};
use crate::git::{diff, history};
use crate::name::Sha;
use crate::obstacle::{self, Obstacle};
use crate::page::door::Visitor;
use crate::page::form::form;
use crate::page::frame::{Page, Tab};
use crate::page::look::{self, Place, Pull};
use crate::page::refusal::Refusal;
use crate::page::text::{address, plain, short, time};
use crate::page::{check, difference, history as commits, markdown, talk};
use crate::rights::{self, Deed};
use crate::state::comment::Subject;
use crate::state::pull::{Mergeability, PullRequest, State as PullState};

pub(crate) use act::{close, comment, merge, reopen};

/// The parts of a pull request, each on a page of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Conversation,
    Commits,
    Files,
}

/// A pull request that the visitor may look at, and what they may do with it.
struct Entered {
    place: Place,
    pull: Pull,
    may_close: bool,
    may_merge: bool,
    obstacle: Option<Obstacle>,
}

fn enter(
    shared: &Shared,
    visitor: &Visitor,
    (owner, name, number): (&str, &str, u64),
) -> Result<Entered, Refusal> {
    let place = look::enter(shared, visitor, owner, name)?;
    let state = shared.lock();
    let pull = look::find_pull(&state, place.id, number)?;
    let record = state.repository(place.id);
    let may = |deed| {
        let person = visitor.account().filter(|_| visitor.form_number.is_some());
        person.is_some_and(|person| rights::check(&state, record, person, deed).is_ok())
    };
    Ok(Entered {
        may_close: may(Deed::ClosePull(pull.pull.author)),
        may_merge: may(Deed::Merge),
        obstacle: obstacle::find_direct(&state, &pull.pull),
        place,
        pull,
    })
}

/// `GET /{owner}/{repo}/pull/{number}`
pub(crate) async fn conversation(
    State(shared): State<Arc<Shared>>,
    visitor: Visitor,
    Path((owner, name, number)): Path<(String, String, u64)>,
) -> Result<Response, Refusal> {
    let entered = enter(&shared, &visitor, (&owner, &name, number))?;
    let (place, pull) = (&entered.place, &entered.pull.pull);
    let (runs, said) = {
        let state = shared.lock();
        let about = |subject: &Subject| *subject == Subject::Pull(number);
        let runs = look::runs_on(&state, place.id, &pull.head.sha);
        (runs, look::comments(&state, place.id, about))
    };
    let now = shared.clock.now();
    let at = address_of(place, pull);
    let body = html! {
        (head(&entered, now, Part::Conversation))
        section.comment {
            p.head {
                strong { (plain(&entered.pull.author)) } " "
                span.dim { "opened it " (time(now, pull.created_at)) }
            }
            @match pull.body.as_deref().filter(|body| !body.trim().is_empty()) {
                Some(body) => (markdown::render(body)),
                None => { p.dim { "No description." } }
            }
        }
        (talk::comments(&said, "issuecomment", now))
        h2 id="checks" { "Checks" }
        p.dim {
            "of " a href=(format!("/{}/commit/{}", place.name, pull.head.sha)) { code { (short(&pull.head.sha)) } }
        }
        (check::details(&visitor, place, &runs, now))
        h2 id="merge" { "Merge" }
        (merge_box(&visitor, &entered, now))
        h2 id="comment" { "Comment" }
        (talk::write(&visitor, place, &format!("{at}/comments")))
    };
    Ok(show(&visitor, &entered, body))
}

/// `GET /{owner}/{repo}/pull/{number}/commits`
pub(crate) async fn commit_list(
    State(shared): State<Arc<Shared>>,
    visitor: Visitor,
    Path((owner, name, number)): Path<(String, String, u64)>,
) -> Result<Response, Refusal> {
    let entered = enter(&shared, &visitor, (&owner, &name, number))?;
    let (path, base, head_sha) = ends(&entered);
    let stretch = blocking(move || history::between(&path, &base, &head_sha)).await?;
    let body = html! {
        (head(&entered, shared.clock.now(), Part::Commits))
        @if stretch.goes_on { p.dim { "Only the newest " (stretch.commits.len()) " are listed." } }
        (commits::rows(&shared, &entered.place, &stretch))
    };
    Ok(show(&visitor, &entered, body))
}

/// `GET /{owner}/{repo}/pull/{number}/files`
pub(crate) async fn files(
    State(shared): State<Arc<Shared>>,
    visitor: Visitor,
    Path((owner, name, number)): Path<(String, String, u64)>,
) -> Result<Response, Refusal> {
    let entered = enter(&shared, &visitor, (&owner, &name, number))?;
    let (path, base, head_sha) = ends(&entered);
    let found = blocking(move || diff::of_pull(&path, &base, &head_sha)).await?;
    let sha = &entered.pull.pull.head.sha;
    let runs = look::runs_on(&shared.lock(), entered.place.id, sha);
    let body = html! {
        (head(&entered, shared.clock.now(), Part::Files))
        (difference::show(&entered.place, sha, &found, &runs))
    };
    Ok(show(&visitor, &entered, body))
}

fn ends(entered: &Entered) -> (std::path::PathBuf, Sha, Sha) {
    let pull = &entered.pull.pull;
    let path = entered.place.path.clone();
    (path, pull.base.tip().clone(), pull.head.sha.clone())
}

fn show(visitor: &Visitor, entered: &Entered, body: Markup) -> Response {
    let title = format!("#{} · {}", entered.pull.pull.number, entered.place.name);
    Page {
        visitor,
        title: &title,
        place: Some((&entered.place, Tab::Pulls)),
        body,
    }
    .show()
}

fn address_of(place: &Place, pull: &PullRequest) -> String {
    format!("/{}/pull/{}", place.name, pull.number)
}

/// The title, where it comes from and goes to, and the ways to its parts.
fn head(entered: &Entered, now: jiff::Timestamp, open: Part) -> Markup {
    let (place, pull) = (&entered.place, &entered.pull.pull);
    let at = address_of(place, pull);
    let source = &entered.pull.source;
    let branch = &pull.head.branch;
    let from = if pull.is_from_fork() {
        format!("{source}:{branch}")
    } else {
        branch.to_string()
    };
    let parts = [
        (Part::Conversation, at.clone(), "Conversation"),
        (Part::Commits, format!("{at}/commits"), "Commits"),
        (Part::Files, format!("{at}/files"), "Files changed"),
    ];
    html! {
        h1 { (plain(&pull.title)) span.dim { " #" (pull.number) } }
        p {
            (state_badge(pull))
            strong { (plain(&entered.pull.author)) } " brings "
            a href=(format!("/{source}/tree/{}", address(branch.as_str()))) { code { (plain(&from)) } } " to "
            a href=(format!("/{}/tree/{}", place.name, address(pull.base.branch.as_str()))) {
                code { (plain(pull.base.branch.as_str())) }
            }
            span.dim { " · changed " (time(now, pull.updated_at)) }
        }
        nav.tabs.parts {
            @for (part, target, words) in parts {
                a href=(target) aria-current=[(part == open).then_some("page")] { (words) }
            }
        }
    }
}

/// Whether a pull request is open, in colour.
pub(crate) fn state_badge(pull: &PullRequest) -> Markup {
    let (class, word) = match pull.state {
        PullState::Open if pull.draft => ("wait", "draft"),
        PullState::Open => ("good", "open"),
        PullState::Closed { .. } => ("bad", "closed"),
        PullState::Merged { .. } => ("merged", "merged"),
    };
    html! { span.badge.(class) { (word) } " " }
}

fn is_mergeable(entered: &Entered) -> bool {
    let is_clean = matches!(entered.pull.pull.mergeable, Mergeability::Clean(_));
    is_clean && entered.obstacle.is_none()
}

fn merge_box(visitor: &Visitor, entered: &Entered, now: jiff::Timestamp) -> Markup {
    let (place, pull) = (&entered.place, &entered.pull.pull);
    let at = address_of(place, pull);
    let simple = |end: &str, words: &str| {
        let button = html! { button type="submit" { (words) } };
        form(visitor, &format!("{at}/{end}"), "inline", &button)
    };
    html! {
        section.merge {
            @match &pull.state {
                PullState::Merged { at, commit, .. } => {
                    p {
                        @if let Some(by) = &entered.pull.merged_by { strong { (plain(by)) } " merged it " }
                        (time(now, *at)) " as "
                        a href=(format!("/{}/commit/{commit}", place.name)) { code { (short(commit)) } } "."
                    }
                }
                PullState::Closed { at } => {
                    p { "Closed without a merge " (time(now, *at)) "." }
                    @if entered.may_close { (simple("reopen", "Reopen")) }
                }
                PullState::Open => {
                    @match pull.mergeable {
                        Mergeability::Clean(_) => {
                            p {
                                "It merges without conflict."
                                @if let Some(obstacle) = &entered.obstacle {
                                    " It cannot be merged yet: " (obstacle.to_string().trim_end_matches('.')) "."
                                }
                            }
                        }
                        Mergeability::Conflicting => {
                            p {
                                strong { "It conflicts with its base. " } "Merge "
                                code { (plain(pull.base.branch.as_str())) } " into "
                                code { (plain(pull.head.branch.as_str())) } ", solve the conflicts, and push."
                            }
                        }
                    }
                    div.buttons {
                        @if entered.may_merge && is_mergeable(entered) {
                            (form(visitor, &format!("{at}/merge"), "inline", &html! {
                                input type="hidden" name="head" value=(pull.head.sha);
                                select name="method" aria-label="How" {
                                    @for (word, label, _) in act::METHODS {
                                        option value=(word) { (label) }
                                    }
                                }
                                " "
                                button.primary type="submit" { "Merge" }
                            }))
                        }
                        @if entered.may_close { (simple("close", "Close")) }
                    }
                    @if visitor.person.is_none() {
                        p.dim { a href=(visitor.sign_in()) { "Sign in" } " to merge or close it." }
                    } @else if !entered.may_merge {
                        p.dim { "Merging needs the role write in this repository." }
                    }
                }
            }
        }
    }
}
