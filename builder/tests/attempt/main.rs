//! Attempts from the order to the assets, over HTTP and with a real git server.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bench;
mod containment;
mod corpus;
mod killed;
mod limits;
mod sources;

use std::time::Duration;

use api::attempt::{AssetKind, ClosureStone, Credentials, Failure, Order, Phase, Reason, State};
use api::claims::Scope;
use api::host::{Lookup, LookupAnswer, Status};
use api::id::{AttemptId, BuildId, Sha256};
use api::problem::Code;
use axum::http::StatusCode;
use bench::{Bench, TOKEN, archive, fetch, path};
use bytes::Bytes;
use futures_util::StreamExt as _;
use moss_format::package::Package;
use reqwest::Method;
use service::client::CallError;

/// A program of one file.
pub(crate) fn program_archive() -> Vec<u8> {
    archive(&[
        ("tool-1.0/tool.c", "int main(void) { return 0; }\n"),
        (
            "tool-1.0/Makefile",
            "all: tool\ninstall:\n\tinstall -Dm755 tool $(DESTDIR)/usr/bin/tool\n",
        ),
    ])
}

/// A recipe with these keys after the ones that every recipe has.
pub(crate) fn recipe(rest: &str) -> String {
    format!(
        "name: tool\nversion: \"1.0\"\nrelease: 1\nhomepage: https://example.org\n\
         license: MPL-2.0\nsummary: A tool\ndescription: A tool\n{rest}"
    )
}

fn program_recipe(bench: &Bench) -> String {
    let (_, sha256) = bench.put(&program_archive());
    recipe(&format!(
        "upstreams:\n    - https://upstream.invalid/tool-1.0.tar.gz: {sha256}\n\
         toolchain: gnu\nbuild: |\n    %make\ninstall: |\n    %make_install\n"
    ))
}

pub(crate) fn failure(state: State) -> Failure {
    match state {
        State::Failed { failure, .. } => failure,
        State::Accepted { .. }
        | State::Running { .. }
        | State::Succeeded { .. }
        | State::Cancelled { .. }
        | State::Expired { .. } => panic!("not failed: {state:?}"),
    }
}

/// An order whose build runs until it is stopped.
pub(crate) fn endless(bench: &Bench, name: &str) -> Order {
    let recipe = recipe("build: |\n    echo up\n    sleep 7200\ninstall: |\n    true\n");
    bench.repository(name, &[("tool/stone.yaml", &recipe)])
}

pub(crate) fn is_building(state: &State) -> bool {
    matches!(
        state,
        State::Running {
            phase: Phase::Build,
            ..
        }
    )
}

pub(crate) fn new_id() -> AttemptId {
    AttemptId::new(BuildId::new(), 1)
}

#[tokio::test]
async fn an_order_becomes_assets_that_anyone_can_fetch() {
    let bench = Bench::new().await;
    let order = bench.repository("recipes", &[("tool/stone.yaml", &program_recipe(&bench))]);
    let (id, state) = bench.build(&order).await;
    let log = bench.log(id).await;
    let State::Succeeded { assets, .. } = state else {
        panic!("{state:?}\n{log}")
    };
    let kinds: Vec<(AssetKind, &str)> = assets
        .iter()
        .map(|asset| (asset.kind, asset.file_name.as_str()))
        .collect();
    assert_eq!(
        kinds,
        [
            (AssetKind::Stone, "tool-1.0-1-1-x86_64.stone"),
            (AssetKind::Stone, "tool-dbginfo-1.0-1-1-x86_64.stone"),
            (AssetKind::Manifest, "manifest.x86_64.bin"),
            (AssetKind::ManifestText, "manifest.x86_64.jsonc"),
        ]
    );
    for asset in &assets {
        let (status, bytes) = fetch(&asset.uri).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(
            (Sha256::of(&bytes), bytes.len() as u64),
            (asset.sha256, asset.size)
        );
    }
    let stone = fetch(&assets[0].uri).await.1;
    let package = Package::open(std::io::Cursor::new(&stone)).unwrap();
    assert_eq!(package.layout()[0].target, "bin/tool");

    // Ranges, for fetches that are taken up again.
    let part = reqwest::Client::new()
        .get(assets[0].uri.clone())
        .header("range", "bytes=4-")
        .send()
        .await
        .unwrap();
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.bytes().await.unwrap(), stone[4..]);

    insta::with_settings!({filters => vec![
        (r"127\.0\.0\.1:\d+", "[address]"),
        (r"\b[0-9a-f]{64}\b", "[sha256]"),
        (r"\b[0-9a-f]{40}\b", "[commit]"),
        (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "[time]"),
        (r"\d+ bytes", "[n] bytes"),
        (r"-j \S+", "-j [jobs]"),
        (r"(\w+) \d+ \((?:measured|resource limit|control group)\)", "$1 [n] ([holder])"),
    ]}, { insta::assert_snapshot!(log); });
    let reports = bench.reports();
    assert!(
        reports
            .last()
            .is_some_and(|attempt| attempt.state.is_final()),
        "{reports:?}"
    );

    let released = format!("{}/release", path(id));
    let _: api::attempt::Attempt = bench
        .client
        .post(Scope::Attempts, &released, &())
        .await
        .unwrap();
    assert_eq!(fetch(&assets[0].uri).await.0, StatusCode::NOT_FOUND);
    assert!(bench.read(id, 0).await.state.is_final(), "the record stays");
    bench.end().await;
}

