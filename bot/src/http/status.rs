//! `GET /api/v1/status`: the open work of summit.

use api::status::{Database, SilentBuilder, Standstill, Summit as Status};
use axum::Json;
use axum::extract::State;
use service::ApiError;

use super::handlers::Handlers;
use crate::usecase;

/// Counts of open work.
/// `GET /api/v1/status`
pub(super) async fn get(State(handlers): State<Handlers>) -> Result<Json<Status>, ApiError> {
    let summit = &handlers.summit;
    let open = summit.count_open().await;
    let open = open.map_err(|error| ApiError::internal(&error))?;
    let unshown = summit.unshown_builds().await;
    let unshown = unshown.map_err(|error| ApiError::internal(&error))?;
    let counts = summit.under_way().counts().into_iter();
    let builds = counts.map(|(stage, count)| (stage.name().to_owned(), count as u64));
    let silent_builders = summit.silent_builders().into_iter().map(|(name, silent)| {
        let told = SilentBuilder {
            since: silent.silence.since,
            next_try_at: silent.silence.next,
            builds: silent.builds,
            builds_leave_at: silent.silence.until,
        };
        (name, told)
    });
    let standstill = summit
        .standstill()
        .into_iter()
        .map(|(profile, known)| (profile, told(known)));
    let missing = summit.missing().await;
    let missing = missing.map_err(|error| ApiError::internal(&error))?;
    let missing = missing
        .into_iter()
        .map(|one| (one.name.to_string(), one.since));
    let suspended = summit.find_suspension().map(told);
    // While builds of a head go on, their own check runs tell of them.
    let heads = {
        let under_way = summit.under_way();
        let ended = open
            .heads
            .iter()
            .filter(|head| !under_way.is_unconcluded(**head));
        ended.count() as u64
    };
    let usage = summit.db.usage();
    Ok(Json(Status {
        summit: summit.config.name.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        database: Database {
            used_bytes: usage.used(),
            map_bytes: usage.map_size(),
        },
        builds: builds.collect(),
        suspended,
        missing: missing.collect(),
        unread_deliveries: open.unread_deliveries,
        unreadable: summit.unreadable.clone(),
        standstill: standstill.collect(),
        silent_builders: silent_builders.collect(),
        looks: open.looks,
        commands: open.commands,
        presses: open.presses,
        effects: open.effects,
        check_runs: unshown.len() as u64 + heads,
    }))
}

fn told(standstill: usecase::Standstill) -> Standstill {
    let usecase::Standstill { reason, since, .. } = standstill;
    Standstill { reason, since }
}
