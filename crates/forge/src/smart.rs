//! Git over HTTP: who may clone and push, and what follows a push.
//!
//! A push holds the repository's lock from before git reads its refs until the forge has settled
//! what changed: pull requests know their new heads and the webhooks are on their way when git's
//! answer ends, so whoever pushed finds the forge in order.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, StatusCode, header};
use tokio::sync::{mpsc, oneshot};

use crate::fault::Moment;
use crate::forge::Shared;
use crate::git::backend::{self, Answer, BackendError, Session};
use crate::id::{AccountId, RepositoryId};
use crate::push;
use crate::rights::SUSPENDED;
use crate::state::access::{Level, Permission};
use crate::state::repository::Right;
use crate::state::{self, State as Tables};

/// What a git client wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    Read,
    Write,
}

/// Who a git client is.
enum Client {
    Nobody,
    Wrong,
    Suspended,
    Known { account: AccountId, right: Right },
}

/// `GET /{owner}/{repo}/info/refs?service=…`
pub(crate) async fn info_refs(
    State(shared): State<Arc<Shared>>,
    Path((owner, name)): Path<(String, String)>,
    request: Request,
) -> Response {
    let query = request.uri().query().unwrap_or_default();
    let wish = match query
        .split('&')
        .find_map(|part| part.strip_prefix("service="))
    {
        Some("git-upload-pack") => Wish::Read,
        Some("git-receive-pack") => Wish::Write,
        _ => return plain(StatusCode::FORBIDDEN, "Please upgrade your git client."),
    };
    serve(shared, &owner, &name, "info/refs", wish, request).await
}

/// `POST /{owner}/{repo}/git-upload-pack`
pub(crate) async fn upload_pack(
    State(shared): State<Arc<Shared>>,
    Path((owner, name)): Path<(String, String)>,
    request: Request,
) -> Response {
    serve(
        shared,
        &owner,
        &name,
        "git-upload-pack",
        Wish::Read,
        request,
    )
    .await
}

/// `POST /{owner}/{repo}/git-receive-pack`
pub(crate) async fn receive_pack(
    State(shared): State<Arc<Shared>>,
    Path((owner, name)): Path<(String, String)>,
    request: Request,
) -> Response {
    serve(
        shared,
        &owner,
        &name,
        "git-receive-pack",
        Wish::Write,
        request,
    )
    .await
}

async fn serve(
    shared: Arc<Shared>,
    owner: &str,
    name: &str,
    tail: &str,
    wish: Wish,
    request: Request,
) -> Response {
    let path = request.uri().path().to_owned();
    let stop = shared.supervisor.token();
    let method = request.method().as_str();
    let met = shared.faults.meet(method, &path, Moment::Asked, &stop);
    if let Some(failure) = met.await {
        let status = failure.status().unwrap_or(StatusCode::BAD_GATEWAY);
        return plain(status, "The forge fails as it was told to.");
    }
    let name = name.strip_suffix(".git").unwrap_or(name);
    let (repository, account) = match admit(&shared, owner, name, wish, request.headers()) {
        Ok(admitted) => admitted,
        Err(refusal) => return *refusal,
    };
    let (parts, body) = request.into_parts();
    let root = state::repository::root(&shared.data);
    let (path, user) = {
        let state = shared.lock();
        let path = &state.repository(repository).path;
        let folder = path.strip_prefix(&root).unwrap_or(path);
        (
            format!("/{}/{tail}", folder.display()),
            state.account(account).login.to_string(),
        )
    };
    let request = backend::Request {
        method: parts.method,
        path,
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        user,
        body,
    };
    let session = match shared.backend.start(&root, request) {
        Ok(session) => session,
        Err(error) => return broken(&error),
    };
    let (head, answered) = oneshot::channel();
    let (pieces, body) = mpsc::channel(16);
    let answer = Answer {
        head,
        body: pieces.clone(),
    };
    let supervisor = shared.supervisor.clone();
    if tail == "git-receive-pack" {
        supervisor.spawn("git push", async move {
            receive(&shared, repository, account, session, answer).await;
            drop(pieces);
        });
    } else {
        drop(pieces);
        supervisor.spawn_until_shutdown("git clone", session.run(answer));
    }
    match answered.await {
        Ok(head) => {
            let mut response = Response::new(Body::from_stream(pieces_of(body)));
            *response.status_mut() = head.status;
            *response.headers_mut() = head.headers;
            response
        }
        Err(_) => broken(&BackendError::NoAnswer),
    }
}

