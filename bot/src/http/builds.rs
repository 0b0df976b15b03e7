//! Builds as JSON.

use api::id::BuildId;
use axum::Json;
use axum::extract::{Path, Query, State};
use service::ApiError;

use super::handlers::Handlers;
use crate::domain::build::Build;

/// How many builds the overview and lists show.
pub(super) const SHOWN: usize = 200;

/// How many builds a list has at most.
const MOST_LISTED: usize = 10_000;

pub(super) async fn find_build(handlers: &Handlers, id: BuildId) -> Result<Build, ApiError> {
    let tables = handlers.summit.tables.clone();
    let found = handlers
        .summit
        .db
        .query(move |txn| tables.find_build(txn, id))
        .await;
    match found {
        Ok(Some(build)) => Ok(build),
        Ok(None) => Err(ApiError::not_found(format!("build {id}"))),
        Err(error) => Err(ApiError::internal(&error)),
    }
}

/// A build as JSON.
pub(super) async fn one(
    State(handlers): State<Handlers>,
    Path(build): Path<String>,
) -> Result<Json<Build>, ApiError> {
    let id = build
        .parse()
        .map_err(|_| ApiError::not_found("such build"))?;
    Ok(Json(find_build(&handlers, id).await?))
}

/// How many builds a list has: as many as are asked for, within bounds.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Parameters {
    #[serde(default)]
    limit: Option<usize>,
}

/// The newest builds as JSON, the newest first: 200, or as many as `limit` says, up to 10,000.
pub(super) async fn newest(
    State(handlers): State<Handlers>,
    Query(parameters): Query<Parameters>,
) -> Result<Json<Vec<Build>>, ApiError> {
    let limit = parameters.limit.unwrap_or(SHOWN).min(MOST_LISTED);
    let tables = handlers.summit.tables.clone();
    let builds = handlers
        .summit
        .db
        .query(move |txn| tables.newest_builds(txn, limit))
        .await
        .map_err(|error| ApiError::internal(&error))?;
    Ok(Json(builds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::build::example::{at, every_state};
    use crate::domain::build::{Conflict, Refused, Shown};
    use crate::domain::name::CheckRunId;

    /// What scripts read of builds: another form is another version of the API.
    #[test]
    fn builds_have_this_form() {
        let mut builds: Vec<Build> = every_state().into_iter().map(|(_, build)| build).collect();
        let first = &mut builds[0];
        first.conflict = Some(Conflict {
            branch: "main".to_owned(),
            paths: vec!["n/nano/stone.yaml".to_owned()],
            count: 1,
        });
        first.logs_removed_at = Some(at(7));
        first.shown = Shown {
            seq: 1,
            run: Some(CheckRunId::new(5)),
            concluded: true,
            past: vec![CheckRunId::new(4)],
            digest: Some("0".repeat(64)),
            refused: Some(Refused::again(None, "gone".to_owned(), 1, at(3))),
        };
        let json = serde_json::to_string_pretty(&builds).unwrap();
        insta::assert_snapshot!(json);
    }
}
