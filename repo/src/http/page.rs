//! A page for people: what the repository has, and how to use it.
//!
//! Everything on it is escaped by the template; the answer allows neither scripts nor anything from
//! elsewhere.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS,
};
use axum::response::{IntoResponse as _, Response};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use service::ApiError;
use url::Url;

use super::fault;
use crate::domain::root::VOLATILE;
use crate::usecase::{Overview, Repository};

/// How many histories are shown.
const SHOWN: usize = 10;

const STYLE: &str = "\
:root{color-scheme:light dark;--line:#8884;--soft:#8882}\
body{font:16px/1.55 system-ui,sans-serif;max-width:56rem;margin:3rem auto;padding:0 1.25rem}\
h1{font-size:1.9rem;margin:0}h2{margin:2.5rem 0 .5rem}h3{margin:1.5rem 0 .4rem;font-size:1rem}\
p{overflow-wrap:anywhere}p.lead{margin:.3rem 0 2rem;opacity:.75}\
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.35rem .75rem .35rem 0;\
border-bottom:1px solid var(--line)}th{font-weight:600}\
pre{background:var(--soft);padding:.9rem 1rem;border-radius:.5rem;overflow-x:auto}\
code{font:.92em ui-monospace,monospace}.empty{opacity:.7}";

/// What the page is made from.
#[derive(Clone)]
pub(super) struct Page {
    repository: Arc<Repository>,
    base: Arc<Url>,
}

impl Page {
    /// A page about `repository`, which clients find at `base`.
    pub(super) fn new(repository: Arc<Repository>, base: Url) -> Self {
        Self {
            repository,
            base: Arc::new(base),
        }
    }
}

/// `GET /`
pub(super) async fn show(State(page): State<Page>) -> Result<Response, ApiError> {
    let overview = page
        .repository
        .overview()
        .await
        .map_err(|failure| fault(&failure))?;
    let architectures = |overview: &Overview| page.repository.architectures(&overview.channel);
    let channels: Vec<_> = overview
        .iter()
        .map(|overview| (overview, architectures(overview)))
        .collect();
    let policy =
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";
    let headers = [
        (
            CONTENT_TYPE,
            HeaderValue::from_static("text/html; charset=utf-8"),
        ),
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy)),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    Ok((headers, render(&page.base, &channels).into_string()).into_response())
}

fn render(base: &Url, channels: &[(&Overview, Vec<String>)]) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Package repository" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { "Package repository" }
                p.lead { "Packages for moss, at " code { (base) } }
                @for (overview, architectures) in channels {
                    (channel(base, overview, architectures))
                }
            }
        }
    }
}

fn channel(base: &Url, overview: &Overview, architectures: &[String]) -> Markup {
    let name = &overview.channel;
    let standing = &overview.standing;
    html! {
        h2 { "Channel " (name) }
        p {
            (count(overview.packages, "package")) " for " (architectures.join(", ")) "; "
            (count(standing.histories.len() as u64, "history")) ". "
            a href=(format!("{base}{name}/moss-root-index.json")) { "Root index" }
        }
        @if standing.histories.is_empty() {
            p.empty { "Nothing was published yet." }
        } @else {
            h3 { "Streams and tags" }
            table {
                @for (stream, history) in &standing.streams {
                    tr { td { code { "stream/" (stream) } } td { code { (history) } } }
                }
                @for (tag, history) in &standing.tags {
                    tr { td { code { "tag/" (tag) } } td { code { (history) } } }
                }
            }
            h3 { "Newest histories" }
            table {
                tr { th { "History" } th { "Published" } th { "Packages" } }
                @for history in standing.histories.iter().take(SHOWN) {
                    tr {
                        td { code { (history.id) } }
                        td { (history.published_at.strftime("%Y-%m-%d %H:%M:%S UTC")) }
                        td { (history.packages) }
                    }
                }
            }
        }
        h3 { "Use it" }
        @for architecture in architectures {
            pre { code {
                "base-uri  " (base) "\n"
                "channel   " (name) "\n"
                "version   stream/" (VOLATILE) "\n"
                "arch      " (architecture) "\n"
            } }
            p { "Or, for a client that is set up with one index: "
                code { (base) (name) "/stream/" (VOLATILE) "/" (architecture) "/stone.index" } }
        }
    }
}

fn count(number: u64, what: &str) -> String {
    match (number, what.strip_suffix('y')) {
        (1, _) => format!("1 {what}"),
        (_, Some(stem)) => format!("{number} {stem}ies"),
        (_, None) => format!("{number} {what}s"),
    }
}

#[cfg(test)]
mod tests {
    use api::id::ImportId;

    use super::*;
    use crate::db::Standing;
    use crate::domain::history::History;
    use crate::domain::root::volatile;

    #[test]
    fn the_page_reads_well() {
        let history = |id: &str, packages| History {
            id: id.parse().unwrap(),
            import: ImportId::new(),
            published_at: "2026-11-22T21:58:01Z".parse().unwrap(),
            packages,
        };
        let histories = vec![history("20261122-2", 2), history("20261122-1", 1)];
        let full = Overview {
            channel: "main".parse().unwrap(),
            standing: Standing {
                streams: [(volatile(), "20261122-2".parse().unwrap())].into(),
                tags: [("2026-11".parse().unwrap(), "20261122-1".parse().unwrap())].into(),
                histories,
            },
            packages: 2,
        };
        let empty = Overview {
            channel: "testing".parse().unwrap(),
            standing: Standing::default(),
            packages: 0,
        };
        // A base URL that tries to break out of the page.
        let base = "https://packages.example.org/a&b'<x>/".parse().unwrap();
        let x86 = || vec!["x86_64".to_owned()];
        let page = render(&base, &[(&full, x86()), (&empty, x86())]).into_string();
        insta::assert_snapshot!(page.replace("><", ">\n<"));
    }
}
