//! Ctrl-C ends everything in order, and takes the temporary folder away.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};

use crate::program;

const LIMIT: Duration = Duration::from_secs(300);

#[tokio::test]
async fn it_serves_until_it_is_interrupted() {
    let temporary = tempfile::tempdir().unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o711);
    std::fs::set_permissions(temporary.path(), open).unwrap();
    let mut command = program::command(&["--json", "--only", "snekcoil"]);
    command.env("TMPDIR", temporary.path());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let serving = async {
        let mut said = String::new();
        while let Some(line) = lines.next_line().await.unwrap() {
            if line == "Serving until Ctrl-C." {
                return;
            }
            said.push_str(&line);
            said.push('\n');
        }
        panic!("it ended: {said}");
    };
    tokio::time::timeout(LIMIT, serving)
        .await
        .expect("it gets to serve");
    let kept = std::fs::read_dir(temporary.path()).unwrap().count();
    assert_eq!(kept, 1, "all is in one folder");

    let pid = Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    let mut json = Vec::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_end(&mut json)
        .await
        .unwrap();
    let output = program::end(child, LIMIT).await;
    assert_eq!(output.status.code(), Some(0));
    let end: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(end["published"], true);
    let left: Vec<_> = std::fs::read_dir(temporary.path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}
