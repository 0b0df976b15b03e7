use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use tokio::task::JoinSet;

use super::*;
use crate::domain::build::example::at;
use crate::github::double::{Double, says, suspended};
use crate::usecase::example::Example;

const LIMIT: Duration = Duration::from_secs(30);

/// The webhook of its end wakes the sweep alone, which asks GitHub.
#[tokio::test]
async fn the_end_of_a_suspension_wakes_all_workers() {
    let github = Double::start().await;
    let example = Example::new(&github);
    let summit = &example.summit;
    let is_suspended = Arc::new(AtomicBool::new(true));
    let known = Arc::clone(&is_suspended);
    github.answers(move |asked| {
        let since = known.load(Ordering::SeqCst).then(|| at(3));
        let path = asked.what.split_once(' ').map_or("", |(_, path)| path);
        match path.split('?').next() {
            Some("/orgs/snekbook/installation") => {
                let body = json!({ "id": 5, "suspended_at": since });
                Some(says(200, &body))
            }
            Some("/app/installations/5/access_tokens") => since.map(|_| suspended()),
            Some("/installation/repositories") => Some(says(200, &json!({ "repositories": [] }))),
            Some("/app/hook/deliveries") => Some(says(200, &json!([]))),
            _ => None,
        }
    });
    let mut tasks = JoinSet::new();
    tasks.spawn(work(Arc::clone(summit)));
    summit.app.wait_for_suspension().await;
    is_suspended.store(false, Ordering::SeqCst);
    summit.wakes.sweep.wake();
    for wake in [&summit.wakes.schedule, &summit.wakes.commands] {
        assert!(wake.is_woken_within(LIMIT).await);
    }
    assert_eq!(summit.app.suspended_since(), None);
}
