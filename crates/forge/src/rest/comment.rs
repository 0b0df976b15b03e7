//! Comments on pull requests and commits, and reactions to them.

mod one;

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::forge::{Shared, blocking};
use crate::git::commit;
use crate::id::{CommentId, RepositoryId};
use crate::rest::caller::Caller;
use crate::rest::failure::Failure;
use crate::rest::input::{Input, Params};
use crate::rest::output::{Answer, created, paged};
use crate::rest::page::Page;
use crate::shape;
use crate::state::State as Tables;
use crate::state::access::{Level, Permission};
use crate::state::comment::{Comment, Subject};
use crate::webhook::event::{self, CommentAction};

pub(crate) use one::{edit, remove, show};

pub(super) const READ: &[(Permission, Level)] = &[
    (Permission::Issues, Level::Read),
    (Permission::PullRequests, Level::Read),
];
pub(super) const WRITE: &[(Permission, Level)] = &[
    (Permission::Issues, Level::Write),
    (Permission::PullRequests, Level::Write),
];
/// GitHub lets an App comment on a commit that it may read.
pub(super) const COMMIT: &[(Permission, Level)] = &[(Permission::Contents, Level::Read)];

/// As long as a comment may be, in characters.
pub(crate) const MAX_BODY: usize = 65_536;

/// A comment's text.
#[derive(Debug, Deserialize)]
pub(crate) struct Text {
    body: String,
}

/// A commit comment's text and place.
#[derive(Debug, Deserialize)]
pub(crate) struct CommitText {
    body: String,
    path: Option<String>,
    position: Option<u64>,
    line: Option<u64>,
}

/// Which comments are asked for.
#[derive(Debug, Deserialize)]
pub(crate) struct Since {
    since: Option<Timestamp>,
}

/// `GET /repos/{owner}/{repo}/issues/{issue_number}/comments`
pub(crate) async fn list(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path((owner, name, number)): Path<(String, String, u64)>,
    Params(since): Params<Since>,
    Params(page): Params<Page>,
    RawQuery(query): RawQuery,
) -> Answer {
    let state = shared.lock();
    let repository = caller.enter(&state, &owner, &name, READ)?;
    if !state.pulls.contains_key(&(repository.id, number)) {
        return Err(Failure::NotFound);
    }
    let rows = rows(&shared, &state, repository.id, |comment| {
        comment.subject == Subject::Pull(number)
            && since.since.is_none_or(|since| comment.updated_at >= since)
    });
    let name = state.full_name(repository);
    let url = format!(
        "{}/repos/{name}/issues/{number}/comments",
        shared.urls.api()
    );
    let (rows, link) = page.cut(rows, &url, query.as_deref());
    paged(rows, link.as_deref())
}

/// `GET /repos/{owner}/{repo}/commits/{commit_sha}/comments`
pub(crate) fn list_on_commit(
    shared: &Shared,
    caller: &Caller,
    (owner, name, sha): (&str, &str, &str),
    Params(page): Params<Page>,
    RawQuery(query): RawQuery,
) -> Answer {
    let state = shared.lock();
    let repository = caller.enter(&state, owner, name, COMMIT)?;
    let rows = rows(shared, &state, repository.id, |comment| {
        match &comment.subject {
            Subject::Commit { sha: commit, .. } => commit.as_str() == sha,
            Subject::Pull(_) => false,
        }
    });
    let name = state.full_name(repository);
    let url = format!("{}/repos/{name}/commits/{sha}/comments", shared.urls.api());
    let (rows, link) = page.cut(rows, &url, query.as_deref());
    paged(rows, link.as_deref())
}

fn rows(
    shared: &Shared,
    state: &Tables,
    repository: RepositoryId,
    wanted: impl Fn(&Comment) -> bool,
) -> Vec<Value> {
    state
        .comments
        .values()
        .filter(|comment| comment.repository == repository && wanted(comment))
        .map(|comment| shape::comment::comment(state, &shared.urls, &shared.app, comment))
        .collect()
}

/// `POST /repos/{owner}/{repo}/issues/{issue_number}/comments`
pub(crate) async fn create(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path((owner, name, number)): Path<(String, String, u64)>,
    Input(text): Input<Text>,
) -> Answer {
    check_body(&text.body)?;
    let mut state = shared.lock();
    let repository = caller.enter(&state, &owner, &name, WRITE)?.id;
    if !state.pulls.contains_key(&(repository, number)) {
        return Err(Failure::NotFound);
    }
    let author = caller.account(&state);
    let id = write(
        &shared,
        &mut state,
        repository,
        Subject::Pull(number),
        author,
        text.body,
    );
    let comment = state.comments.get(&id).ok_or(Failure::NotFound)?;
    created(shape::comment::comment(
        &state,
        &shared.urls,
        &shared.app,
        comment,
    ))
}

/// `POST /repos/{owner}/{repo}/commits/{commit_sha}/comments`
pub(crate) async fn on_commit(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path((owner, name, rest)): Path<(String, String, String)>,
    Input(text): Input<CommitText>,
) -> Answer {
    let sha = rest
        .strip_suffix("/comments")
        .ok_or(Failure::NotFound)?
        .to_owned();
    check_body(&text.body)?;
    let (repository, path) = {
        let state = shared.lock();
        let repository = caller.enter(&state, &owner, &name, COMMIT)?;
        (repository.id, repository.path.clone())
    };
    let asked = sha.clone();
    let sha = blocking(move || commit::find(&path, &asked))
        .await?
        .ok_or_else(|| Failure::invalid(format!("No commit found for SHA: {sha}")))?;
    let subject = Subject::Commit {
        sha,
        path: text.path,
        position: text.position.or(text.line),
    };
    let mut state = shared.lock();
    let author = caller.account(&state);
    let id = write(&shared, &mut state, repository, subject, author, text.body);
    let comment = state.comments.get(&id).ok_or(Failure::NotFound)?;
    created(shape::comment::comment(
        &state,
        &shared.urls,
        &shared.app,
        comment,
    ))
}

fn check_body(body: &str) -> Result<(), Failure> {
    if body.trim().is_empty() {
        return Err(Failure::invalid("Body cannot be blank"));
    }
    check_length(body)
}

/// Refuses a text that is longer than any may be.
pub(crate) fn check_length(body: &str) -> Result<(), Failure> {
    if body.chars().count() > MAX_BODY {
        Err(Failure::invalid(
            "Body is too long (maximum is 65536 characters)",
        ))
    } else {
        Ok(())
    }
}

/// Writes a comment and tells of it.
pub(crate) fn write(
    shared: &Arc<Shared>,
    state: &mut Tables,
    repository: RepositoryId,
    subject: Subject,
    author: crate::id::AccountId,
    body: String,
) -> CommentId {
    let id = state.next_comment(subject.kind());
    let now = shared.clock.now();
    let comment = Comment {
        id,
        repository,
        subject,
        author,
        body,
        created_at: now,
        updated_at: now,
        reactions: Vec::new(),
    };
    state.comments.insert(id, comment.clone());
    event::comment(shared, state, &comment, author, &CommentAction::Created);
    shared.changed();
    id
}

/// A comment in that repository, to be changed.
pub(super) fn find(
    state: &mut Tables,
    repository: RepositoryId,
    id: CommentId,
) -> Result<&mut Comment, Failure> {
    state
        .comments
        .get_mut(&id)
        .filter(|comment| comment.repository == repository)
        .ok_or(Failure::NotFound)
}
