//! What people do by the forms: each as a browser sends it, with the webhooks that follow.

use forge::{Edit, PullState, Sha};
use serde_json::json;

use crate::bench::{Bench, REPOSITORY, git};
use crate::browser::Browser;

async fn write(bench: &Bench, branch: &str, file: &str, text: &str) -> Sha {
    let edits = [(file, Edit::Put(text.as_bytes().to_vec()))];
    bench
        .forge
        .commit(REPOSITORY, "maya", branch, &format!("Write {file}"), &edits)
        .await
        .unwrap()
}

/// A repository with a branch `topic` that is one commit ahead of `main`.
pub(crate) async fn with_topic(bench: &Bench) -> Sha {
    write(bench, "main", "a.txt", "one\n").await;
    let path = bench.forge.repository_path(REPOSITORY).unwrap();
    git(&path, &["branch", "topic", "main"]).await;
    write(bench, "topic", "b.txt", "two\n").await
}

/// A check run that has ended, with a button.
async fn ended_run(bench: &Bench, head: &Sha) {
    let run = json!({
        "name": "build", "head_sha": head, "conclusion": "action_required",
        "actions": [{ "label": "Allow", "description": "Builds it.", "identifier": "allow" }],
    });
    let path = format!("/repos/{REPOSITORY}/check-runs");
    let made = bench.post(&path, &bench.token().await, run).await;
    assert_eq!(made.status, 201, "{}", made.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_request_goes_from_its_form_to_the_merge() {
    let bench = Bench::start().await;
    let head = with_topic(&bench).await;
    let mut maya = Browser::signed_in(&bench, "maya").await;
    maya.open(&format!("/{REPOSITORY}/pulls/new")).await;
    let page = maya
        .press(
            "Open pull request",
            &[("title", "A change"), ("body", "Why **so**")],
        )
        .await;
    assert_eq!(
        (page.status, page.path.as_str()),
        (200, "/snekbook/recipes/pull/1")
    );
    assert!(page.html.contains("Why <strong>so</strong>"));
    let opened = &bench.receiver.wait("pull_request", 1).await[0].body;
    assert_eq!(opened["action"], "opened");
    assert_eq!(opened["sender"]["login"], "maya");
    assert_eq!(opened["pull_request"]["head"]["sha"], head.as_str());

    let page = maya
        .press("Comment", &[("body", "/rebuild\r\nplease")])
        .await;
    assert!(page.html.contains("/rebuild\nplease"));
    let said = &bench.receiver.wait("issue_comment", 1).await[0].body;
    assert_eq!(said["comment"]["body"], "/rebuild\nplease");

    maya.press("Close", &[]).await;
    assert!(!maya.page.has_button("Merge"));
    maya.press("Reopen", &[]).await;
    let page = maya.press("Merge", &[]).await;
    assert!(page.html.contains("merged it"), "{}", page.html);
    let hooks = bench.receiver.wait("pull_request", 4).await;
    let mut actions: Vec<_> = hooks
        .iter()
        .map(|hook| hook.body["action"].clone())
        .collect();
    actions.sort_by_key(ToString::to_string);
    assert_eq!(actions, ["closed", "closed", "opened", "reopened"]);
    let pull = bench.forge.find_pull(REPOSITORY, 1).unwrap();
    assert!(matches!(pull.state, PullState::Merged { .. }));
    bench.receiver.wait("push", 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_forks_and_opens_a_pull_request_from_there() {
    let bench = Bench::start().await;
    write(&bench, "main", "a.txt", "one\n").await;
    let mut rowan = Browser::signed_in(&bench, "rowan").await;
    rowan.open(&format!("/{REPOSITORY}/pulls/new")).await;
    assert!(
        rowan.page.html.contains("press Fork above"),
        "nothing to open one from"
    );
    rowan.open(&format!("/{REPOSITORY}")).await;
    let page = rowan.press("Fork", &[]).await;
    assert_eq!(page.path, "/rowan/recipes");
    assert!(!page.has_button("Fork"), "of one's own");
    rowan.open(&format!("/{REPOSITORY}")).await;
    assert_eq!(
        rowan.press("Fork", &[]).await.path,
        "/rowan/recipes",
        "the same"
    );

    let edits = [("b.txt", Edit::Put(b"two\n".to_vec()))];
    let made = bench
        .forge
        .commit("rowan/recipes", "rowan", "main", "Write b", &edits);
    made.await.unwrap();
    let page = rowan.open("/rowan/recipes/pulls/new?head=main").await;
    assert_eq!(
        page.form("Open pull request").action,
        "/snekbook/recipes/pulls"
    );
    let page = rowan
        .press("Open pull request", &[("title", "From a fork")])
        .await;
    assert_eq!(
        (page.status, page.path.as_str()),
        (200, "/snekbook/recipes/pull/1")
    );
    assert!(page.html.contains("rowan/recipes:main"));
    assert!(page.has_button("Close") && !page.has_button("Merge"));
    let opened = &bench.receiver.wait("pull_request", 1).await[0].body;
    assert_eq!(opened["pull_request"]["head"]["label"], "rowan:main");

    // Pressed again, the form says which one is there.
    rowan.open("/rowan/recipes/pulls/new?head=main").await;
    let page = rowan
        .press("Open pull request", &[("title", "Again")])
        .await;
    assert_eq!(page.status, 409);
    assert!(
        page.html
            .contains("already exists for rowan:main: it is #1")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_buttons_of_checks_are_pressed_and_commits_commented_on() {
    let bench = Bench::start().await;
    let head = with_topic(&bench).await;
    ended_run(&bench, &head).await;
    let mut maya = Browser::signed_in(&bench, "maya").await;
    maya.open(&format!("/{REPOSITORY}/commit/{head}/checks"))
        .await;
    let page = maya.press("Re-run", &[]).await;
    assert_eq!(
        (page.status, page.path.as_str()),
        (200, format!("/{REPOSITORY}/commit/{head}/checks").as_str())
    );
    maya.press("Allow", &[]).await;
    let hooks = bench.receiver.wait("check_run", 4).await;
    let asked = hooks
        .iter()
        .find(|hook| hook.body["action"] == "requested_action")
        .unwrap();
    assert_eq!(asked.body["requested_action"]["identifier"], "allow");
    assert_eq!(asked.body["sender"]["login"], "maya");
    assert!(
        hooks
            .iter()
            .any(|hook| hook.body["action"] == "rerequested")
    );
    maya.press("Re-run all checks", &[]).await;
    let suites = bench.receiver.wait("check_suite", 3).await;
    assert!(
        suites
            .iter()
            .any(|hook| hook.body["action"] == "rerequested")
    );

    maya.press("Comment", &[("body", "Looks `good`")]).await;
    assert!(maya.page.html.contains("Looks <code>good</code>"));
    let said = &bench.receiver.wait("commit_comment", 1).await[0].body;
    assert_eq!(said["comment"]["commit_id"], head.as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_neither_merges_nor_presses() {
    let bench = Bench::start().await;
    let head = with_topic(&bench).await;
    ended_run(&bench, &head).await;
    let mut maya = Browser::signed_in(&bench, "maya").await;
    maya.open(&format!("/{REPOSITORY}/pulls/new")).await;
    maya.press("Open pull request", &[("title", "A change")])
        .await;
    let run = bench.forge.check_runs(REPOSITORY)[0].clone();

    for login in ["rowan", "stranger"] {
        let mut browser = Browser::signed_in(&bench, login).await;
        browser.open(&format!("/{REPOSITORY}/pull/1")).await;
        for label in ["Merge", "Close", "Re-run", "Allow", "Re-run all checks"] {
            assert!(!browser.page.has_button(label), "{login} sees {label}");
        }
        let number = browser.form_number();
        let number = ("form_number", number.as_str());
        for (action, more) in [
            ("pull/1/merge".to_owned(), ("head", head.as_str())),
            ("pull/1/close".to_owned(), ("x", "")),
            (format!("check-runs/{}/rerun", run.id), ("x", "")),
            (
                format!("check-runs/{}/action", run.id),
                ("identifier", "allow"),
            ),
            (format!("check-suites/{}/rerun", run.suite), ("x", "")),
        ] {
            let page = browser
                .submit(&format!("/{REPOSITORY}/{action}"), &[number, more])
                .await;
            assert_eq!(page.status, 403, "{login} {action}");
            assert!(page.html.contains("needs the role"), "{}", page.html);
        }
    }
    let mut stranger = Browser::signed_in(&bench, "stranger").await;
    let number = stranger.form_number();
    for action in ["fork", "pull/1/comments", "pulls"] {
        let fields = [
            ("form_number", number.as_str()),
            ("body", "x"),
            ("head", "topic"),
            ("base", "main"),
            ("title", "x"),
        ];
        let page = stranger
            .submit(&format!("/{REPOSITORY}/{action}"), &fields)
            .await;
        assert_eq!(page.status, 403, "{action}");
    }
    assert!(bench.forge.find_pull(REPOSITORY, 1).unwrap().is_open());
    assert!(bench.forge.comments(REPOSITORY).is_empty());
    assert!(bench.forge.find_pull(REPOSITORY, 2).is_none());
    let sent = bench.forge.sent_webhooks();
    assert!(
        sent.iter()
            .all(|event| event.action.as_deref() != Some("rerequested"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn another_sites_form_does_nothing() {
    let bench = Bench::start().await;
    with_topic(&bench).await;
    let mut maya = Browser::signed_in(&bench, "maya").await;
    maya.open(&format!("/{REPOSITORY}/pulls/new")).await;
    maya.press("Open pull request", &[("title", "A change")])
        .await;
    let number = maya.form_number();
    let own = bench.forge.url().to_owned();
    let action = format!("/{REPOSITORY}/pull/1/comments");
    let fields = [("form_number", number.as_str()), ("body", "x")];
    for headers in [
        vec![("origin", "https://evil.example")],
        vec![("origin", "null")],
        vec![("origin", own.as_str()), ("sec-fetch-site", "cross-site")],
        vec![("sec-fetch-site", "same-site")],
        // The site's own name, made to point here: one origin with the forge, and not its name.
        vec![
            ("host", "evil.example"),
            ("origin", "http://evil.example"),
            ("sec-fetch-site", "same-origin"),
        ],
    ] {
        let page = maya.submit_from(&action, &fields, &headers).await;
        assert!(
            matches!(page.status, 403 | 421),
            "{headers:?}: {}",
            page.status
        );
    }
    let other = Browser::signed_in(&bench, "rowan").await.form_number();
    for number in ["", "00", other.as_str()] {
        let fields = [("form_number", number), ("body", "x")];
        assert_eq!(
            maya.submit(&action, &fields).await.status,
            403,
            "{number:?}"
        );
    }
    assert_eq!(maya.submit(&action, &[("body", "x")]).await.status, 403);
    let mut nobody = Browser::new(&bench);
    assert_eq!(
        nobody.submit(&action, &fields).await.status,
        401,
        "signed out"
    );
    assert!(bench.forge.comments(REPOSITORY).is_empty());
    // The same form from the forge's own page is taken, by either name of the machine.
    let port = own.rsplit(':').next().unwrap();
    let (host, origin) = (
        format!("localhost:{port}"),
        format!("http://localhost:{port}"),
    );
    maya.submit_from(&action, &fields, &[("host", &host), ("origin", &origin)])
        .await;
    assert_eq!(bench.forge.comments(REPOSITORY).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_form_is_said() {
    let bench = Bench::start().await;
    let head = with_topic(&bench).await;
    let mut maya = Browser::signed_in(&bench, "maya").await;
    maya.open(&format!("/{REPOSITORY}/pulls/new")).await;
    let page = maya.press("Open pull request", &[("title", "  ")]).await;
    assert_eq!(page.status, 409);
    assert!(page.html.contains("needs a title"));
    maya.open(&format!("/{REPOSITORY}/pulls/new")).await;
    maya.press("Open pull request", &[("title", "A change")])
        .await;
    assert_eq!(maya.press("Comment", &[("body", " ")]).await.status, 422);
    maya.open(&format!("/{REPOSITORY}/pull/1")).await;
    let long = "x".repeat(65_537);
    assert_eq!(maya.press("Comment", &[("body", &long)]).await.status, 422);

    // What was pushed after the page was loaded is not merged unseen.
    maya.open(&format!("/{REPOSITORY}/pull/1")).await;
    write(&bench, "topic", "c.txt", "three\n").await;
    let page = maya.press("Merge", &[]).await;
    assert_eq!(page.status, 409);
    assert!(page.html.contains("was moved"));
    assert!(bench.forge.find_pull(REPOSITORY, 1).unwrap().is_open());

    write(&bench, "main", "b.txt", "other\n").await;
    maya.open(&format!("/{REPOSITORY}/pull/1")).await;
    assert!(maya.page.html.contains("It conflicts with its base"));
    assert!(!maya.page.has_button("Merge"));
    let number = maya.form_number();
    let newest = bench.forge.find_pull(REPOSITORY, 1).unwrap().head.sha;
    let fields = [("form_number", number.as_str()), ("head", newest.as_str())];
    let page = maya
        .submit(&format!("/{REPOSITORY}/pull/1/merge"), &fields)
        .await;
    assert_eq!(page.status, 409);
    assert!(page.html.contains("conflicts with its base"));

    let fields = [("form_number", number.as_str()), ("body", "x")];
    let page = maya
        .submit(&format!("/{REPOSITORY}/commit/{head}0/comments"), &fields)
        .await;
    assert_eq!(page.status, 404);
    let page = maya
        .submit(&format!("/{REPOSITORY}/check-runs/1/rerun"), &fields)
        .await;
    assert_eq!(page.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_made_shown_once_and_works() {
    let bench = Bench::start_with(|config, _| {
        let user = forge::config::User {
            token: Some("chosen by the configuration".into()),
        };
        config.users.insert("kim".to_owned(), user);
    })
    .await;
    with_topic(&bench).await;
    let mut maya = Browser::signed_in(&bench, "maya").await;
    maya.open("/-/tokens").await;
    let token = maya
        .press("Make a token", &[])
        .await
        .text_of("token")
        .to_owned();
    assert!(token.starts_with("ghp_"), "{token}");
    assert!(
        !maya.open("/-/tokens").await.html.contains(&token),
        "shown once"
    );
    let user = bench.get("/user", &token).await;
    assert_eq!(user.body["login"], "maya");
    let host = bench.forge.url().split_once("://").unwrap().1;
    let url = format!("http://maya:{token}@{host}/{REPOSITORY}.git");
    let output = git(bench.folder.path(), &["clone", "--quiet", &url, "clone"]).await;
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );

    // Whoever is signed in by their name has the line that clones with the token of the
    // configuration; nobody else sees it.
    let page = format!("/{REPOSITORY}");
    assert!(!maya.open(&page).await.html.contains("chosen"));
    let mut kim = Browser::signed_in(&bench, "kim").await;
    let html = &kim.open(&page).await.html;
    assert!(html.contains(&format!(
        "http://kim:chosen%20by%20the%20configuration@{host}/{REPOSITORY}.git"
    )));
    let mut nobody = Browser::new(&bench);
    assert!(
        nobody
            .open(&page)
            .await
            .html
            .contains("your login and your token")
    );

    maya.press("Sign out", &[]).await;
    assert!(!maya.page.html.contains("Sign out"));
    assert!(
        maya.open("/-/tokens")
            .await
            .html
            .contains("<h1>Sign in</h1>")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn off_loopback_a_name_is_not_enough() {
    let bench = Bench::start_with(|config, _| {
        config.public_url = Some("https://forge.example".parse().unwrap());
        let user = forge::config::User {
            token: Some("kims-token".into()),
        };
        config.users.insert("kim".to_owned(), user);
    })
    .await;
    bench
        .forge
        .set_role(REPOSITORY, "kim", forge::Role::Read)
        .unwrap();
    let address = bench.address;
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let at = |path: &str| format!("http://{address}{path}");
    let get = |path: &str| client.get(at(path)).header("host", "forge.example");
    for path in ["/", "/snekbook/recipes", "/-/sign-in"] {
        let answer = client.get(at(path)).send().await.unwrap();
        assert_eq!(answer.status(), 421, "{path} by another name");
    }
    let answer = get("/").send().await.unwrap();
    assert_eq!(answer.status(), 303);
    assert_eq!(answer.headers()["location"], "/-/sign-in?then=%2F");
    assert_eq!(get("/snekbook/recipes").send().await.unwrap().status(), 404);

    let answer = get("/-/sign-in").send().await.unwrap();
    let cookie = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.ends_with("; Secure"), "{cookie}");
    let html = answer.text().await.unwrap();
    assert!(!html.contains("<select"), "no names");
    let (_, number) = html.split_once("name=\"form_number\" value=\"").unwrap();
    let number = number.split('"').next().unwrap();
    let send = |field: &str| {
        client
            .post(at("/-/sign-in"))
            .header("host", "forge.example")
            .header("origin", "https://forge.example")
            .header("cookie", cookie.split(';').next().unwrap())
            .header("content-type", "application/x-www-form-urlencoded")
            .body(format!("form_number={number}&{field}"))
    };
    assert_eq!(send("login=kim").send().await.unwrap().status(), 403);
    assert_eq!(send("token=wrong").send().await.unwrap().status(), 403);
    let answer = send("token=kims-token&then=%2Fsnekbook%2Frecipes")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 303);
    assert_eq!(answer.headers()["location"], "/snekbook/recipes");
    let given = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert_ne!(given, cookie, "a new cookie");
    let page = get("/snekbook/recipes").header("cookie", given.split(';').next().unwrap());
    let html = page.send().await.unwrap().text().await.unwrap();
    assert!(html.contains("Signed in as <strong>kim</strong>"));
    assert!(
        !html.contains("kims-token"),
        "not shown where others can reach the page"
    );
    assert_eq!(
        get("/snekbook/recipes")
            .basic_auth("kim", Some("kims-token"))
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
}
