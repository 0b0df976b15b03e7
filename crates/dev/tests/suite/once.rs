//! `--once`: the form for scripts, which read the exit status and one JSON object.

use std::fs;
use std::time::Duration;

use crate::program;

const LIMIT: Duration = Duration::from_secs(300);

/// Without `--data` all is in a temporary folder, which goes with the process.
#[tokio::test]
async fn the_samples_end_with_0_and_one_json_object() {
    let temporary = program::folder();
    let mut command = program::command(&["--once", "--json"]);
    command.env("TMPDIR", temporary.path());
    let output = program::end(command.spawn().unwrap(), LIMIT).await;
    let said = program::stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(!said.contains("Serving"), "{said}");
    // Nothing before it and nothing after it: a second value would not parse.
    let end: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(end.is_object(), "{end}");
    assert_eq!(end["published"], true);
    assert_eq!(end.get("reason"), None, "{end}");
    let recipes: Vec<_> = end["builds"].as_array().unwrap().iter().collect();
    assert_eq!(recipes.len(), 2, "{end}");
    for build in recipes {
        assert_eq!(build["state"], "published", "{build}");
    }
    let installed = &end["installed"];
    assert_eq!(installed["program"], "/usr/bin/sneksay", "{end}");
    let says = installed["said"].as_str().unwrap();
    assert!(says.contains("Installed from the index"), "{says}");
    let left: Vec<_> = fs::read_dir(temporary.path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}