#[tokio::test]
async fn the_same_order_again_is_the_same_attempt_and_another_is_a_conflict() {
    let bench = Bench::new().await;
    let mut order = endless(&bench, "recipes");
    order.git_ref = "refs/heads/absent".to_owned();
    order.commit = "0123456789012345678901234567890123456789".parse().unwrap();
    let id = new_id();
    let (first, second) = tokio::join!(bench.order(id, &order), bench.order(id, &order));
    assert_eq!(first.unwrap().id, second.unwrap().id);
    let failure = failure(bench.until(id, State::is_final).await.state);
    assert_eq!(
        (failure.phase, failure.reason),
        (Phase::Clone, Reason::CloneFailed)
    );
    let again = bench.order(id, &order).await.unwrap();
    assert!(again.state.is_final());
    order.build_release = 2;
    let refused = bench.order(id, &order).await.unwrap_err();
    assert_eq!(refused.find_status(), Some(409), "{refused}");
    bench.end().await;
}

#[tokio::test]
async fn a_wrong_hash_fails_with_both_hashes() {
    let bench = Bench::new().await;
    let (url, actual) = bench.put(b"not what the recipe says");
    let expected = Sha256::of(b"what the recipe says");
    let recipe = recipe(&format!(
        "upstreams:\n    - {url}: {expected}\ninstall: |\n    true\n"
    ));
    let order = bench.repository("recipes", &[("tool/stone.yaml", &recipe)]);
    let (id, state) = bench.build(&order).await;
    let failure = failure(state);
    assert_eq!(failure.phase, Phase::Fetch);
    assert_eq!(
        failure.reason,
        Reason::HashMismatch {
            url: url.to_string(),
            expected,
            actual
        }
    );
    assert!(
        failure.message.contains(&expected.to_string()),
        "{}",
        failure.message
    );
    assert!(
        failure.message.contains(&actual.to_string()),
        "{}",
        failure.message
    );
    assert!(bench.log(id).await.contains("==> failed in fetch"));
    bench.end().await;
}

#[tokio::test]
async fn bad_recipes_fail_with_their_line() {
    let bench = Bench::new().await;
    let cases = [
        ("unparsable", recipe("build: |\n    true\n   : [\n"), None),
        (
            "macro",
            recipe("install: |\n    true\n    %no_such_action\n"),
            Some(10),
        ),
        (
            "misnamed",
            recipe("install: |\n    true\n").replace("name: tool", "name: other"),
            Some(1),
        ),
    ];
    for (name, text, line) in cases {
        let order = bench.repository(name, &[("tool/stone.yaml", &text)]);
        let failure = failure(bench.build(&order).await.1);
        let Reason::RecipeInvalid { line: Some(found) } = failure.reason else {
            panic!("{name}: {failure:?}");
        };
        assert!(
            line.is_none_or(|line| line == found),
            "{name}: {found} {}",
            failure.message
        );
    }
    // A recipe that is a link would be read from the builder's own files.
    let order = bench.repository("link", &[("other", "x")]);
    std::fs::create_dir(bench.folder.path().join("git/link/tool")).unwrap();
    std::os::unix::fs::symlink(
        "/etc/passwd",
        bench.folder.path().join("git/link/tool/stone.yaml"),
    )
    .unwrap();
    bench.git("link", &["add", "."]);
    bench.git("link", &["commit", "--quiet", "--message", "A link"]);
    let commit = bench
        .git("link", &["rev-parse", "HEAD"])
        .trim()
        .parse()
        .unwrap();
    let failure = failure(bench.build(&Order { commit, ..order }).await.1);
    assert_eq!(failure.reason, Reason::CloneFailed);
    assert!(
        failure.message.contains("is no file"),
        "{}",
        failure.message
    );
    bench.end().await;
}

