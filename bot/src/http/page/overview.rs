//! The newest builds, and what is not planned yet.

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use moss_db::{Error as StorageError, RoTxn};
use service::ApiError;

use super::parts::{self, Refresh, badge, label, page, target, time};
use crate::db::{Look, Repository, Tables};
use crate::domain::build::Build;
use crate::http::builds::SHOWN;
use crate::http::handlers::Handlers;

/// What the page shows.
struct Overview {
    builds: Vec<(Build, Option<Repository>)>,
    /// Targets whose look is to be repeated.
    waiting: Vec<(Look, Option<Repository>)>,
}

/// The newest builds.
pub(in crate::http) async fn overview(
    State(handlers): State<Handlers>,
) -> Result<Response, ApiError> {
    let tables = handlers.summit.tables.clone();
    let shown = handlers
        .summit
        .db
        .query(move |txn| read(&tables, txn))
        .await
        .map_err(|error| ApiError::internal(&error))?;
    let busy = !shown.waiting.is_empty() || shown.builds.iter().any(|(b, _)| !b.is_settled());
    let refresh = if busy { Refresh::Soon } else { Refresh::Never };
    let body = html! {
        @if !shown.waiting.is_empty() {
            h1 { "Not planned yet" }
            (waiting(&shown.waiting))
        }
        h1 { "Builds" }
        @for (profile, standstill) in &handlers.summit.standstill() {
            (parts::standstill(profile, standstill))
        }
        @if shown.builds.is_empty() {
            p.quiet { "Nothing was built yet. Push a recipe to the organisation's default branch." }
        } @else {
            (builds(&shown.builds))
        }
    };
    Ok(page("Builds", refresh, &body))
}

fn read(tables: &Tables, txn: &RoTxn<'_>) -> Result<Overview, StorageError> {
    let mut builds = Vec::new();
    for build in tables.newest_builds(txn, SHOWN)? {
        let repository = tables.repositories.find(txn, &build.repository.number())?;
        builds.push((build, repository));
    }
    let mut waiting = Vec::new();
    for row in tables.looks.iter(txn)? {
        let (_, look) = row?;
        let does_not_come_back = look.unreturned >= Look::MAX_UNRETURNED;
        if look.failure.is_some() || does_not_come_back {
            let repository = tables.repositories.find(txn, &look.repository.number())?;
            waiting.push((look, repository));
        }
        if waiting.len() == SHOWN {
            break;
        }
    }
    Ok(Overview { builds, waiting })
}

fn builds(rows: &[(Build, Option<Repository>)]) -> Markup {
    html! {
        table {
            thead { tr { th { "Recipe" } th { "For" } th { "State" } th { "Planned" } } }
            tbody {
                @for (build, repository) in rows {
                    tr {
                        td { a href=(format!("/builds/{}", build.id)) { (label(build)) } }
                        td { (target(&build.target, repository.as_ref())) }
                        td { (badge(build)) " " span.quiet { (build.explain()) } }
                        td.quiet {
                            (time(build.created_at))
                            @if let Some(login) = &build.asked_by { " for " (login) }
                        }
                    }
                }
            }
        }
    }
}

fn waiting(rows: &[(Look, Option<Repository>)]) -> Markup {
    html! {
        table {
            thead { tr { th { "For" } th { "Why" } th { "Tried" } th { "Again" } } }
            tbody {
                @for (look, repository) in rows {
                    tr {
                        td { (target(&look.target, repository.as_ref())) }
                        @match &look.failure {
                            Some(failure) => {
                                td { (failure.reason) }
                                td.quiet { (counted_times(failure.times)) }
                            }
                            None => {
                                td { "Looking at it ended summit, or was cut off with it." }
                                td.quiet { (counted_times(look.unreturned)) }
                            }
                        }
                        td.quiet { (time(look.due_at())) }
                    }
                }
            }
        }
    }
}

fn counted_times(times: u32) -> String {
    match times {
        1 => "once".to_owned(),
        times => format!("{times} times"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::tests::store;
    use crate::domain::build::example::{at, build, pull};
    use crate::domain::name::RepositoryId;

    /// What keeps a push from being planned is told where nothing else can be seen of it.
    #[test]
    fn targets_that_wait_are_shown_with_their_reason() {
        let store = store();
        store.put(&[&build(1, "nano")]);
        let repository = RepositoryId::new(1);
        let written = store.write(|txn| {
            store.tables.wish(txn, repository, &pull())?;
            let key = crate::db::look_key(repository, &pull());
            let look = store.tables.looks.find(txn, &key)?.unwrap();
            let reason = "cannot fetch <the index>".to_owned();
            store.tables.fail_look(txn, &look, reason, at(0))
        });
        written.unwrap();
        let shown = store.env.read(|txn| read(&store.tables, txn)).unwrap();
        assert_eq!((shown.builds.len(), shown.waiting.len()), (1, 1));
        let markup = waiting(&shown.waiting).into_string();
        assert!(
            markup.contains("cannot fetch &lt;the index&gt;"),
            "{markup}"
        );
        assert!(markup.contains("#7") && markup.contains("once"), "{markup}");
        // A wish that is simply new is nothing to tell of.
        let key = crate::db::look_key(repository, &pull());
        let wished = store.write(|txn| {
            store.tables.looks.delete(txn, &key)?;
            store.tables.wish(txn, repository, &pull())
        });
        wished.unwrap();
        let shown = store.env.read(|txn| read(&store.tables, txn)).unwrap();
        assert!(shown.waiting.is_empty());
    }
}
