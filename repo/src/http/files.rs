//! The files of the repository, for everyone.
//!
//! A path is taken only when it is one that the layout has: each part is parsed, so that there is
//! no way to name a dotfile, a folder, or anything above. Then the file itself must be what it
//! seems, not a symbolic link to elsewhere. The bytes are served by tower-http, with ranges, ETag
//! and conditional requests.
//!
//! Histories and the pool never change, so caches may keep them for ever. Root index and streams
//! must be asked for again each time. Their date is left out: it counts whole seconds, and two
//! imports may be published within one.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use api::id::{Architecture, ChannelName, FileName, HistoryId, RecipeName, StreamName};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, IF_MODIFIED_SINCE, IF_UNMODIFIED_SINCE, LAST_MODIFIED, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use percent_encoding::percent_decode_str;
use tower::ServiceExt as _;
use tower_http::services::ServeFile;

use crate::domain::pool::Place;
use crate::tree::{INDEX_FILE, ROOT_FILE};
use crate::usecase::Repository;

/// Whether what a path names may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    /// Never: caches may keep it.
    Immutable,
    /// With every publication.
    Moving,
}

/// A path that the layout has, relative to the public folder.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Target {
    channel: ChannelName,
    path: String,
    life: Life,
    /// Compressed variants lie beside it.
    has_variants: bool,
}

impl Target {
    /// Parses the path of a URL.
    fn parse(path: &str) -> Option<Self> {
        let path = percent_decode_str(path.strip_prefix('/')?)
            .decode_utf8()
            .ok()?;
        let (channel, rest) = path.split_once('/')?;
        let channel: ChannelName = channel.parse().ok()?;
        let parts: Vec<&str> = rest.split('/').collect();
        let (is_known, life) = match *parts.as_slice() {
            [ROOT_FILE] => (true, Life::Moving),
            ["history", id, architecture, INDEX_FILE] => (
                is::<HistoryId>(id) && is::<Architecture>(architecture),
                Life::Immutable,
            ),
            ["stream", stream, architecture, INDEX_FILE] => (
                is::<StreamName>(stream) && is::<Architecture>(architecture),
                Life::Moving,
            ),
            ["pool", "v0", _, source, file_name] => {
                (is_place(rest, source, file_name), Life::Immutable)
            }
            _ => (false, Life::Moving),
        };
        is_known.then(|| Self {
            channel,
            path: rest.to_owned(),
            life,
            has_variants: rest == ROOT_FILE,
        })
    }
}

fn is<T: std::str::FromStr>(text: &str) -> bool {
    text.parse::<T>().is_ok()
}

/// The pool has exactly one path for a file.
fn is_place(path: &str, source: &str, file_name: &str) -> bool {
    match (source.parse::<RecipeName>(), file_name.parse::<FileName>()) {
        (Ok(source), Ok(file_name)) => Place::new(&source, &file_name).to_string() == path,
        _ => false,
    }
}

/// Serves every path that no other route takes.
pub(super) fn router(repository: Arc<Repository>) -> Router {
    Router::new().fallback(serve).with_state(repository)
}

async fn serve(State(repository): State<Arc<Repository>>, request: Request) -> Response {
    let target = Target::parse(request.uri().path())
        .filter(|target| repository.has_channel(&target.channel));
    let Some(target) = target else {
        return not_found();
    };
    let folder = repository.public().join(target.channel.as_str());
    let Some(path) = find_plain_file(folder, &target.path).await else {
        return not_found();
    };
    respond(&target, &path, request).await
}

async fn respond(target: &Target, path: &Path, mut request: Request) -> Response {
    let mut file = ServeFile::new(path);
    if target.has_variants {
        file = file.precompressed_zstd().precompressed_gzip();
    }
    if target.life == Life::Moving {
        request.headers_mut().remove(IF_MODIFIED_SINCE);
        request.headers_mut().remove(IF_UNMODIFIED_SINCE);
    }
    let mut response = match file.oneshot(request).await {
        Ok(response) => response.map(Body::new),
        Err(never) => match never {},
    };
    if response.status() == StatusCode::NOT_FOUND {
        return not_found();
    }
    set_headers(target, response.headers_mut());
    response
}

fn set_headers(target: &Target, headers: &mut HeaderMap) {
    let cache = match target.life {
        Life::Immutable => "public, max-age=31536000, immutable",
        Life::Moving => {
            headers.remove(LAST_MODIFIED);
            "no-cache"
        }
    };
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    if target.has_variants {
        headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    }
    let is_json = target.path == ROOT_FILE;
    let content_type = if is_json {
        "application/json"
    } else {
        "application/octet-stream"
    };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

/// The file below `folder`, if no component of `path` is a symbolic link and it is a plain file.
async fn find_plain_file(mut folder: PathBuf, path: &str) -> Option<PathBuf> {
    for part in path.split('/') {
        let found = tokio::fs::symlink_metadata(&folder).await.ok()?;
        if !found.is_dir() {
            return None;
        }
        folder.push(part);
    }
    let found = tokio::fs::symlink_metadata(&folder).await.ok()?;
    found.is_file().then_some(folder)
}

fn not_found() -> Response {
    // Something not published yet may be so in a moment.
    let headers = [
        (
            CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        ),
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (StatusCode::NOT_FOUND, headers, "There is no such file.\n").into_response()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::*;

    fn life(path: &str) -> Option<Life> {
        Target::parse(path).map(|target| target.life)
    }

    #[test]
    fn the_layouts_paths_are_taken() {
        for (path, expected) in [
            ("/main/moss-root-index.json", Life::Moving),
            ("/main/stream/volatile/x86_64/stone.index", Life::Moving),
            (
                "/main/history/20261122-1/x86_64/stone.index",
                Life::Immutable,
            ),
            (
                "/main/pool/v0/n/nano/nano-8.3-33-1-x86_64.stone",
                Life::Immutable,
            ),
            (
                "/main/pool/v0/libx/libxml2/libxml2-1%2B2-1-1-x86_64.stone",
                Life::Immutable,
            ),
            ("/main/pool/v0/a/a/a-1%25-1-1-x86_64.stone", Life::Immutable),
        ] {
            assert_eq!(life(path), Some(expected), "{path}");
        }
    }

    #[test]
    fn all_others_are_not() {
        for path in [
            "/",
            "/main",
            "/main/",
            "/main//moss-root-index.json",
            "/main/moss-root-index.json.zst",
            "/main/moss-root-index.json/",
            "/main/history/20261122-1/x86_64/",
            "/main/history/../x86_64/stone.index",
            "/main/history/%2e%2e/x86_64/stone.index",
            "/main/history/a%2fb/x86_64/stone.index",
            "/main/stream/volatile/x86_64/.stone.index",
            "/main/stream/volatile/X/stone.index",
            "/main/pool/v0/x/nano/nano-8.3-33-1-x86_64.stone",
            "/main/pool/v0/n/Nano/nano-8.3-33-1-x86_64.stone",
            "/main/pool/v0/n/nano/..",
            "/main/pool/v0/n/nano/.hidden",
            "/main/pool/v0/n/nano/%00",
            "/../staging/x",
            "/main/pool/v0/n/nano/%ff",
        ] {
            assert_eq!(life(path), None, "{path}");
        }
    }

    proptest! {
        #[test]
        fn no_path_leads_out(path in any::<String>()) {
            if let Some(target) = Target::parse(&format!("/main/{path}")) {
                let inner = target.path.split('/').all(|part| !part.is_empty() && !part.starts_with('.'));
                assert!(inner, "{path}");
            }
        }
    }
}
