//! What becomes of attempts with time: queue, lease, limits, restarts.

use std::time::Duration;

use api::attempt::{Phase, Reason, State};
use api::claims::Scope;
use api::id::Sha256;

use super::bench::{Bench, fetch, path};
use super::{endless, failure, is_building, new_id, recipe};

#[tokio::test]
async fn one_slot_makes_others_wait_and_cancelling_makes_room() {
    let bench = Bench::new().await;
    let order = endless(&bench, "recipes");
    let (first, second) = (new_id(), new_id());
    bench.order(first, &order).await.unwrap();
    bench.until(first, is_building).await;
    bench.order(second, &order).await.unwrap();
    bench
        .until(second, |state| {
            matches!(state, State::Accepted { ahead: 1 })
        })
        .await;
    let status = bench.status().await;
    assert_eq!((status.slots, status.attempts), (1, vec![first, second]));
    let unfinished = format!("{}/release", path(first));
    let refused = bench
        .client
        .post::<serde_json::Value>(Scope::Attempts, &unfinished, &())
        .await
        .unwrap_err();
    assert_eq!(refused.find_status(), Some(409));
    let cancelled: api::attempt::Attempt = bench
        .client
        .delete(Scope::Attempts, &path(first))
        .await
        .unwrap();
    assert!(
        matches!(cancelled.state, State::Cancelled { .. }),
        "{cancelled:?}"
    );
    assert!(bench.log(first).await.ends_with("==> cancelled\n"));
    bench.until(second, is_building).await;
    let cancelled: api::attempt::Attempt = bench
        .client
        .delete(Scope::Attempts, &path(second))
        .await
        .unwrap();
    assert!(
        matches!(cancelled.state, State::Cancelled { .. }),
        "{cancelled:?}"
    );
    bench.end().await;
}

#[tokio::test]
async fn two_slots_build_at_once_and_as_different_users() {
    let bench = Bench::with("slots = 2").await;
    let text = recipe("build: |\n    touch mark\n    sleep 7200\ninstall: |\n    true\n");
    let order = bench.repository("recipes", &[("tool/stone.yaml", &text)]);
    let ids = [new_id(), new_id()];
    for id in ids {
        bench.order(id, &order).await.unwrap();
    }
    let mut users = Vec::new();
    for id in ids {
        bench.until(id, is_building).await;
        use std::os::unix::fs::MetadataExt as _;
        let build = bench.folder.path().join(format!("work/{id}/build"));
        users.push(build.metadata().unwrap().uid());
    }
    if rustix::process::getuid().is_root() {
        users.sort_unstable();
        assert_eq!(users, [64_800, 64_801]);
    }
    for id in ids {
        let _: api::attempt::Attempt = bench
            .client
            .delete(Scope::Attempts, &path(id))
            .await
            .unwrap();
    }
    bench.end().await;
}

#[tokio::test]
async fn without_a_reader_the_lease_ends_and_with_too_much_time_the_limit_is_reached() {
    let bench = Bench::new().await;
    let mut order = endless(&bench, "recipes");
    order.lease_seconds = 1;
    let id = new_id();
    bench.order(id, &order).await.unwrap();
    // Nobody reads; the report is the one way to learn of it without renewing.
    let start = std::time::Instant::now();
    while !bench
        .reports()
        .iter()
        .any(|attempt| matches!(attempt.state, State::Expired { .. }))
    {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "{:?}",
            bench.reports()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    order.lease_seconds = 60;
    order.limits.wall_seconds = 3;
    let reached = failure(bench.build(&order).await.1);
    assert_eq!(
        reached.reason,
        Reason::LimitReached {
            limit: "wall_seconds".to_owned()
        }
    );
    let talkative = recipe("build: |\n    while :; do echo spam; done\ninstall: |\n    true\n");
    let mut order = bench.repository("talkative", &[("tool/stone.yaml", &talkative)]);
    order.limits.log_bytes = 100_000;
    let (id, state) = bench.build(&order).await;
    let reached = failure(state);
    assert_eq!(
        reached.reason,
        Reason::LimitReached {
            limit: "log_bytes".to_owned()
        }
    );
    assert!(
        bench
            .log(id)
            .await
            .contains("the log has reached its limit")
    );
    bench.end().await;
}

#[tokio::test]
async fn a_restart_ends_what_ran_and_serves_what_was_finished() {
    let mut bench = Bench::new().await;
    let text = recipe("install: |\n    install -Dm644 /dev/null %(installroot)/usr/share/x\n");
    let finished = bench.repository("good", &[("tool/stone.yaml", &text)]);
    let (good, _) = bench.build(&finished).await;
    let running = new_id();
    bench
        .order(running, &endless(&bench, "endless"))
        .await
        .unwrap();
    bench.until(running, is_building).await;
    bench.restart().await;
    let interrupted = failure(bench.read(running, 0).await.state);
    assert_eq!(
        (interrupted.phase, interrupted.reason),
        (Phase::Build, Reason::Interrupted)
    );
    let State::Succeeded { assets, .. } = bench.read(good, 0).await.state else {
        panic!()
    };
    // The address is another, the path is the same.
    let mut uri = assets[0].uri.clone();
    uri.set_port(Some(bench.running.address.port())).unwrap();
    assert_eq!(Sha256::of(&fetch(&uri).await.1), assets[0].sha256);
    assert!(bench.log(good).await.contains("==> succeeded"));
    bench.end().await;
}
