//! Recipes that cannot be built.

use api::attempt::{Order, Phase, Reason};

use super::bench::Bench;
use super::{failure, recipe};

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
        (
            "unreleased",
            recipe("install: |\n    true\n").replace("release: 1", "release: 0"),
            Some(3),
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
