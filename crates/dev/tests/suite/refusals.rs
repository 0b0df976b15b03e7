//! What goes wrong is told, with an exit status that is not zero.

use std::fs;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::program;

const LIMIT: Duration = Duration::from_secs(120);

#[tokio::test]
async fn an_unknown_name_is_refused_before_anything_starts() {
    let output = program::run(&["--once", "--only", "sneksay,python"], LIMIT).await;
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        program::stderr(&output),
        "error: there is no recipe `python`; there are: snekcoil, sneksay\n"
    );
}

#[tokio::test]
async fn a_folder_of_somebody_else_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("thesis"), "").unwrap();
    let output = program::run(
        &["--once", "--data", folder.path().to_str().unwrap()],
        LIMIT,
    )
    .await;
    assert_eq!(output.status.code(), Some(1));
    let said = program::stderr(&output);
    assert!(said.contains("was not made by snekbook-dev"), "{said}");
    assert!(folder.path().join("thesis").exists());
}

#[tokio::test]
async fn an_archive_that_is_not_there_is_told_before_and_while_it_is_tried_for() {
    let folder = program::folder();
    let recipes = folder.path().join("recipes/distant");
    fs::create_dir_all(&recipes).unwrap();
    fs::create_dir(folder.path().join("distfiles")).unwrap();
    let hash = "0".repeat(64);
    let recipe = format!(
        "name: distant\nversion: \"1\"\nrelease: 1\nhomepage: https://snekbook.invalid/\n\
         license: MPL-2.0\nsummary: Cannot be fetched\ndescription: It cannot.\n\
         upstreams:\n    - https://snekbook.invalid/distant-1.tar.gz: {hash}\n\
         install: |\n    true\n"
    );
    fs::write(recipes.join("stone.yaml"), recipe).unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let arguments = [
        "--recipes",
        &path("recipes"),
        "--distfiles",
        &path("distfiles"),
        "--data",
        &path("data"),
    ];
    let mut child = program::command(&arguments).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut said = Vec::new();
    let lost = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            let is_lost = line.contains("queued  distant 1-1") && line.contains("again: ");
            said.push(line);
            if is_lost {
                return;
            }
        }
    };
    let in_time = tokio::time::timeout(LIMIT, lost).await;
    assert!(in_time.is_ok(), "{}", said.join("\n"));
    let last = said.last().unwrap();
    // Between two looks an attempt can be lost and the next one begun.
    assert!(last.contains("was lost: cannot fetch"), "{last}");
    let warning = format!("  distant: {hash}, from https://snekbook.invalid/distant-1.tar.gz");
    assert!(said.contains(&warning), "{}", said.join("\n"));
    // All of it goes with the test.
    child.kill().await.unwrap();
}

#[tokio::test]
async fn a_failing_build_ends_with_its_reason_and_the_end_of_its_log() {
    let folder = tempfile::tempdir().unwrap();
    let recipes = folder.path().join("recipes/broken");
    fs::create_dir_all(&recipes).unwrap();
    fs::create_dir(folder.path().join("distfiles")).unwrap();
    fs::write(
        recipes.join("stone.yaml"),
        "name: broken\nversion: \"1\"\nrelease: 1\nhomepage: https://snekbook.invalid/\n\
         license: MPL-2.0\nsummary: Fails\ndescription: It fails.\ntoolchain: gnu\n\
         install: |\n    echo about to fail\n    exit 3\n",
    )
    .unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let arguments = [
        "--once",
        "--json",
        "--recipes",
        &path("recipes"),
        "--distfiles",
        &path("distfiles"),
    ];
    let output = program::run(&arguments, LIMIT).await;
    let said = program::stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("about to fail"), "{said}");
    let wanted = "Not everything is published: broken 1-1 is failed in phase install";
    assert!(said.contains(wanted), "{said}");
    let end: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(end["published"], false);
    assert_eq!(end["check_runs"][0]["conclusion"], "failure");
    assert_eq!(end["history"], serde_json::Value::Null);
    let reason = end["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("broken 1-1 is failed in phase install"),
        "{reason}"
    );
}
