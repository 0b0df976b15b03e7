//! The overview: the newest builds, and targets whose look failed.

use api::id::ServiceName;
use axum::extract::{Query, State};
use axum::response::Response;
use maud::{Markup, html};
use service::ApiError;

use super::parts::{self, Refresh, badge, label, page, target, time};
use crate::domain::build::{Build, Stage};
use crate::domain::name::RepositoryName;
use crate::http::builds::{Asked, SHOWN};
use crate::http::handlers::Handlers;
use crate::usecase::SilentBuilder;
use crate::usecase::sweep::Missing;
use crate::usecase::view::WaitingView;

/// A page of builds, the newest first. The first one also shows what keeps builds from being planned or
/// built.
pub(super) async fn overview(
    State(handlers): State<Handlers>,
    Query(asked): Query<Asked>,
) -> Result<Response, ApiError> {
    let summit = &handlers.summit;
    let (filter, before) = (asked.filter(summit).await?, asked.before()?);
    let internal = |error| ApiError::internal(&error);
    let list = summit.list_builds(filter, before, asked.limit());
    let list = list.await.map_err(internal)?;
    let waits = summit.view_waiting(SHOWN).await.map_err(internal)?;
    let missing = summit.missing().await.map_err(internal)?;
    let unread = summit
        .count_open()
        .await
        .map_err(internal)?
        .unread_deliveries;
    let is_first = before.is_none();
    let busy = !waits.rows.is_empty() || list.rows.iter().any(|(b, _)| !b.is_settled());
    let refresh = if busy && is_first {
        Refresh::Soon
    } else {
        Refresh::Never
    };
    let body = html! {
        @if is_first { (for_operators(&missing, unread)) }
        @if is_first && !waits.rows.is_empty() {
            h1 { "Not planned yet" }
            (waiting(&waits))
        }
        h1 { "Builds" }
        @if let Some(suspension) = summit.find_suspension() {
            (parts::suspension(&suspension))
        } @else if is_first {
            @for (profile, standstill) in &summit.standstill() {
                (parts::standstill(profile, standstill))
            }
            @for (name, silent) in &summit.silent_builders() { (silent_builder(name, silent)) }
        }
        (states(asked.state()))
        @if list.rows.is_empty() && is_first && asked.state().is_none() {
            p.quiet { "There are no builds yet. Push a recipe to a repository's default branch." }
        } @else if list.rows.is_empty() {
            p.quiet { "There are no such builds here." }
        } @else {
            (builds(&list.rows))
        }
        @if let Some(next) = list.next {
            p { a href=(format!("/?{}", asked.next(next))) { "Older builds" } }
        }
    };
    Ok(page("Builds", refresh, &body))
}

/// What waits for an operator.
fn for_operators(missing: &[Missing], unread: u64) -> Markup {
    let names = missing.iter().map(|one| one.name.to_string());
    let names = names.collect::<Vec<_>>().join(" ");
    html! {
        @if let Some(first) = missing.iter().map(|one| one.since).min() {
            h1 { "Missing repositories" }
            p { "Since " (time(first)) ", GitHub says that these repositories are gone: " (names)
                ". So many at once may be a fault, so summit gives none of them up. If they are gone \
                 for good, an operator runs " code { "summit let-go " (names) } "." }
        }
        @if unread > 0 {
            p { "summit could not read some deliveries of GitHub (" (unread) "). An operator lists them \
                 with " code { "summit deliveries" } "." }
        }
    }
}

/// Links to the builds of each state.
fn states(chosen: Option<&str>) -> Markup {
    html! {
        p.small {
            @if chosen.is_some() { a href="/" { "all" } } @else { "all" }
            @for stage in Stage::ALL {
                " · "
                @if chosen == Some(stage.name()) {
                    (stage.name())
                } @else {
                    a href=(format!("/?state={}", stage.name())) { (stage.name()) }
                }
            }
        }
    }
}

fn builds(rows: &[(Build, Option<RepositoryName>)]) -> Markup {
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
                            @if let Some(login) = &build.asked_by { ", asked by " (login) }
                        }
                    }
                }
            }
        }
    }
}

fn silent_builder(name: &ServiceName, silent: &SilentBuilder) -> Markup {
    let (whose, verb) = match silent.builds {
        1 => ("Its build".to_owned(), "goes"),
        count => (format!("Its {count} builds"), "go"),
    };
    html! {
        p { (name) " has not answered since " (time(silent.silence.since)) ". summit asks again at "
            (time(silent.silence.next)) ". " (whose) " " (verb) " to another builder at "
            (time(silent.silence.until)) "." }
    }
}

fn waiting(waits: &WaitingView) -> Markup {
    html! {
        table {
            thead { tr { th { "For" } th { "Why" } th { "Tried" } th { "Again" } } }
            tbody {
                @for (look, repository) in &waits.rows {
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
        @if waits.more > 0 { p.quiet { "and " (waits.more) " more" } }
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
    use crate::usecase::view;

    #[test]
    fn a_silent_builder_is_shown_with_its_times() {
        let silent = SilentBuilder {
            silence: crate::domain::build::example::silence(),
            builds: 2,
        };
        let name = "avalanche-1".parse().unwrap();
        insta::assert_snapshot!(silent_builder(&name, &silent).into_string());
    }

    #[test]
    fn what_waits_for_an_operator_is_shown_with_the_command() {
        assert_eq!(for_operators(&[], 0).into_string(), "");
        let missing = ["snekbook/a", "snekbook/b"].map(|name| Missing {
            id: RepositoryId::new(1),
            name: name.parse().unwrap(),
            since: at(0),
        });
        let shown = for_operators(&missing, 2).into_string();
        insta::assert_snapshot!(shown);
    }

    /// People find the reason why a push is not planned only here.
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
        let shown = store
            .env
            .read(|txn| view::waiting(&store.tables, txn, 9))
            .unwrap();
        assert_eq!((shown.rows.len(), shown.more), (1, 0));
        let markup = waiting(&shown).into_string();
        assert!(
            markup.contains("cannot fetch &lt;the index&gt;"),
            "{markup}"
        );
        assert!(markup.contains("#7") && markup.contains("once"), "{markup}");
        // A new wish is not shown.
        let key = crate::db::look_key(repository, &pull());
        let wished = store.write(|txn| {
            store.tables.looks.delete(txn, &key)?;
            store.tables.wish(txn, repository, &pull())
        });
        wished.unwrap();
        let shown = store
            .env
            .read(|txn| view::waiting(&store.tables, txn, 9))
            .unwrap();
        assert!(shown.rows.is_empty());
    }
}
