//! Pages for people: repositories, commits, pull requests, check runs, and the forms that do what
//! people do on GitHub.
//!
//! Everything that a stranger can write stands in them as text or as rendered Markdown: it is
//! escaped, and no link leads to anything but the web and mail. On loopback whoever reaches the
//! forge may look; elsewhere one has to sign in. What a person may do their role says
//! ([`crate::rights`]), and [`crate::Forge`]'s methods do it, webhooks included.
//!
//! A form is sent by POST and answered with 303; what is refused is a page that says why. Nothing
//! needs JavaScript, and nothing comes from elsewhere.

mod check;
mod code;
mod commit;
mod difference;
mod door;
mod form;
mod frame;
mod history;
mod look;
mod markdown;
mod overview;
mod pull;
mod pulls;
mod refusal;
pub(crate) mod session;
mod sign_in;
mod talk;
mod text;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

use crate::forge::Shared;
use crate::page::refusal::Refusal;

/// All pages. What begins with `/-/` is the forge's own: no account has such a name.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    let repository = Router::new()
        .route("/", get(code::repository))
        .route("/tree/{*rest}", get(code::browse))
        .route("/blob/{*rest}", get(code::browse))
        .route("/branches", get(code::branches))
        .route("/commits", get(history::of_default))
        .route("/commits/{*reference}", get(history::list))
        .route("/commit/{sha}", get(commit::show))
        .route("/commit/{sha}/checks", get(commit::show))
        .route("/commit/{sha}/comments", post(commit::comment))
        .route("/fork", post(pulls::fork))
        .route("/pulls", get(pulls::list).post(pulls::open))
        .route("/pulls/new", get(pulls::ask))
        .route("/pull/{number}", get(pull::conversation))
        .route("/pull/{number}/commits", get(pull::commit_list))
        .route("/pull/{number}/files", get(pull::files))
        .route("/pull/{number}/comments", post(pull::comment))
        .route("/pull/{number}/merge", post(pull::merge))
        .route("/pull/{number}/close", post(pull::close))
        .route("/pull/{number}/reopen", post(pull::reopen))
        .route("/check-runs/{id}/rerun", post(check::rerun))
        .route("/check-runs/{id}/action", post(check::press))
        .route("/check-suites/{id}/rerun", post(check::rerun_suite));
    Router::new()
        .route("/", get(overview::show))
        .route(frame::STYLE_PATH, get(frame::style))
        .route(frame::ICON_PATH, get(frame::icon))
        .route("/-/sign-in", get(sign_in::ask).post(sign_in::enter))
        .route("/-/sign-out", post(sign_in::leave))
        .route("/-/tokens", get(sign_in::tokens).post(sign_in::make_token))
        .nest("/{owner}/{repo}", repository)
        .fallback(|| async { Refusal::missing() })
        .method_not_allowed_fallback(|| async { Refusal::missing() })
        .layer(from_fn_with_state(Arc::clone(&shared), door::door))
        .with_state(shared)
}
