//! Accounts of other Apps.

use forge::{Kind, Role};
use serde_json::json;

use crate::bench::{Bench, REPOSITORY, git};

const BOT: &str = "renovate[bot]";

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_pushes_and_nobody_learns_that_it_may() {
    let bench = Bench::start().await;
    bench.work_tree("maya").await.push("main").await;
    let id = bench.forge.create_bot("renovate").unwrap();
    let account = bench.forge.find_account(BOT).unwrap();
    assert_eq!((account.id, account.kind), (id, Kind::Bot));
    assert!(bench.forge.create_bot("renovate").is_err(), "it is there");
    assert!(bench.forge.create_bot("summit").is_err(), "the App's own");
    assert!(bench.forge.create_user("other[bot]").is_err(), "no person");

    bench.forge.set_role(REPOSITORY, BOT, Role::Write).unwrap();
    let token = bench.user_token(BOT);
    let url = bench.forge.push_url(REPOSITORY, BOT).unwrap();
    let tree = bench.folder.path().join("renovate");
    let folder = tree.to_str().unwrap();
    for arguments in [
        &["clone", "--quiet", &url, folder][..],
        &[
            "-C",
            folder,
            "commit",
            "--allow-empty",
            "--quiet",
            "-m",
            "Raise",
        ],
        &[
            "-C",
            folder,
            "push",
            "--quiet",
            "origin",
            "HEAD:renovate/lz4",
        ],
    ] {
        let done = git(bench.folder.path(), arguments).await;
        assert!(done.status.success(), "{done:?}");
    }
    let pushes = bench.receiver.wait("push", 2).await;
    let push = pushes
        .iter()
        .find(|hook| hook.body["sender"]["login"] == BOT);
    assert_eq!(push.unwrap().body["sender"]["type"], "Bot");

    let pulls = format!("/repos/{REPOSITORY}/pulls");
    let new = json!({ "title": "Raise lz4", "head": "renovate/lz4", "base": "main" });
    let pull = bench.post(&pulls, &token, new).await;
    assert_eq!(pull.status, 201, "{}", pull.body);
    assert_eq!(pull.body["user"]["type"], "Bot");
    assert_eq!(pull.body["user"]["id"], id.number());

    let token = bench.token().await;
    for login in [BOT, "summit[bot]", "stranger"] {
        let path = format!("/repos/{REPOSITORY}/collaborators/{login}/permission");
        let answer = bench.get(&path, &token).await;
        assert_eq!(answer.status, 200, "{login}");
        assert_eq!(answer.body["permission"], "none", "{login}");
        assert_eq!(answer.body["role_name"], "none", "{login}");
        assert_eq!(answer.body["user"]["permissions"]["push"], false, "{login}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_is_configured_with_its_token() {
    let bench = Bench::start_with(|config, _| {
        let token = Some("chosen".to_owned().into());
        let bot = forge::config::User { token };
        config.bots.insert("renovate".to_owned(), bot);
    })
    .await;
    let own = bench.get("/user", "chosen").await;
    assert_eq!(own.body["login"], BOT);
}
