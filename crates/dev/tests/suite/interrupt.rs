//! What ends a line, and what is left then.

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
