//! Merge queues: groups, their checks, and what becomes of them.

use std::collections::BTreeSet;

use forge::{MergeQueue, Obstacle, PullState, Queued, Refused, Sha};
use serde_json::{Value, json};

use crate::bench::{Bench, LIMIT, REPOSITORY};
use crate::merging::{checked, merge_by_rest, with_pull};
use crate::pulls::write;

/// A forge whose App is told of groups. `main` has a queue and requires the check `snekbook`.
async fn start() -> Bench {
    let bench = Bench::start_with(|config, _| config.app.events.push("merge_group".to_owned()));
    let bench = bench.await;
    write(&bench, REPOSITORY, "maya", "main", "a", "1").await;
    let forge = &bench.forge;
    forge
        .require_checks(REPOSITORY, "main", &["snekbook"])
        .unwrap();
    let queued = forge.set_merge_queue(REPOSITORY, "main", MergeQueue::On);
    queued.await.unwrap();
    bench
}

/// Pull requests in the queue, each of one commit that has passed.
async fn enqueued(bench: &Bench, branches: &[&str]) -> Vec<u64> {
    let mut numbers = Vec::new();
    for branch in branches {
        let (number, head) = with_pull(bench, branch).await;
        checked(bench, &head, Some("success")).await;
        let queued = bench.forge.enqueue(REPOSITORY, number, "maya");
        queued.await.unwrap();
        numbers.push(number);
    }
    numbers
}

fn queue(bench: &Bench) -> Vec<Queued> {
    bench.forge.merge_queue(REPOSITORY, "main")
}

/// The commits of the groups, the first one first.
fn heads(bench: &Bench) -> Vec<Sha> {
    let groups = queue(bench).into_iter();
    groups.map(|queued| queued.group.unwrap().1).collect()
}

async fn tip(bench: &Bench) -> Sha {
    let tip = bench.forge.find_branch(REPOSITORY, "main").await;
    tip.unwrap().unwrap()
}

/// Waits until so many pull requests are in the queue, with groups from `onto` on.
async fn wait_for(bench: &Bench, count: usize, onto: &Sha) {
    let is_so = |forge: &forge::Forge| {
        let queue = forge.merge_queue(REPOSITORY, "main");
        let mut onto = onto.clone();
        let follow = queue.iter().all(|queued| {
            let group = queued.group.as_ref();
            group.is_some_and(|(branch, head)| {
                branch
                    .as_str()
                    .ends_with(std::mem::replace(&mut onto, head.clone()).as_str())
            })
        });
        (queue.len() == count && follow).then_some(())
    };
    let what = format!("{count} in the queue");
    bench.forge.wait_for(&what, LIMIT, is_so).await.unwrap();
}

/// Waits for webhooks of `merge_group` with these actions, reasons and heads.
async fn told(bench: &Bench, wanted: &[(&str, &str, &Sha)]) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let seen = |body: &Value| {
        let head = text(&body["merge_group"]["head_sha"]);
        Some((text(&body["action"]), text(&body["reason"]), head))
    };
    let wanted: Vec<_> = wanted
        .iter()
        .map(|(action, reason, head)| {
            ((*action).to_owned(), (*reason).to_owned(), head.to_string())
        })
        .collect();
    bench
        .receiver
        .wait_for_all("merge_group", &wanted, seen)
        .await;
}