fn pieces_of(
    body: mpsc::Receiver<Bytes>,
) -> impl stream::Stream<Item = Result<Bytes, std::convert::Infallible>> {
    stream::unfold(body, |mut body| async move {
        let piece = body.recv().await?;
        Some((Ok(piece), body))
    })
}

/// Runs a push and settles what it changed before the answer ends.
async fn receive(
    shared: &Arc<Shared>,
    repository: RepositoryId,
    account: AccountId,
    session: Session,
    answer: Answer,
) {
    let turn = match push::begin(shared, repository, account).await {
        Ok(turn) => turn,
        // Without an answer the client is told that git could not be served.
        Err(error) => return report(&error),
    };
    session.run(answer).await;
    if let Err(error) = push::settle(shared, turn).await {
        report(&error);
    }
    // Git has said already that the push is taken, and so it is: what of it cannot be recorded now,
    // the next start settles.
    if let Err(error) = shared.recorded().await {
        report(&error);
    }
}

fn report(error: &(dyn std::error::Error + 'static)) {
    tracing::error!(error, "cannot settle a push");
}

/// Lets a client in, or says why not: a repository it may not see does not exist.
fn admit(
    shared: &Shared,
    owner: &str,
    name: &str,
    wish: Wish,
    headers: &HeaderMap,
) -> Result<(RepositoryId, AccountId), Box<Response>> {
    let state = shared.lock();
    let repository = state
        .find_by_any_name(owner, name)
        .map(|repository| repository.id);
    let is_archived = |id| state.repository(id).is_archived();
    match identify(shared, &state, repository, headers) {
        Client::Nobody => Err(Box::new(challenge("Authentication is needed."))),
        Client::Wrong => Err(Box::new(challenge("Invalid username or token."))),
        Client::Suspended => Err(Box::new(plain(StatusCode::FORBIDDEN, SUSPENDED))),
        Client::Known { account, right } => match (repository, wish) {
            (Some(repository), Wish::Read) if right >= Right::Pull => Ok((repository, account)),
            (Some(repository), Wish::Write) if right >= Right::Push && is_archived(repository) => {
                let text = "This repository was archived so it is read-only.";
                Err(Box::new(plain(StatusCode::FORBIDDEN, text)))
            }
            (Some(repository), Wish::Write) if right >= Right::Push => Ok((repository, account)),
            (Some(_), Wish::Write) if right >= Right::Pull => Err(Box::new(plain(
                StatusCode::FORBIDDEN,
                "Write access is not granted.",
            ))),
            _ => Err(Box::new(plain(
                StatusCode::NOT_FOUND,
                "Repository not found.",
            ))),
        },
    }
}

fn identify(
    shared: &Shared,
    state: &Tables,
    repository: Option<RepositoryId>,
    headers: &HeaderMap,
) -> Client {
    let Some(secret) = password(headers) else {
        return Client::Nobody;
    };
    if let Some(grant) = state.tokens.find_grant(&secret, shared.clock.now()) {
        if state.suspensions.contains_key(&grant.installation) {
            return Client::Suspended;
        }
        let reached = repository.is_some_and(|repository| {
            grant.reaches(repository)
                && state.installation_of(state.repository(repository)) == Some(grant.installation)
        });
        let right = if !reached {
            Right::None
        } else if grant.allows(Permission::Contents, Level::Write) {
            Right::Push
        } else if grant.allows(Permission::Contents, Level::Read) {
            Right::Pull
        } else {
            Right::None
        };
        return Client::Known {
            account: state.bot,
            right,
        };
    }
    match state.tokens.find_user(&secret) {
        None => Client::Wrong,
        Some(account) => {
            let right = repository.map_or(Right::None, |repository| {
                state.role(state.repository(repository), account).right()
            });
            Client::Known { account, right }
        }
    }
}

/// The password of basic authentication. The user name does not matter, as on GitHub.
pub(crate) fn password(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (_, password) = decoded.split_once(':')?;
    (!password.is_empty()).then(|| password.to_owned())
}

pub(crate) fn challenge(text: &'static str) -> Response {
    let mut response = plain(StatusCode::UNAUTHORIZED, text);
    response.headers_mut().insert(
        header::WWW_AUTHENTICATE,
        http::HeaderValue::from_static("Basic realm=\"forge\", charset=\"UTF-8\""),
    );
    response
}

fn plain(status: StatusCode, text: &'static str) -> Response {
    (status, format!("{text}\n")).into_response()
}

fn broken(error: &BackendError) -> Response {
    tracing::error!(error = error as &dyn std::error::Error, "cannot serve git");
    plain(
        StatusCode::INTERNAL_SERVER_ERROR,
        "Git could not be served.",
    )
}
