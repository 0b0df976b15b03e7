//! What is done at a start, and from time to time: nothing is left lying about.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use api::attempt::{Failure, Phase, Reason, State};
use api::id::AttemptId;
use jiff::Timestamp;

use super::super::prepare::log_name;
use super::super::workspace;
use super::{Engine, Parts};
use crate::db::Record;
use crate::domain::lifecycle::{self, Event};

/// How long between two rounds.
const ROUND: Duration = Duration::from_secs(600);

/// What a former process left could not be put in order.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// The database cannot be read or written.
    #[error("cannot end the attempts of a former process")]
    Database(#[from] moss_db::Error),
    /// A folder cannot be cleaned.
    #[error("cannot clean up {}", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Ends what was running when the former process ended, and removes what belongs to nothing.
pub(super) fn recover(parts: &Parts) -> Result<(), RecoverError> {
    let now = parts.clock.now();
    let records = parts.env.write(|txn| {
        let mut records = parts.tables.all(txn)?;
        for record in &mut records {
            if let Some(event) = interrupted(&record.attempt.state)
                && let Ok(attempt) = lifecycle::apply(&record.attempt, event, now)
            {
                tracing::warn!(attempt.id = %attempt.id, "an attempt was interrupted");
                record.attempt = attempt;
                parts.tables.put(txn, record)?;
            }
        }
        Ok::<_, moss_db::Error>(records)
    })?;
    clean(&parts.work, is_attempt)?;
    clean(&parts.emitting, is_attempt)?;
    let with_assets: HashSet<String> = records
        .iter()
        .filter(|record| record.released_at.is_none())
        .filter(|record| matches!(record.attempt.state, State::Succeeded { .. }))
        .map(|record| record.attempt.id.to_string())
        .collect();
    clean(&parts.assets, |name| {
        is_attempt(name) && !with_assets.contains(name)
    })?;
    let logs: HashSet<String> = records
        .iter()
        .map(|record| log_name(record.attempt.id))
        .collect();
    clean(&parts.logs, |name| {
        name.strip_suffix(".log").is_some_and(is_attempt) && !logs.contains(name)
    })
}

/// Whether something is named after an attempt. Nothing else is ever removed: a configured folder
/// may hold more than we think.
fn is_attempt(name: &str) -> bool {
    name.parse::<AttemptId>().is_ok()
}

/// Forgets attempts that have been kept long enough, again and again.
pub(super) async fn run(engine: Engine) {
    loop {
        if let Err(error) = forget(&engine).await {
            tracing::error!(%error, "cannot forget old attempts");
        }
        let (cache, now) = (
            engine.inner.parts.cache.clone(),
            engine.inner.parts.clock.now(),
        );
        let pruned = tokio::task::spawn_blocking(move || cache.prune(now)).await;
        if let Ok(Err(error)) = pruned {
            tracing::warn!(%error, "cannot prune the cache of sources");
        }
        tokio::time::sleep(ROUND).await;
    }
}

async fn forget(engine: &Engine) -> Result<(), moss_db::Error> {
    let parts = &engine.inner.parts;
    let tables = parts.tables.clone();
    let records = parts.env.query(move |txn| tables.all(txn)).await?;
    let now = parts.clock.now();
    let old: Vec<AttemptId> = records
        .iter()
        .filter(|record| age(record, now).is_some_and(|age| age > parts.retention))
        .map(|record| record.attempt.id)
        .collect();
    for id in old {
        let folder = parts.assets.join(id.to_string());
        let log = parts.logs.join(log_name(id));
        let removed = tokio::task::spawn_blocking(move || {
            workspace::remove(&folder)?;
            match fs::remove_file(log) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                Ok(()) | Err(_) => Ok(()),
            }
        });
        if let Ok(Err(error)) = removed.await {
            tracing::warn!(attempt.id = %id, %error, "cannot remove an old attempt");
            continue;
        }
        let tables = parts.tables.clone();
        parts.env.submit(move |txn| tables.delete(txn, &id)).await?;
    }
    Ok(())
}

/// How long ago an attempt ended, if it has.
fn age(record: &Record, now: Timestamp) -> Option<Duration> {
    let finished_at = match &record.attempt.state {
        State::Accepted { .. } | State::Running { .. } => return None,
        State::Succeeded { finished_at, .. }
        | State::Failed { finished_at, .. }
        | State::Cancelled { finished_at }
        | State::Expired { finished_at } => *finished_at,
    };
    Duration::try_from(now.duration_since(finished_at)).ok()
}

fn interrupted(state: &State) -> Option<Event> {
    let phase = match state {
        State::Accepted { .. } => Phase::Clone,
        State::Running { phase, .. } => *phase,
        State::Succeeded { .. }
        | State::Failed { .. }
        | State::Cancelled { .. }
        | State::Expired { .. } => return None,
    };
    Some(Event::Failed(Failure {
        phase,
        reason: Reason::Interrupted,
        message: "the builder was stopped while this ran".to_owned(),
    }))
}

/// Removes what is to go from `folder`.
fn clean(folder: &Path, goes: impl Fn(&str) -> bool) -> Result<(), RecoverError> {
    let failed = |source| RecoverError::Folder {
        path: folder.to_owned(),
        source,
    };
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if !entry.file_name().to_str().is_some_and(&goes) {
            continue;
        }
        if entry.file_type().map_err(failed)?.is_dir() {
            workspace::remove(&entry.path()).map_err(failed)?;
        } else {
            fs::remove_file(entry.path()).map_err(failed)?;
        }
    }
    Ok(())
}