/// Waits until these pull requests were told to have left, for these reasons.
async fn left(bench: &Bench, wanted: &[(u64, &str)]) {
    let seen = |body: &Value| {
        let reason = body["reason"].as_str()?.to_owned();
        Some((body["number"].as_u64()?, reason))
    };
    let wanted: Vec<_> = wanted
        .iter()
        .map(|(number, reason)| (*number, (*reason).to_owned()))
        .collect();
    bench
        .receiver
        .wait_for_all("pull_request", &wanted, seen)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_passes_becomes_the_base() {
    let bench = start().await;
    let forge = &bench.forge;
    let (number, head) = with_pull(&bench, "topic").await;
    let early = forge.enqueue(REPOSITORY, number, "maya").await;
    assert!(matches!(
        early,
        Err(Refused::Blocked(Obstacle::Check { .. }))
    ));
    checked(&bench, &head, Some("success")).await;
    let direct = merge_by_rest(&bench, number, json!({})).await;
    assert_eq!(
        (direct.status, &direct.body["message"]),
        (405, &json!("Changes must be made through the merge queue"))
    );
    let base = tip(&bench).await;
    forge.enqueue(REPOSITORY, number, "maya").await.unwrap();
    let again = forge.enqueue(REPOSITORY, number, "maya").await;
    assert!(again.is_err(), "it is there already");

    let (branch, group) = queue(&bench)[0].group.clone().unwrap();
    let name = format!("gh-readonly-queue/main/pr-{number}-{base}");
    assert_eq!(branch.as_str(), name);
    let found = forge.find_branch(REPOSITORY, &name).await.unwrap();
    assert_eq!(found.as_ref(), Some(&group));
    let asked = &bench.receiver.wait("merge_group", 1).await[0].body;
    let shape = &asked["merge_group"];
    assert_eq!(asked["action"], "checks_requested");
    assert_eq!(shape["head_sha"], group.as_str());
    assert_eq!(shape["head_ref"], format!("refs/heads/{name}"));
    assert_eq!(shape["base_sha"], base.as_str());
    assert_eq!(shape["base_ref"], "refs/heads/main");
    assert_eq!(shape["head_commit"]["id"], group.as_str());

    checked(&bench, &group, None).await;
    checked(&bench, &group, Some("success")).await;
    wait_for(&bench, 0, &base).await;
    assert_eq!(tip(&bench).await, group, "the same commit");
    let pull = forge.find_pull(REPOSITORY, number).unwrap();
    assert!(matches!(&pull.state, PullState::Merged { commit, .. } if *commit == group));
    assert_eq!(forge.find_branch(REPOSITORY, &name).await.unwrap(), None);
    told(&bench, &[("destroyed", "merged", &group)]).await;
    left(&bench, &[(number, "MERGE")]).await;
    let pushed = |body: &Value| {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Some((text(&body["ref"])?, text(&body["after"])?))
    };
    let zero = "0".repeat(40);
    let wanted = [
        (format!("refs/heads/{name}"), group.to_string()),
        ("refs/heads/main".to_owned(), group.to_string()),
        (format!("refs/heads/{name}"), zero),
    ];
    bench.receiver.wait_for_all("push", &wanted, pushed).await;
    let action = |body: &Value| body["action"].as_str().map(str::to_owned);
    let wanted = ["enqueued", "closed", "dequeued"].map(str::to_owned);
    bench
        .receiver
        .wait_for_all("pull_request", &wanted, action)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_stack_and_are_made_anew_without_one_that_fails() {
    let bench = start().await;
    let base = tip(&bench).await;
    let numbers = enqueued(&bench, &["one", "two", "three"]).await;
    wait_for(&bench, 3, &base).await;
    let before = heads(&bench);
    // Those behind wait for the first.
    for head in &before[1..] {
        checked(&bench, head, Some("success")).await;
    }
    assert_eq!(queue(&bench).len(), 3);
    checked(&bench, &before[0], Some("failure")).await;
    wait_for(&bench, 2, &base).await;
    let after = heads(&bench);
    assert!(after.iter().all(|head| !before.contains(head)));
    left(&bench, &[(numbers[0], "CI_FAILURE")]).await;
    let mut wanted: Vec<_> = before
        .iter()
        .map(|head| ("destroyed", "invalidated", head))
        .collect();
    wanted.extend(after.iter().map(|head| ("checks_requested", "", head)));
    told(&bench, &wanted).await;
    for head in after.iter().rev() {
        checked(&bench, head, Some("success")).await;
    }
    wait_for(&bench, 0, &base).await;
    assert_eq!(tip(&bench).await, after[1]);
    let merged: Vec<_> = numbers
        .iter()
        .map(|number| bench.forge.find_pull(REPOSITORY, *number).unwrap().state)
        .collect();
    assert_eq!(merged[0], PullState::Open);
    for (state, head) in merged[1..].iter().zip(&after) {
        assert!(matches!(state, PullState::Merged { commit, .. } if commit == head));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn time_that_is_up_takes_all_out_of_the_queue() {
    let bench = start().await;
    let base = tip(&bench).await;
    let numbers = enqueued(&bench, &["one", "two"]).await;
    let groups = heads(&bench);
    let expired = bench.forge.expire_merge_queue(REPOSITORY, "main");
    expired.await.unwrap();
    assert_eq!(queue(&bench), []);
    left(
        &bench,
        &[(numbers[0], "CI_TIMEOUT"), (numbers[1], "CI_TIMEOUT")],
    )
    .await;
    let wanted: Vec<_> = groups
        .iter()
        .map(|head| ("destroyed", "invalidated", head))
        .collect();
    told(&bench, &wanted).await;
    assert_eq!(tip(&bench).await, base);
    let open = bench.forge.find_pull(REPOSITORY, numbers[0]).unwrap();
    assert!(open.is_open());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_taken_out_leaves_the_others_to_be_made_anew() {
    let bench = start().await;
    let base = tip(&bench).await;
    let numbers = enqueued(&bench, &["one", "two"]).await;
    let groups = heads(&bench);
    let out = bench.forge.dequeue(REPOSITORY, numbers[0], "maya");
    out.await.unwrap();
    wait_for(&bench, 1, &base).await;
    left(&bench, &[(numbers[0], "MANUAL")]).await;
    told(
        &bench,
        &[
            ("destroyed", "dequeued", &groups[0]),
            ("destroyed", "invalidated", &groups[1]),
        ],
    )
    .await;
    let again = bench.forge.dequeue(REPOSITORY, numbers[0], "maya").await;
    assert!(again.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_leaves_the_queue() {
    let bench = start().await;
    let forge = &bench.forge;
    let numbers = enqueued(&bench, &["one", "two", "three"]).await;
    write(&bench, REPOSITORY, "maya", "one", "more", "1").await;
    forge
        .close_pull(REPOSITORY, numbers[1], "maya")
        .await
        .unwrap();
    let draft = forge.convert_to_draft(REPOSITORY, numbers[2], "maya");
    draft.await.unwrap();
    wait_for(&bench, 0, &tip(&bench).await).await;
    let wanted: Vec<_> = numbers
        .iter()
        .map(|number| (*number, "UNKNOWN_REMOVAL_REASON"))
        .collect();
    left(&bench, &wanted).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_base_that_moves_has_all_groups_made_anew() {
    let bench = start().await;
    let numbers = enqueued(&bench, &["one", "two"]).await;
    let before = heads(&bench);
    let moved = write(&bench, REPOSITORY, "maya", "main", "two", "other").await;
    // The second conflicts with the base now.
    wait_for(&bench, 1, &moved).await;
    left(&bench, &[(numbers[1], "MERGE_CONFLICT")]).await;
    assert_ne!(heads(&bench)[0], before[0]);
    let off = bench
        .forge
        .set_merge_queue(REPOSITORY, "main", MergeQueue::Off);
    off.await.unwrap();
    assert_eq!(queue(&bench), []);
    left(&bench, &[(numbers[0], "QUEUE_CLEARED")]).await;
    let (list, token) = (format!("/repos/{REPOSITORY}/branches"), bench.token().await);
    let branches = bench.get(&list, &token).await.body;
    let names: BTreeSet<_> = branches
        .as_array()
        .unwrap()
        .iter()
        .map(|branch| branch["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, BTreeSet::from(["main", "one", "two"]));
    assert_eq!(
        merge_by_rest(&bench, numbers[0], json!({})).await.status,
        200
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_without_required_checks_merges_at_once() {
    let bench = start().await;
    let forge = &bench.forge;
    forge.require_checks(REPOSITORY, "main", &[]).unwrap();
    let (number, _) = with_pull(&bench, "topic").await;
    forge.enqueue(REPOSITORY, number, "maya").await.unwrap();
    let pull = forge.find_pull(REPOSITORY, number).unwrap();
    assert!(matches!(pull.state, PullState::Merged { .. }));
    bench.receiver.wait("merge_group", 2).await;
}