#[tokio::test]
async fn a_failing_script_fails_its_phase() {
    let bench = Bench::new().await;
    let text = recipe("build: |\n    echo 'about to fail'\n    exit 3\ninstall: |\n    true\n");
    let order = bench.repository("recipes", &[("tool/stone.yaml", &text)]);
    let (id, state) = bench.build(&order).await;
    let failure = failure(state);
    assert_eq!(failure.phase, Phase::Build);
    assert_eq!(
        failure.reason,
        Reason::ScriptFailed {
            exit_status: Some(3)
        }
    );
    let log = bench.log(id).await;
    assert!(
        log.contains("about to fail") && !log.contains("==> install"),
        "{log}"
    );
    let needy = Order {
        host_needs: vec!["binary(no-such-program)".to_owned()],
        ..order
    };
    let lacking = self::failure(bench.build(&needy).await.1);
    let missing = vec!["binary(no-such-program)".to_owned()];
    assert_eq!(lacking.reason, Reason::HostLacks { missing });
    bench.end().await;
}

#[tokio::test]
async fn an_old_commit_is_found_and_only_with_the_token_which_is_nowhere_kept() {
    let bench = Bench::new().await;
    let text =
        recipe("install: |\n    install -Dm644 /dev/null %(installroot)/usr/share/x\n    env\n");
    let order = bench.repository("private/recipes", &[("tool/stone.yaml", &text)]);
    std::fs::write(
        bench
            .folder
            .path()
            .join("git/private/recipes/tool/stone.yaml"),
        "no recipe",
    )
    .unwrap();
    bench.git(
        "private/recipes",
        &["commit", "--quiet", "--all", "--message", "Break it"],
    );
    let refused = failure(bench.build(&order).await.1);
    assert_eq!(refused.reason, Reason::CloneFailed, "{}", refused.message);
    let credentials = Some(Credentials {
        token: TOKEN.to_owned().into(),
    });
    let (id, state) = bench
        .build(&Order {
            credentials,
            ..order.clone()
        })
        .await;
    let log = bench.log(id).await;
    assert!(matches!(state, State::Succeeded { .. }), "{state:?}\n{log}");
    let wrong = Some(Credentials {
        token: "ghs_wrong_wrong_wrong".to_owned().into(),
    });
    let refused = failure(
        bench
            .build(&Order {
                credentials: wrong,
                ..order
            })
            .await
            .1,
    );
    assert_eq!(refused.reason, Reason::CloneFailed, "{}", refused.message);
    let mut looked_at = 0;
    for entry in walkdir::WalkDir::new(bench.data()) {
        let entry = entry.unwrap();
        if entry.file_type().is_file() {
            let bytes = std::fs::read(entry.path()).unwrap();
            let found = bytes
                .windows(TOKEN.len())
                .any(|window| window == TOKEN.as_bytes());
            assert!(!found, "the token is in {}", entry.path().display());
            looked_at += 1;
        }
    }
    assert!(looked_at > 3, "the data folder has files");
    bench.end().await;
}

#[tokio::test]
async fn a_closure_stone_supplies_what_the_host_lacks() {
    let bench = Bench::new().await;
    let library = recipe(
        "toolchain: gnu\nbuild: |\n    echo 'int zephyr(void) { return 42; }' > z.c\n    \
         gcc -shared -fPIC -Wl,-soname,libzephyr.so.1 z.c -o libzephyr.so.1\ninstall: |\n    \
         install -Dm755 libzephyr.so.1 -t %(installroot)%(libdir)\n    \
         ln -s libzephyr.so.1 %(installroot)%(libdir)/libzephyr.so\n    \
         install -d %(installroot)%(libdir)/pkgconfig\n    \
         printf 'Name: z\\nDescription: z\\nVersion: 1\\nLibs: -lzephyr\\n' \
         > %(installroot)%(libdir)/pkgconfig/zephyr.pc\n"
            .replace("%s", "%%s")
            .as_str(),
    );
    let order = bench.repository("library", &[("tool/stone.yaml", &library)]);
    let (id, state) = bench.build(&order).await;
    let State::Succeeded { assets, .. } = state else {
        panic!("{state:?}\n{}", bench.log(id).await)
    };
    let closure: Vec<ClosureStone> = assets
        .iter()
        .filter(|asset| asset.kind == AssetKind::Stone)
        .map(|asset| ClosureStone {
            package: asset.file_name.to_string(),
            url: asset.uri.clone(),
            sha256: asset.sha256,
            size: asset.size,
        })
        .collect();
    assert!(
        closure.len() >= 2,
        "a library and its devel package: {closure:?}"
    );
    let program = recipe(
        "toolchain: gnu\nbuilddeps:\n    - pkgconfig(zephyr)\nbuild: |\n    \
         echo 'int zephyr(void); int main(void) { return zephyr() != 42; }' > main.c\n    \
         gcc main.c -o tool -lzephyr\n    ./tool\ninstall: |\n    \
         install -Dm755 tool -t %(installroot)%(bindir)\n",
    );
    let order = bench.repository("program", &[("tool/stone.yaml", &program)]);
    let without = failure(bench.build(&order).await.1);
    assert_eq!(
        (without.phase, without.reason.is_transient()),
        (Phase::Build, false)
    );
    let (id, state) = bench.build(&Order { closure, ..order }).await;
    let log = bench.log(id).await;
    let State::Succeeded { assets, .. } = state else {
        panic!("{state:?}\n{log}")
    };
    let stone = fetch(&assets[0].uri).await.1;
    let package = Package::open(std::io::Cursor::new(&stone)).unwrap();
    let needs = "soname(libzephyr.so.1(x86_64))".parse().unwrap();
    assert!(
        package.meta().depends.contains(&needs),
        "{:?}",
        package.meta().depends
    );
    bench.end().await;
}

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
    let status: Status = bench
        .client
        .get(Scope::Status, "api/v1/status")
        .await
        .unwrap();
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

