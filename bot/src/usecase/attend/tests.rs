use std::sync::atomic::{AtomicUsize, Ordering};

use service::auth::ServiceKey;
use tokio::sync::Notify;

use super::*;
use crate::db::Write;
use crate::db::tests::order;
use crate::domain::build::Progress;
use crate::domain::build::example::{at, build};
use crate::github::double::{Double, suspended};
use crate::usecase::example::Example;

/// It is nobody's fault here, and may last for days.
#[tokio::test]
async fn no_attempt_is_lost_because_the_installation_is_suspended() {
    let github = Double::start().await;
    let mut example = Example::new(&github);
    let summit = Arc::get_mut(&mut example.summit).unwrap();
    // Any other reason would lose the attempt at once.
    summit.config.limits.lease_seconds = 0;
    let mut build = build(1, "nano");
    build.attempts = 1;
    build.state = State::Building {
        builder: "avalanche-1".parse().unwrap(),
        progress: Progress::Ordered,
        silence: None,
        since: at(0),
    };
    let attempt = AttemptId::new(build.id, 1);
    let (tables, row) = (summit.tables.clone(), build.clone());
    let put = summit.submit(move |txn: &mut Write<'_, '_>| {
        let repository = crate::db::Repository {
            name: "snekbook/recipes".parse().unwrap(),
            default_branch: "main".to_owned(),
            clone_url: "https://github.example/".parse().unwrap(),
            installation: crate::domain::name::InstallationId::new(5),
            gone_at: None,
        };
        let number = row.repository.number();
        tables.repositories.put(txn, &number, &repository)?;
        tables.orders.put(txn, &attempt, &order())?;
        tables.put_build(txn, &row)
    });
    put.await.unwrap();

    let third = Arc::new(Notify::new());
    let (asked, often) = (AtomicUsize::new(0), Arc::clone(&third));
    github.answers(move |request| {
        if request.what.starts_with("GET /api/v1/attempts/")
            && asked.fetch_add(1, Ordering::SeqCst) == 2
        {
            often.notify_one();
        }
        request.what.ends_with("/access_tokens").then(suspended)
    });
    // The GitHub of this test is its builder too: it knows no attempt.
    let summit = &example.summit;
    let key = ServiceKey::load_or_create(summit.config.name.clone(), &summit.config.key).unwrap();
    let builder = Client::new(key, "avalanche-1".parse().unwrap(), github.url.clone());
    let reported = Wake::default();
    tokio::select! {
        _ = summit.follow(&builder, &build, attempt, &reported) => panic!("it was given up"),
        () = third.notified() => {}
    }
    assert!(summit.find_suspension().is_some());
}
