//! Ctrl-C ends everything in order, and takes the temporary folder away.

use std::time::Duration;

use crate::program::{self, Serving};

const LIMIT: Duration = Duration::from_secs(300);

#[tokio::test]
async fn it_serves_until_it_is_interrupted() {
    let temporary = tempfile::tempdir().unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o711);
    std::fs::set_permissions(temporary.path(), open).unwrap();
    let mut command = program::command(&["--only", "snekcoil"]);
    command.env("TMPDIR", temporary.path());
    let line = Serving::start(command, LIMIT).await;
    let kept = std::fs::read_dir(temporary.path()).unwrap().count();
    assert_eq!(kept, 1, "all is in one folder");
    assert_eq!(line.state()["published"], true);
    line.stop(LIMIT).await;
    let left: Vec<_> = std::fs::read_dir(temporary.path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}
