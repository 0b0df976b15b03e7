//! The REST calls that summit makes, and those that people need beside it, under `/api/v3` as GitHub Enterprise has them.

mod address;
mod app;
mod caller;
mod check_run;
pub(crate) mod comment;
mod commit;
mod delivery;
mod failure;
mod fork;
mod gate;
mod input;
pub(crate) mod limit;
mod output;
mod page;
pub(crate) mod pull;
mod reaction;
mod reference;
mod repository;
mod team;
mod user;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{any, get, post, put};

use crate::forge::Shared;
use crate::rest::failure::Failure;

/// Below which the REST API lies.
pub(crate) const BASE: &str = "/api/v3";

/// All routes, each of which authenticates, counts, records and may fail as tests want.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    let repository = Router::new()
        .route("/", get(repository::show))
        .route("/forks", post(fork::create))
        .route("/branches", get(commit::branches))
        .route("/branches/{*branch}", get(commit::branch))
        .route("/commits", get(commit::list))
        .route(
            "/commits/{*rest}",
            get(commit::below).post(comment::on_commit),
        )
        .route("/git/matching-refs/{*beginning}", get(reference::matching))
        .route("/pulls", get(pull::list).post(pull::create))
        .route("/pulls/{number}", get(pull::show).patch(pull::update))
        .route("/pulls/{number}/merge", put(pull::merge))
        .route("/pulls/{number}/files", get(pull::files))
        .route("/pulls/{number}/commits", get(pull::commits))
        .route("/pulls/{number}/reviews", get(pull::reviews))
        .route("/pulls/{number}/comments", get(pull::line_comments))
        .route("/check-runs", post(check_run::create))
        .route(
            "/check-runs/{id}",
            get(check_run::show).patch(check_run::update),
        )
        .route("/check-runs/{id}/rerequest", post(check_run::rerequest))
        .route(
            "/check-suites/{id}/rerequest",
            post(check_run::rerequest_suite),
        )
        .route("/collaborators/{login}/permission", get(user::permission))
        .route(
            "/issues/{number}/comments",
            get(comment::list).post(comment::create),
        )
        .route(
            "/issues/comments/{id}",
            get(comment::show)
                .patch(comment::edit)
                .delete(comment::remove),
        )
        .route("/issues/comments/{id}/reactions", post(reaction::on_pull))
        .route("/comments/{id}/reactions", post(reaction::on_commit));
    let routes = Router::new()
        .route("/app/installations/{id}/access_tokens", post(app::mint))
        .route("/app/hook/deliveries", get(delivery::list))
        .route("/app/hook/deliveries/{id}/attempts", post(delivery::again))
        .route(
            "/orgs/{owner}/installation",
            get(app::organisation_installation),
        )
        .route("/orgs/{owner}/teams/{slug}/members", get(team::members))
        .route(
            "/orgs/{owner}/teams/{slug}/memberships/{login}",
            get(team::membership),
        )
        .route("/installation/repositories", get(repository::list))
        .route("/user", get(user::own))
        .route("/user/{id}", get(user::by_id))
        .nest("/repos/{owner}/{repo}", repository)
        .fallback(|| async { Failure::NotFound })
        .method_not_allowed_fallback(|| async { Failure::NotFound })
        .layer(DefaultBodyLimit::disable())
        .with_state(Arc::clone(&shared));
    let by_id = {
        let (shared, routes) = (Arc::clone(&shared), routes.clone());
        any(move |request| address::serve_by_id(shared.clone(), routes.clone(), request))
    };
    routes
        .route("/repositories/{id}", by_id.clone())
        .route("/repositories/{id}/{*rest}", by_id)
        .layer(from_fn_with_state(shared, gate::gate))
}
