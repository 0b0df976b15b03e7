//! Builds as JSON, and which of them a list has.

use api::id::BuildId;
use api::problem::Code;
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::http::header::LINK;
use serde::Deserialize;
use service::ApiError;

use super::handlers::Handlers;
use crate::domain::build::{Build, Stage, Target};
use crate::usecase::Summit;
use crate::usecase::view::Filter;

/// How many builds a page has, unless told otherwise.
pub(super) const SHOWN: usize = 200;

/// How many builds a page has at most.
const MOST_LISTED: usize = 10_000;

/// Which builds are asked for: the parameters of a list.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Asked {
    limit: Option<usize>,
    before: Option<String>,
    state: Option<String>,
    recipe: Option<String>,
    repository: Option<String>,
    branch: Option<String>,
    pull: Option<u64>,
}

impl Asked {
    /// How many builds a page has.
    pub(super) fn limit(&self) -> usize {
        self.limit.unwrap_or(SHOWN).clamp(1, MOST_LISTED)
    }

    /// The state that is asked for.
    pub(super) fn state(&self) -> Option<&str> {
        self.state.as_deref()
    }

    /// The build before which the page begins.
    pub(super) fn before(&self) -> Result<Option<BuildId>, ApiError> {
        let before = self.before.as_deref();
        before
            .map(|id| parsed("before", id, "no id of a build"))
            .transpose()
    }

    /// The filter that the parameters make.
    pub(super) async fn filter(&self, summit: &Summit) -> Result<Filter, ApiError> {
        let state = self.state.as_deref().map(|name| {
            Stage::named(name).ok_or_else(|| wrong("state", name, "no state of a build"))
        });
        let recipe = self.recipe.as_deref();
        let recipe = recipe.map(|name| parsed("recipe", name, "no name of a recipe"));
        let target = match (&self.branch, self.pull) {
            (Some(_), Some(_)) => {
                let said = "a build is for a branch or for a pull request, so give one of the two";
                return Err(ApiError::new(Code::Malformed, said.to_owned()));
            }
            (Some(name), None) => Some(Target::of_branch(name)),
            (None, Some(number)) => Some(Target::Pull { number }),
            (None, None) => None,
        };
        let target = match (target, &self.repository) {
            (None, None) => None,
            (Some(target), Some(name)) => {
                let repository = parsed("repository", name, "not of the form owner/name")?;
                let found = summit.find_repository(repository).await;
                let found = found.map_err(|error| ApiError::internal(&error))?;
                let id = found.ok_or_else(|| wrong("repository", name, "not known here"))?;
                Some((id, target))
            }
            (Some(_), None) | (None, Some(_)) => {
                let said = "`repository` goes with `branch` or `pull`";
                return Err(ApiError::new(Code::Malformed, said.to_owned()));
            }
        };
        Ok(Filter {
            state: state.transpose()?,
            recipe: recipe.transpose()?,
            target,
        })
    }

    /// The query of the page that begins before a build.
    pub(super) fn next(&self, before: BuildId) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let number = |number: Option<u64>| number.map(|number| number.to_string());
        let limit = number(self.limit.and_then(|limit| limit.try_into().ok()));
        for (name, value) in [
            ("state", self.state.clone()),
            ("recipe", self.recipe.clone()),
            ("repository", self.repository.clone()),
            ("branch", self.branch.clone()),
            ("pull", number(self.pull)),
            ("limit", limit),
            ("before", Some(before.to_string())),
        ] {
            if let Some(value) = value {
                query.append_pair(name, &value);
            }
        }
        query.finish()
    }
}

fn parsed<T: std::str::FromStr>(name: &str, value: &str, fault: &str) -> Result<T, ApiError> {
    value.parse().map_err(|_| wrong(name, value, fault))
}

fn wrong(name: &str, value: &str, fault: &str) -> ApiError {
    ApiError::new(
        Code::Malformed,
        format!("`{name}` is `{value}`, which is {fault}"),
    )
}

pub(super) async fn find_build(handlers: &Handlers, id: BuildId) -> Result<Build, ApiError> {
    match handlers.summit.find_build(id).await {
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

/// A page of builds as JSON, the newest first. `Link` leads to the next page, where there is one.
pub(super) async fn list(
    State(handlers): State<Handlers>,
    Query(asked): Query<Asked>,
) -> Result<(HeaderMap, Json<Vec<Build>>), ApiError> {
    let filter = asked.filter(&handlers.summit).await?;
    let before = asked.before()?;
    let page = handlers.summit.list_builds(filter, before, asked.limit());
    let page = page.await.map_err(|error| ApiError::internal(&error))?;
    let mut headers = HeaderMap::new();
    if let Some(next) = page.next {
        let link = format!("</api/v1/builds?{}>; rel=\"next\"", asked.next(next));
        headers.extend(link.parse().map(|link| (LINK, link)));
    }
    let builds = page.rows.into_iter().map(|(build, _)| build);
    Ok((headers, Json(builds.collect())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::build::example::{at, every_state};
    use crate::domain::build::{Conflict, Refused, Shown};
    use crate::domain::name::CheckRunId;

    /// Scripts read this form. Another form needs another version of the API.
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
