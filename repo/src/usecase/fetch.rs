//! Fetching the stones of an import.
//!
//! One try each: what can be tried again is, by the channel's worker, and the import's state says
//! so. What was received stays in the staging folder and is taken up where it broke off.

use std::num::NonZero;
use std::path::Path;

use api::import::{RefusalReason, Stone};
use moss_fetcher::{Cause, Error, Fetched, Options, Request, Size};

use super::Failure;
use super::work::Stop;
use crate::domain::arrival::refuse;

/// Fetches stones.
pub(super) struct Fetcher(moss_fetcher::Fetcher);

impl Fetcher {
    /// A fetcher that follows no redirects: an asset is where the order says.
    pub(super) fn new() -> Result<Self, Error> {
        moss_fetcher::Fetcher::new(Options {
            user_agent: concat!("vessel/", env!("CARGO_PKG_VERSION")).to_owned(),
            attempts: NonZero::<u32>::MIN,
            redirects: 0,
            ..Options::default()
        })
        .map(Self)
    }

    /// Fetches a stone to `target`. Afterwards it is there and hashes to what the order says.
    pub(super) async fn fetch(&self, stone: &Stone, target: &Path) -> Result<Fetched, Stop> {
        let request = Request {
            urls: vec![stone.uri.clone()],
            sha256: moss_fetcher::Sha256::from_bytes(*stone.sha256.as_bytes()),
            size: Size::Exactly(stone.size),
            target: target.to_owned(),
        };
        self.0
            .fetch(&request)
            .await
            .map_err(|error| stop(stone, error))
    }
}

/// What a failed fetch means for the import.
fn stop(stone: &Stone, error: Error) -> Stop {
    let name = &stone.file_name;
    let failures = match error {
        Error::Failed { failures, .. } => failures,
        Error::Cancelled => return Stop::Ending,
        error @ (Error::File { .. } | Error::Client(_) | _) => {
            return Stop::Failed(Failure::Fetch(Box::new(error)));
        }
    };
    let Some(failure) = failures.into_iter().next() else {
        return Stop::Hindered(format!("the stone {name} could not be fetched"));
    };
    let message = format!("the stone {name} could not be fetched from {failure}");
    match failure.cause {
        Cause::Mismatch { .. } | Cause::WrongSize { .. } | Cause::TooLarge { .. } => {
            let message = format!("the stone {name} is not what was ordered, from {failure}");
            Stop::Refused(refuse(RefusalReason::HashMismatch, name, message))
        }
        Cause::Status(status) if matches!(status.as_u16(), 404 | 410) => {
            Stop::Refused(refuse(RefusalReason::AssetGone, name, message))
        }
        Cause::Status(_)
        | Cause::Transport { .. }
        | Cause::Stalled(_)
        | Cause::Scheme(_)
        | Cause::Unreadable(_)
        // A new cause of the fetcher's is one that may pass, until we know better.
        | _ => Stop::Hindered(message),
    }
}
