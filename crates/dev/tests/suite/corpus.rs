//! Real recipes, from their upstream archives to programs that run.

use std::path::Path;
use std::time::Duration;

use crate::program::{self, Serving};

/// Configuring and compiling takes as long as it takes.
const LIMIT: Duration = Duration::from_secs(1800);

#[tokio::test]
#[ignore = "builds five real programs for minutes; the suite builds one: \
            cargo test -p snekbook-dev --test suite -- --ignored"]
async fn five_real_programs_are_published_and_run() {
    let Some(corpus) = testbed::corpus::find() else {
        return;
    };
    let folder = program::folder();
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let arguments = [
        "--recipes",
        &text(&corpus.join("recipes")),
        "--distfiles",
        &text(&corpus.join("distfiles")),
        "--only",
        "lz4,xz,dash,sed,xxhash",
        "--data",
        &text(&folder.path().join("data")),
    ];
    let line = Serving::start(program::command(&arguments), LIMIT).await;
    assert_eq!(line.state()["published"], true, "{}", line.json);

    let empty = folder.path().join("empty");
    std::fs::write(&empty, "").unwrap();
    let published = line.published().await;
    for (recipe, program, arguments, wanted) in [
        ("lz4", "lz4", &["--version"][..], "v1.9.4"),
        ("xz", "xz", &["--version"], "liblzma 5.4.1"),
        ("dash", "dash", &["-c", "echo $((6 * 7))"], "42"),
        ("sed", "sed", &["--version"], "GNU sed) 4.9"),
        (
            "xxhash",
            "xxhsum",
            &["-H64", &text(&empty)],
            "ef46db3751d8e999",
        ),
    ] {
        let root = folder.path().join("roots").join(recipe);
        published.unpack_recipe(recipe, &root).await.unwrap();
        let said = program::run_in(&root, program, arguments).await;
        assert!(said.contains(wanted), "{program}: {said}");
    }
    line.stop(Duration::from_secs(60)).await;
}
