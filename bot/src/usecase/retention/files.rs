//! The files of logs: their total size, and which of them are removed.

use std::collections::BTreeMap;
use std::path::Path;

use api::id::{AttemptId, BuildId};
use jiff::Timestamp;
use moss_db::{Error as StorageError, RoTxn};

use super::{BATCH, Error, Summit, drop_logs};
use crate::db::{Tables, Write};

/// A log file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct File {
    pub(super) attempt: AttemptId,
    pub(super) bytes: u64,
}

impl Summit {
    /// Removes logs, those of the oldest builds first, until the total is within the limit.
    pub(super) async fn bound_logs(&self, now: Timestamp) -> Result<(), Error> {
        let limit = self.config.retention.log_bytes;
        let mut sizes: BTreeMap<BuildId, u64> = BTreeMap::new();
        for file in self.list_logs().await? {
            *sizes.entry(file.attempt.build()).or_default() += file.bytes;
        }
        let mut excess = sizes.values().sum::<u64>().saturating_sub(limit);
        let builds: Vec<(BuildId, u64)> = sizes.into_iter().collect();
        for batch in builds.chunks(BATCH) {
            if excess == 0 {
                return Ok(());
            }
            let (tables, batch) = (self.tables.clone(), batch.to_vec());
            let before = excess;
            excess = self
                .submit(move |txn| reduce(&tables, txn, &batch, before, now))
                .await?;
            tracing::info!(bytes = before - excess, "old logs exceeded the limit");
        }
        if excess > 0 {
            tracing::warn!(
                bytes = excess,
                "the logs of builds under way exceed the limit"
            );
        }
        Ok(())
    }

    /// Removes the files of builds that are gone or say that their logs are gone.
    pub(super) async fn remove_files(&self) -> Result<(), Error> {
        let files = self.list_logs().await?;
        for batch in files.chunks(BATCH) {
            let (tables, batch) = (self.tables.clone(), batch.to_vec());
            let gone: Vec<AttemptId> = self.db.query(move |txn| gone(&tables, txn, &batch)).await?;
            for attempt in gone {
                match tokio::fs::remove_file(self.log_path(attempt)).await {
                    Ok(()) => {}
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }

    async fn list_logs(&self) -> std::io::Result<Vec<File>> {
        let folder = self.logs.clone();
        tokio::task::spawn_blocking(move || list(&folder))
            .await
            .expect("reading a folder does not panic")
    }
}

/// The logs in a folder. Files with other names are ignored.
pub(super) fn list(folder: &Path) -> std::io::Result<Vec<File>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let attempt = name
            .to_str()
            .and_then(|name| name.strip_suffix(".log"))
            .and_then(|attempt| attempt.parse().ok());
        if let Some(attempt) = attempt {
            let bytes = entry.metadata()?.len();
            files.push(File { attempt, bytes });
        }
    }
    Ok(files)
}

/// Marks the logs of ended builds as gone, until `excess` bytes are saved. Returns how many bytes
/// remain to be saved.
pub(super) fn reduce(
    tables: &Tables,
    txn: &mut Write<'_, '_>,
    builds: &[(BuildId, u64)],
    mut excess: u64,
    now: Timestamp,
) -> Result<u64, StorageError> {
    for (id, bytes) in builds {
        if excess == 0 {
            break;
        }
        match tables.find_build(txn, *id)? {
            Some(build) if build.find_end().is_none() => continue,
            Some(build) if build.has_logs() => drop_logs(tables, txn, build, now)?,
            // Only the file is left.
            Some(_) | None => {}
        }
        excess = excess.saturating_sub(*bytes);
    }
    Ok(excess)
}

/// Those of `files` whose build is gone or says that its logs are gone.
pub(super) fn gone(
    tables: &Tables,
    txn: &RoTxn<'_>,
    files: &[File],
) -> Result<Vec<AttemptId>, StorageError> {
    let mut gone = Vec::new();
    for file in files {
        let build = tables.find_build(txn, file.attempt.build())?;
        if build.is_none_or(|build| build.logs_removed_at.is_some()) {
            gone.push(file.attempt);
        }
    }
    Ok(gone)
}
