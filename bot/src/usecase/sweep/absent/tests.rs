use serde_json::json;

use super::*;
use crate::db::Write;
use crate::domain::build::example::at;
use crate::domain::name::InstallationId;
use crate::github::double::{Asked, Double, says};
use crate::usecase::example::Example;
use crate::usecase::sweep::turn::Turns;

fn row(number: u64) -> Repository {
    Repository {
        name: format!("snekbook/r{number}").parse().unwrap(),
        default_branch: "main".to_owned(),
        clone_url: format!("https://github.example/snekbook/r{number}.git")
            .parse()
            .unwrap(),
        installation: InstallationId::new(5),
        gone_at: None,
    }
}

/// A summit that has seen so many repositories.
async fn seen(github: &Double, count: u64) -> Example {
    let example = Example::new(github);
    let tables = example.summit.tables.clone();
    let put = move |txn: &mut Write<'_, '_>| {
        for number in 1..=count {
            tables.repositories.put(txn, &number, &row(number))?;
        }
        Ok::<_, StorageError>(())
    };
    example.summit.submit(put).await.unwrap();
    example
}

/// A GitHub on which only these repositories are there, each without branches.
fn only(there: &[u64]) -> impl FnMut(&Asked) -> Option<axum::response::Response> + use<> {
    let there = there.to_vec();
    move |asked| {
        let described = |number: &u64| {
            let row = row(*number);
            json!({
                "id": number, "full_name": row.name, "default_branch": "main",
                "clone_url": row.clone_url, "open_issues_count": 0,
            })
        };
        let path = asked.what.strip_prefix("GET ")?;
        if path.starts_with("/orgs/") {
            return Some(says(200, &json!({ "id": 5, "suspended_at": null })));
        }
        if path.starts_with("/installation/repositories") {
            let all: Vec<_> = there.iter().map(described).collect();
            let count = all.len();
            let body = json!({ "total_count": count, "repositories": all });
            return Some(says(200, &body));
        }
        if path.contains("/pulls?") {
            return Some(says(200, &json!([])));
        }
        None
    }
}

async fn sweep(summit: &Arc<Summit>) -> Vec<String> {
    summit.sweep(&mut Turns::default()).await.unwrap();
    let missing = summit.missing().await.unwrap();
    missing
        .into_iter()
        .map(|one| one.name.to_string())
        .collect()
}

/// The numbers of the repositories that summit has not let go of.
async fn kept(summit: &Summit) -> Vec<u64> {
    let seen = summit.seen_repositories().await.unwrap();
    seen.into_iter().map(|(id, _)| id.number()).collect()
}

#[tokio::test]
async fn many_repositories_that_are_gone_at_once_wait_for_a_word() {
    let github = Double::start().await;
    let example = seen(&github, 6).await;
    let summit = &example.summit;
    github.answers(only(&[1, 2]));
    let waiting = ["snekbook/r3", "snekbook/r4", "snekbook/r5", "snekbook/r6"];
    assert_eq!(sweep(summit).await, waiting);
    github.set_time(60);
    assert_eq!(sweep(summit).await, waiting);
    assert_eq!(kept(summit).await, [1, 2, 3, 4, 5, 6]);
    let since = summit.missing().await.unwrap()[0].since;
    assert_eq!(since, at(0), "it is known since the first sweep");

    // One is back, and those that are left still wait.
    github.answers(only(&[1, 2, 3]));
    assert_eq!(sweep(summit).await, waiting[1..]);
    let unknown = summit.let_go_missing(&["snekbook/r1".to_owned()]).await;
    assert!(matches!(unknown, Err(LetGoError::NotMissing(_))));
}

#[tokio::test]
async fn all_repositories_at_once_wait_for_a_word() {
    let github = Double::start().await;
    let example = seen(&github, 2).await;
    github.answers(only(&[]));
    assert_eq!(sweep(&example.summit).await.len(), 2);
    assert_eq!(kept(&example.summit).await, [1, 2]);
}

#[tokio::test]
async fn a_word_ends_the_waiting_and_few_need_none() {
    let github = Double::start().await;
    let example = seen(&github, 8).await;
    let summit = &example.summit;
    github.answers(only(&[1, 2, 3, 4]));
    let waiting = sweep(summit).await;
    assert_eq!(waiting.len(), 4);
    summit.let_go_missing(&waiting).await.unwrap();
    assert_eq!(kept(summit).await, [1, 2, 3, 4]);
    assert!(sweep(summit).await.is_empty());

    github.answers(only(&[1]));
    assert!(sweep(summit).await.is_empty());
    assert_eq!(kept(summit).await, [1]);
}
