//! What ends a line, and what is left then.

use std::os::unix::fs::DirBuilderExt as _;
use std::time::Duration;

use rustix::process::Signal;

use crate::program::{self, Serving};

const LIMIT: Duration = Duration::from_secs(300);

/// A closed terminal sends SIGHUP; the exit status says that the work was cut short.
#[tokio::test]
async fn a_temporary_folder_goes_whatever_ends_the_line() {
    for signal in [Signal::HUP, Signal::TERM, Signal::INT] {
        let temporary = program::folder();
        let mut command = program::command(&["--once", "--only", "snekcoil"]);
        command.env("TMPDIR", temporary.path());
        let mut line = Serving::begin(command);
        line.hear("Pushed 1 recipe", LIMIT).await;
        let kept = std::fs::read_dir(temporary.path()).unwrap().count();
        assert_eq!(kept, 1, "all is in one folder");
        let status = line.signal(signal, LIMIT).await;
        assert_eq!(status.code(), Some(130), "{signal:?}: {status}");
        let left: Vec<_> = std::fs::read_dir(temporary.path()).unwrap().collect();
        assert!(left.is_empty(), "{signal:?}: {left:?}");
    }
}

/// Root's builds run as another user, anybody else's as their own, who can pass.
#[tokio::test]
async fn a_folder_that_builds_cannot_pass_is_named_and_nothing_stays_elsewhere() {
    let temporary = program::folder();
    let barred = temporary.path().join("barred");
    std::fs::DirBuilder::new()
        .mode(0o700)
        .create(&barred)
        .unwrap();
    let mut command = program::command(&["--once", "--only", "snekcoil"]);
    command.env("TMPDIR", &barred);
    let mut line = Serving::begin(command);
    line.hear("Pushed 1 recipe", LIMIT).await;
    let named = format!("cannot pass {}", barred.display());
    let told = line.said.iter().find(|line| line.contains(&named)).cloned();
    assert_eq!(
        told.is_some(),
        rustix::process::geteuid().is_root(),
        "{told:?}"
    );
    line.signal(Signal::HUP, LIMIT).await;
    assert_eq!(std::fs::read_dir(&barred).unwrap().count(), 0);
    if let Some(told) = told {
        let (_, elsewhere) = told.split_once("Builds run in ").unwrap();
        let (elsewhere, _) = elsewhere.split_once(',').unwrap();
        assert!(!std::path::Path::new(elsewhere).exists(), "{told}");
    }
}

#[tokio::test]
async fn a_missing_folder_for_temporary_files_is_named() {
    let folder = program::folder();
    let missing = folder.path().join("missing");
    let mut command = program::command(&["--once"]);
    command.env("TMPDIR", &missing);
    let output = program::end(command.spawn().unwrap(), LIMIT).await;
    assert_eq!(output.status.code(), Some(1));
    let said = program::stderr(&output);
    let wanted = format!("a folder for temporary files: {}", missing.display());
    assert!(said.contains(&wanted), "{said}");
    assert!(!said.contains("git"), "{said}");
}
