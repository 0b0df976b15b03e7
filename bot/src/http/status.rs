//! The endpoint that says how summit stands.

use std::collections::BTreeMap;

use api::status::{Database, Summit as Status};
use axum::Json;
use axum::extract::State;
use moss_db::{Error as StorageError, RoTxn};
use service::ApiError;

use super::Handlers;
use crate::db::Tables;

/// What is open.
#[derive(Debug, Default, PartialEq, Eq)]
struct Open {
    builds: BTreeMap<String, u64>,
    deliveries: u64,
    looks: u64,
    commands: u64,
    presses: u64,
    effects: u64,
    unshown: u64,
}

/// `GET /api/v1/status`
pub(super) async fn get(State(handlers): State<Handlers>) -> Result<Json<Status>, ApiError> {
    let summit = &handlers.summit;
    let tables = summit.tables.clone();
    let open = summit.db.query(move |txn| count(&tables, txn)).await;
    let open = open.map_err(|error| ApiError::internal(&error))?;
    let usage = summit.db.usage();
    Ok(Json(Status {
        summit: summit.config.name.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        database: Database {
            used_bytes: usage.used(),
            map_bytes: usage.map_size(),
        },
        builds: open.builds,
        deliveries: open.deliveries,
        looks: open.looks,
        commands: open.commands,
        presses: open.presses,
        effects: open.effects,
        check_runs: open.unshown,
    }))
}

fn count(tables: &Tables, txn: &RoTxn<'_>) -> Result<Open, StorageError> {
    let mut open = Open {
        deliveries: tables.deliveries_open.iter(txn)?.count() as u64,
        looks: tables.looks.len(txn)?,
        commands: tables.commands_open.iter(txn)?.count() as u64,
        presses: tables.presses.len(txn)?,
        effects: tables.outbox.len(txn)?,
        unshown: tables.unshown_builds(txn)?.len() as u64,
        builds: BTreeMap::new(),
    };
    for build in tables.active_builds(txn)? {
        *open
            .builds
            .entry(build.state.name().to_owned())
            .or_default() += 1;
    }
    Ok(open)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::tests::store;
    use crate::domain::build::State;
    use crate::domain::build::example::{at, build, id, pull};
    use crate::domain::name::RepositoryId;

    #[test]
    fn what_is_open_is_counted() {
        let store = store();
        let count = || store.env.read(|txn| count(&store.tables, txn)).unwrap();
        assert_eq!(count(), Open::default());
        let (mut waiting, mut other, mut done) = (build(1, "a"), build(2, "b"), build(3, "c"));
        waiting.state = State::Waiting { on: vec![id(9)] };
        other.state = State::Waiting { on: vec![id(9)] };
        done.state = State::Published {
            history: "h1".parse().unwrap(),
            at: at(0),
        };
        done.shown.seq = done.seq;
        store.put(&[&waiting, &other, &done, &build(4, "d")]);
        let repository = RepositoryId::new(1);
        let wished = store
            .env
            .write(|txn| store.tables.wish(txn, repository, &pull()));
        wished.unwrap();
        let counted = count();
        let builds = [("planned".to_owned(), 1), ("waiting".to_owned(), 2)];
        assert_eq!(counted.builds, builds.into());
        assert_eq!((counted.looks, counted.unshown), (1, 3));
    }
}