#[tokio::test]
async fn what_is_no_request_is_answered_and_nothing_happens() {
    let bench = Bench::new().await;
    let send = |method, scope, path: String, body: &'static str| {
        let client = bench.client.clone();
        async move { client.send(method, scope, &path, Bytes::from(body)).await }
    };
    let id = path(new_id());
    let cases = [
        (
            send(Method::PUT, Scope::Attempts, id.clone(), "no json").await,
            Code::Malformed,
        ),
        (
            send(Method::PUT, Scope::Attempts, id.clone(), "{\"extra\": 1}").await,
            Code::Malformed,
        ),
        (
            send(
                Method::GET,
                Scope::Attempts,
                "api/v1/attempts/x".to_owned(),
                "",
            )
            .await,
            Code::Malformed,
        ),
        (
            send(Method::GET, Scope::Attempts, id.clone(), "").await,
            Code::NotFound,
        ),
        (
            send(Method::GET, Scope::Attempts, format!("{id}/log"), "").await,
            Code::NotFound,
        ),
        (
            send(Method::GET, Scope::Attempts, format!("{id}?after=x"), "").await,
            Code::Malformed,
        ),
        (
            send(Method::GET, Scope::Status, id.clone(), "").await,
            Code::Forbidden,
        ),
    ];
    for (answer, expected) in cases {
        match answer {
            Err(CallError::Refused { problem, .. }) => assert_eq!(problem.code, expected),
            other => panic!("{other:?} instead of {expected}"),
        }
    }
    let health = bench.running.public_url.join("health").unwrap();
    assert_eq!(fetch(&health).await, (StatusCode::OK, b"ok\n".to_vec()));
    let above = bench
        .running
        .public_url
        .join("assets/..%2fdatabase%2fdata.mdb")
        .unwrap();
    assert_eq!(fetch(&above).await.0, StatusCode::NOT_FOUND);
    let lookup = Lookup {
        dependencies: vec!["make".to_owned(), "absent".to_owned()],
    };
    let answer: LookupAnswer = bench
        .client
        .post(Scope::Status, "api/v1/host/lookup", &lookup)
        .await
        .unwrap();
    assert_eq!(answer.missing, ["absent"]);
    bench.end().await;
}

#[tokio::test]
async fn the_log_is_followed_as_events() {
    let bench = Bench::new().await;
    let order = endless(&bench, "recipes");
    let id = new_id();
    bench.order(id, &order).await.unwrap();
    let follow = format!("{}/log/events", path(id));
    let answer = bench
        .client
        .send(Method::GET, Scope::Attempts, &follow, Bytes::new())
        .await
        .unwrap();
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let mut events = answer.bytes_stream();
    let mut text = String::new();
    let mut cancelled = false;
    while let Some(bytes) = events.next().await {
        text.push_str(std::str::from_utf8(&bytes.unwrap()).unwrap());
        if text.contains("+ echo up") && !cancelled {
            let _: api::attempt::Attempt = bench
                .client
                .delete(Scope::Attempts, &path(id))
                .await
                .unwrap();
            cancelled = true;
        }
    }
    let log = bench.log(id).await;
    let followed: String = text
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .filter(|data| *data != "complete")
        .map(|data| serde_json::from_str::<String>(data).unwrap())
        .collect();
    assert_eq!(followed, log);
    let end = format!("id: {}\nevent: end\ndata: complete", log.len());
    assert!(text.trim_end().ends_with(&end), "{text}");
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
        let work = bench.folder.path().join("work").join(id.to_string());
        users.push(work.join("build").metadata().unwrap().uid());
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
