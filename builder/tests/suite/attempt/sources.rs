//! Where a build's sources come from: TLS with an authority of one's own, git, the network.

use api::attempt::{Credentials, Network, Order, Phase, Reason, State};
use api::id::Sha256;

use super::bench::{Bench, TOKEN};
use super::{failure, program_archive, recipe};

#[tokio::test]
async fn a_configured_authority_opens_clones_and_fetches_over_tls() {
    let trusting = Bench::with("ca_file = \"{ca}\"").await;
    let strange = Bench::new().await;
    for (bench, trusts) in [(&trusting, true), (&strange, false)] {
        let archive = program_archive();
        let (url, sha256) = bench.put(&archive);
        let url = bench.secure.join(url.path()).unwrap();
        let text = recipe(&format!(
            "upstreams:\n    - {url}?not-a-mirror: {sha256}\ntoolchain: gnu\nbuild: |\n    %make\n\
             install: |\n    %make_install\n"
        ));
        let mut order = bench.repository("recipes", &[("tool/stone.yaml", &text)]);
        order.clone_url = bench.secure.join(order.clone_url.path()).unwrap();
        let (id, state) = bench.build(&order).await;
        if trusts {
            let log = bench.log(id).await;
            assert!(matches!(state, State::Succeeded { .. }), "{state:?}\n{log}");
        } else {
            let failure = failure(state);
            assert_eq!(failure.reason, Reason::CloneFailed);
            assert!(
                failure.message.contains("certificate"),
                "{}",
                failure.message
            );
        }
    }
    trusting.end().await;
    strange.end().await;
}

#[tokio::test]
async fn a_git_upstream_is_cloned_at_its_ref_with_its_tags() {
    let bench = Bench::new().await;
    bench.repository("upstream", &[("hello", "first\n")]);
    bench.git(
        "upstream",
        &["tag", "--annotate", "--message", "One", "v1.0"],
    );
    let commit = bench.git("upstream", &["rev-parse", "HEAD"]);
    std::fs::write(bench.folder.path().join("git/upstream/hello"), "second\n").unwrap();
    bench.git(
        "upstream",
        &["commit", "--quiet", "--all", "--message", "More"],
    );
    let url = bench.base.join("git/upstream/.git").unwrap();
    for (name, reference, content) in [
        ("tag", "v1.0", "first"),
        ("branch", "main", "second"),
        ("commit", commit.trim(), "first"),
    ] {
        let text = recipe(&format!(
            "upstreams:\n    - git|{url}:\n        ref: {reference}\n        clonedir: source\n\
             build: |\n    grep -q {content} hello\n    test -d .git\n    test -f .git/refs/tags/v1.0\n\
             install: |\n    install -Dm644 hello -t %(installroot)/usr/share/hello\n"
        ));
        let order = bench.repository(name, &[("tool/stone.yaml", &text)]);
        let (id, state) = bench.build(&order).await;
        let log = bench.log(id).await;
        assert!(
            matches!(state, State::Succeeded { .. }),
            "{reference}: {state:?}\n{log}"
        );
    }
    let text = recipe(&format!(
        "upstreams:\n    - git|{url}: no-such-ref\ninstall: |\n    true\n"
    ));
    let order = bench.repository("absent", &[("tool/stone.yaml", &text)]);
    let failure = failure(bench.build(&order).await.1);
    assert_eq!(
        failure.reason,
        Reason::FetchFailed {
            url: url.to_string()
        },
        "{}",
        failure.message
    );
    bench.end().await;
}

#[tokio::test]
async fn a_source_that_no_server_has_is_missing_for_good() {
    let bench = Bench::new().await;
    let absent = bench.base.join("files/absent").unwrap();
    let text = recipe(&format!(
        "upstreams:\n    - {absent}: {}\ninstall: |\n    true\n",
        Sha256::of(b"absent")
    ));
    let order = bench.repository("recipes", &[("tool/stone.yaml", &text)]);
    let failure = failure(bench.build(&order).await.1);
    let url = absent.to_string();
    assert!(
        failure
            .message
            .starts_with(&format!("cannot fetch {url}: ")),
        "{}",
        failure.message
    );
    assert_eq!(failure.reason, Reason::SourceMissing { url });
    assert!(!failure.reason.is_transient());
    bench.end().await;
}

#[tokio::test]
async fn only_networking_reaches_the_network() {
    let open = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = open.local_addr().unwrap().port();
    let bench = Bench::with(&format!(
        "sandbox.networking = \"host\"\nsandbox.networking_ports = [{port}]"
    ))
    .await;
    let control = bench.running.address.port();
    for (networking, reaches, network) in [
        ("yes", true, Network::Host),
        ("no", false, Network::Loopback),
    ] {
        let text = recipe(&format!(
            "networking: {networking}\ninstall: |\n    if (exec 3<>/dev/tcp/127.0.0.1/{port}); \
             then echo reached; fi\n    \
             if (exec 3<>/dev/tcp/127.0.0.1/{control}); then echo controls; fi\n    install -Dm644 /dev/null -t %(installroot)/usr/share/x\n"
        ));
        let order = bench.repository(networking, &[("tool/stone.yaml", &text)]);
        let (id, state) = bench.build(&order).await;
        let log = bench.log(id).await;
        assert!(matches!(state, State::Succeeded { .. }), "{state:?}\n{log}");
        assert_eq!(log.contains("\nreached\n"), reaches, "{log}");
        assert!(!log.contains("\ncontrols\n"), "{log}");
        assert_eq!(bench.read(id, 0).await.network, network);
    }
    bench.end().await;
}

#[tokio::test]
async fn networking_is_refused_unless_the_builder_is_told_otherwise() {
    let bench = Bench::new().await;
    let text = recipe("networking: yes\ninstall: |\n    true\n");
    let order = bench.repository("recipes", &[("tool/stone.yaml", &text)]);
    let (id, state) = bench.build(&order).await;
    let failure = failure(state);
    assert_eq!(failure.phase, Phase::Clone);
    let missing = vec!["networking".to_owned()];
    assert_eq!(failure.reason, Reason::HostLacks { missing });
    assert!(
        failure.message.contains("sandbox.networking"),
        "{}",
        failure.message
    );
    assert_eq!(bench.read(id, 0).await.network, Network::Loopback);
    bench.end().await;
}

#[tokio::test]
async fn a_closure_stone_with_another_hash_or_no_stone_is_refused() {
    let bench = Bench::new().await;
    let text = recipe("install: |\n    true\n");
    let mut order = bench.repository("recipes", &[("tool/stone.yaml", &text)]);
    let (url, sha256) = bench.put(b"no stone at all");
    let stone = api::attempt::ClosureStone {
        package: "x".to_owned(),
        url,
        sha256,
        size: 15,
    };
    order.closure = vec![stone.clone()];
    let refused = failure(bench.build(&order).await.1);
    assert_eq!(refused.reason, Reason::UnpackFailed, "{}", refused.message);
    let expected = Sha256::of(b"another");
    order.closure = vec![api::attempt::ClosureStone {
        sha256: expected,
        ..stone
    }];
    let refused = failure(bench.build(&order).await.1);
    let Reason::HashMismatch {
        expected: named,
        actual,
        ..
    } = refused.reason
    else {
        panic!("{refused:?}");
    };
    assert_eq!((named, actual), (expected, sha256));
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
