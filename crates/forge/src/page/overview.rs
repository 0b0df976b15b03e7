//! The first page.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use maud::html;

use crate::forge::Shared;
use crate::page::door::Visitor;
use crate::page::frame::Page;
use crate::page::look;
use crate::page::text::{count, plain, time};

/// `GET /`
pub(crate) async fn show(State(shared): State<Arc<Shared>>, visitor: Visitor) -> Response {
    // Elsewhere than on loopback not even the names are for everyone.
    if !shared.is_local() && visitor.person.is_none() {
        return Redirect::to(&visitor.sign_in()).into_response();
    }
    let rows = look::repositories(&shared, &visitor);
    let now = shared.clock.now();
    Page {
        visitor: &visitor,
        title: "Forge",
        place: None,
        body: html! {
            h1 { "Repositories" }
            @if visitor.person.is_none() {
                p.dim { a href=(visitor.sign_in()) { "Sign in" } " to fork, to open pull requests, to comment and to push." }
            }
            @if rows.is_empty() { p.dim { "None that you may see." } }
            ul.list {
                @for row in &rows {
                    li {
                        div {
                            a.strong href=(format!("/{}", row.place.name)) { (plain(&row.place.name)) }
                            @if let Some(parent) = &row.place.parent {
                                span.dim.small { " forked from " (plain(parent)) }
                            }
                        }
                        div.dim.small {
                            "pushed " (time(now, row.pushed_at))
                            @if row.place.open_pulls > 0 {
                                " · " (count(row.place.open_pulls, "open pull request"))
                            }
                            @if let Some(role) = &row.role { " · your role: " (plain(role)) }
                        }
                    }
                }
            }
        },
    }
    .show()
}
