//! The main job: the samples, from the push to programs that run.

use std::path::{Path, PathBuf};
use std::time::Duration;

use moss_format::Meta;

use crate::program::{self, Serving};
use crate::unmet;

const LIMIT: Duration = Duration::from_secs(300);

/// A home with settings for git that stop everything that reads them: the line is no matter of who
/// starts it.
fn hostile_home(folder: &Path) -> PathBuf {
    let home = folder.join("home");
    std::fs::create_dir(&home).unwrap();
    std::fs::write(home.join(".gitconfig"), "[broken").unwrap();
    home
}

#[tokio::test]
async fn the_samples_are_published_and_the_program_runs() {
    let folder = program::folder();
    let data = folder.path().join("data");
    let mut command = program::command(&["--data", data.to_str().unwrap()]);
    command.env("HOME", hostile_home(folder.path()));
    let line = Serving::start(command, LIMIT).await;
    let filters = vec![
        (r"127\.0\.0\.1:\d+", "[address]"),
        (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "[build]"),
        (r"\d{8}-\d{6}-[0-9a-f]{12}", "[history]"),
        (r"ghp_[0-9a-f]{40}", "[token]"),
        (r"[0-9a-f]{40}", "[commit]"),
        (r"host-glibc-\d[\d.]*-1", "host-glibc-[version]-1"),
        (r"/[^ ]*/installed/root", "[data]/installed/root"),
        (folder.path().to_str().unwrap(), "[folder]"),
    ];
    insta::with_settings!({ filters => filters }, {
        insta::assert_snapshot!("the_end_state", line.json);
    });

    let root = folder.path().join("root");
    let published = line.published().await;
    let packages = published.packages();
    assert_eq!(unmet::dependencies(packages), [""; 0]);
    // It sees what a channel without the C library of this machine lacks.
    let without: Vec<Meta> = packages
        .iter()
        .filter(|meta| meta.name != "host-glibc")
        .cloned()
        .collect();
    assert!(without.len() < packages.len());
    insta::assert_snapshot!(
        "what_it_would_lack",
        unmet::dependencies(&without).join("\n")
    );
    // What was installed runs outside of a sandbox too.
    let installed = line.state()["installed"]["folder"]
        .as_str()
        .unwrap()
        .to_owned();
    let says = program::run_in(Path::new(&installed), "sneksay", &["hi"]).await;
    assert!(says.contains("hi"), "{says}");
    for recipe in ["snekcoil", "sneksay"] {
        published.unpack_recipe(recipe, &root).await.unwrap();
    }
    let said = program::run_in(&root, "sneksay", &["-w", "12", "hello from the snekbook"]).await;
    let wanted = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../examples/sources/sneksay/tests/hello.txt"
    );
    assert_eq!(said, std::fs::read_to_string(wanted).unwrap());

    // The library and its header, apart.
    let provides: Vec<String> = published
        .package("snekcoil-devel")
        .unwrap()
        .provides
        .iter()
        .map(ToString::to_string)
        .collect();
    assert!(
        provides.contains(&"pkgconfig(snekcoil)".to_owned()),
        "{provides:?}"
    );
    line.stop(LIMIT).await;
}
