//! Copying the log of an attempt while it grows.

use std::path::Path;

use api::claims::Scope;
use api::id::AttemptId;
use bytes::Bytes;
use reqwest::Method;
use service::client::{CallError, Client};
use service::error::Chain;
use tokio::io::{AsyncSeekExt as _, AsyncWriteExt as _};

use super::{Backoff, Summit};

impl Summit {
    /// Copies the log from the end of our copy until the builder reports the log's end.
    ///
    /// The order limits the log, but a builder may not keep to that.
    pub(super) async fn copy_log(&self, client: &Client, attempt: AttemptId) {
        let path = self.log_path(attempt);
        let most = self.config.limits.log_bytes + SLACK;
        let mut backoff = Backoff::new();
        loop {
            match copy_part(client, attempt, &path, most).await {
                Ok(true) => return,
                Ok(false) => backoff.reset(),
                Err(CopyError::Call(error)) if error.find_status() == Some(404) => {
                    // The log does not exist yet, or is gone for good. The attempt's own task finds
                    // out which.
                    backoff.wait().await;
                }
                Err(error) => {
                    tracing::debug!(attempt.id = %attempt, error = %Chain(&error), "no log yet");
                    backoff.wait().await;
                }
            }
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum CopyError {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("the log broke off")]
    Read(#[from] reqwest::Error),
    #[error("cannot write the copy of the log")]
    Write(#[from] std::io::Error),
}

/// What the builder itself may add to a log at its limit, in bytes.
const SLACK: u64 = 64 << 10;

/// The last line of a copy that was cut off.
const CUT: &str = "\n[summit: the log is longer than its limit; the rest is not copied]\n";

/// Appends the builder's log from the end of our copy, up to about `most` bytes in all. True when
/// nothing follows.
async fn copy_part(
    client: &Client,
    attempt: AttemptId,
    path: &Path,
    most: u64,
) -> Result<bool, CopyError> {
    let mut file = tokio::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .await?;
    let mut offset = file.seek(std::io::SeekFrom::End(0)).await?;
    if offset > most {
        return Ok(true);
    }
    let route = format!("/api/v1/attempts/{attempt}/log?offset={offset}");
    let mut answer = client
        .send(Method::GET, Scope::Attempts, &route, Bytes::new())
        .await?;
    let complete = answer
        .headers()
        .get("x-log-complete")
        .is_some_and(|value| value == "true");
    loop {
        match answer.chunk().await {
            Ok(Some(part)) => {
                file.write_all(&part).await?;
                offset += part.len() as u64;
                if offset > most {
                    file.write_all(CUT.as_bytes()).await?;
                    file.flush().await?;
                    return Ok(true);
                }
            }
            // The next part begins at the end of the file, so all bytes must be written before
            // anyone reads its length.
            ended => {
                file.flush().await?;
                ended?;
                return Ok(complete);
            }
        }
    }
}
