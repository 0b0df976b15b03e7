//! The endpoint that says how summit stands.

use api::status::{Database, Standstill, Summit as Status};
use axum::Json;
use axum::extract::State;
use moss_db::{Error as StorageError, RoTxn};
use service::ApiError;

use super::handlers::Handlers;
use crate::db::Tables;

/// What is open.
#[derive(Debug, Default, PartialEq, Eq)]
struct Open {
    deliveries: u64,
    looks: u64,
    commands: u64,
    presses: u64,
    effects: u64,
}

/// `GET /api/v1/status`
pub(super) async fn get(State(handlers): State<Handlers>) -> Result<Json<Status>, ApiError> {
    let summit = &handlers.summit;
    let tables = summit.tables.clone();
    let open = summit.db.query(move |txn| count(&tables, txn)).await;
    let open = open.map_err(|error| ApiError::internal(&error))?;
    let unshown = summit.unshown_builds().await;
    let unshown = unshown.map_err(|error| ApiError::internal(&error))?;
    let counts = summit.under_way().counts().into_iter();
    let builds = counts.map(|(stage, count)| (stage.name().to_owned(), count as u64));
    let standstill = summit.standstill().into_iter().map(|(profile, known)| {
        let (reason, since) = (known.reason, known.since);
        (profile, Standstill { reason, since })
    });
    let usage = summit.db.usage();
    Ok(Json(Status {
        summit: summit.config.name.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        database: Database {
            used_bytes: usage.used(),
            map_bytes: usage.map_size(),
        },
        builds: builds.collect(),
        unreadable: summit.unreadable.clone(),
        standstill: standstill.collect(),
        deliveries: open.deliveries,
        looks: open.looks,
        commands: open.commands,
        presses: open.presses,
        effects: open.effects,
        check_runs: unshown.len() as u64,
    }))
}

fn count(tables: &Tables, txn: &RoTxn<'_>) -> Result<Open, StorageError> {
    Ok(Open {
        deliveries: tables.deliveries_open.iter(txn)?.count() as u64,
        looks: tables.looks.len(txn)?,
        commands: tables.commands_open.iter(txn)?.count() as u64,
        presses: tables.presses.len(txn)?,
        effects: tables.outbox.len(txn)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::tests::store;
    use crate::domain::build::example::pull;
    use crate::domain::name::RepositoryId;

    #[test]
    fn what_is_open_is_counted() {
        let store = store();
        let count = || store.env.read(|txn| count(&store.tables, txn)).unwrap();
        assert_eq!(count(), Open::default());
        let repository = RepositoryId::new(1);
        let wished = store.write(|txn| store.tables.wish(txn, repository, &pull()));
        wished.unwrap();
        assert_eq!(count().looks, 1);
    }
}
