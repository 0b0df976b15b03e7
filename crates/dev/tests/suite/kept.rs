//! What a line keeps: its folder, ports, tokens, and all that people did.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::program::{self, Serving};

const LIMIT: Duration = Duration::from_secs(300);

/// A run that keeps its data in the home that is `home`.
fn at_home(home: &Path, arguments: &[&str]) -> tokio::process::Command {
    let mut command = program::command(arguments);
    command.env("XDG_DATA_HOME", home);
    command
}

/// Runs a script of a person's, who has no settings, in `folder`.
async fn person(folder: &Path, script: &str) -> String {
    let output = tokio::process::Command::new("sh")
        .args(["-euc", script])
        .current_dir(folder)
        .env("HOME", folder)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(LIMIT, output).await.unwrap().unwrap();
    let said = program::stderr(&output);
    assert!(output.status.success(), "{script}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// What must not change from one start to the next.
fn lasting(state: &Value) -> [&Value; 4] {
    ["urls", "people", "clone", "data"].map(|name| &state[name])
}

const NEW_RELEASE: &str = "cd recipes
    sed -i 's/^release .*/release : 2/' snekcoil/stone.yaml
    git -c user.name=p -c user.email=p@snekbook.invalid commit -qam 'snekcoil: Rebuild'
    git push -q
    git rev-parse HEAD";

#[tokio::test]
async fn a_line_is_used_by_people_and_tells_what_it_builds() {
    let folder = program::folder();
    let home = folder.path().join("share");
    let mut line = Serving::start(at_home(&home, &["--only", "snekcoil"]), LIMIT).await;
    let state = line.state();
    let data = home.join("snekbook-dev");
    assert_eq!(state["data"], data.to_str().unwrap());
    for name in ["try.env", "ports.json", "keys/people.json"] {
        let mode = data.join(name).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }

    // The second one is refused, and names the first.
    let second = at_home(&home, &["--fresh"]).spawn().unwrap();
    let output = program::end(second, LIMIT).await;
    assert_eq!(output.status.code(), Some(1));
    let said = program::stderr(&output);
    let wanted = format!("in use by another snekbook-dev, process {}", line.process());
    assert!(said.contains(&wanted), "{said}");

    // The line that is printed clones with a token that may push, and builds are told of.
    person(folder.path(), state["clone"].as_str().unwrap()).await;
    person(folder.path(), NEW_RELEASE).await;
    line.hear("published  snekcoil 1.0.0-2", LIMIT).await;
    line.stop(LIMIT).await;

    a_taken_port_is_named(&home, &state).await;
    let named = data.to_str().unwrap();
    let fresh = [
        "--fresh", "--once", "--json", "--data", named, "--only", "snekcoil",
    ];
    let output = program::run(&fresh, LIMIT).await;
    let fresh: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(fresh["builds"][0]["release"], 1, "{fresh}");
    assert_ne!(fresh["people"], state["people"]);
}

#[tokio::test]
async fn a_line_that_was_killed_goes_on_where_it_was() {
    let folder = program::folder();
    let home = folder.path().join("share");
    let mut line = Serving::start(at_home(&home, &["--only", "snekcoil"]), LIMIT).await;
    let first = line.state();
    person(folder.path(), first["clone"].as_str().unwrap()).await;
    let commit = person(folder.path(), NEW_RELEASE).await;
    line.hear("  snekcoil 1.0.0-2", LIMIT).await;
    line.signal(Signal::KILL, LIMIT).await;

    // It says what is there, pushes nothing, and goes on with what was under way.
    let line = Serving::start(at_home(&home, &["--only", "snekcoil"]), LIMIT).await;
    let said = line.said.join("\n");
    let wanted = "Kept from an earlier start: 1 recipe, 4 packages published, no pull requests \
                  open, 1 build under way";
    assert!(said.contains(wanted), "{said}");
    assert!(said.contains("No recipes are pushed"), "{said}");
    assert!(!said.contains("Pushed"), "{said}");
    assert!(said.contains("published  snekcoil 1.0.0-2"), "{said}");
    let again = line.state();
    assert_eq!(lasting(&again), lasting(&first));
    assert_eq!(again["commit"], commit.trim());
    assert_eq!(again["published"], true, "{again}");
    let status = line.signal(Signal::TERM, LIMIT).await;
    assert!(status.success(), "{status}");

    // Nothing is left to do, and nothing of what ended is told again.
    let line = Serving::start(at_home(&home, &["--only", "snekcoil"]), LIMIT).await;
    let said = line.said.join("\n");
    assert!(said.contains("Nothing is left to do"), "{said}");
    assert!(!said.contains("published  snekcoil"), "{said}");
    let last = line.state();
    assert_eq!(
        last, again,
        "builds and their check runs have the ids that they had"
    );
    line.stop(LIMIT).await;
}

async fn a_taken_port_is_named(home: &Path, state: &Value) {
    let summit: url::Url = state["urls"]["summit"].as_str().unwrap().parse().unwrap();
    let port = summit.port().unwrap();
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let output = program::end(at_home(home, &[]).spawn().unwrap(), LIMIT).await;
    assert_eq!(output.status.code(), Some(1));
    let said = program::stderr(&output);
    assert!(said.contains(&format!("port {port} of summit")), "{said}");
    drop(listener);
}
