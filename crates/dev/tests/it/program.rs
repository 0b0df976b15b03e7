//! Running the binary, and what it has published.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use moss_format::package::Package;
use tokio::process::{Child, Command};

/// The binary.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_snekbook-dev");

/// The binary with these arguments, its output piped.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Runs the binary to its end, `limit` at most.
pub(crate) async fn run(arguments: &[&str], limit: Duration) -> Output {
    end(command(arguments).spawn().unwrap(), limit).await
}

/// Waits for the end.
pub(crate) async fn end(child: Child, limit: Duration) -> Output {
    match tokio::time::timeout(limit, child.wait_with_output()).await {
        Ok(output) => output.unwrap(),
        Err(_) => panic!("snekbook-dev did not end within {limit:?}"),
    }
}

/// What a run wrote to its standard error.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The stones in the pool of the data folder `data`.
pub(crate) fn stones(data: &Path) -> Vec<PathBuf> {
    let mut stones: Vec<PathBuf> = walkdir::WalkDir::new(data.join("vessel/public/main/pool"))
        .into_iter()
        .map(|entry| entry.unwrap().into_path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "stone")
        })
        .collect();
    stones.sort();
    stones
}

/// Unpacks stones into `root`.
pub(crate) fn unpack(stones: &[PathBuf], root: &Path) {
    for stone in stones {
        let mut package = Package::open(File::open(stone).unwrap()).unwrap();
        moss_format::unpack::unpack(&mut package, root, &Default::default())
            .unwrap_or_else(|error| panic!("{}: {error}", stone.display()));
    }
}

/// Runs a program of `root` on its own libraries; gives its standard output.
pub(crate) async fn run_in(root: &Path, program: &str, arguments: &[&str]) -> String {
    let output = Command::new(root.join("usr/bin").join(program))
        .args(arguments)
        .env_clear()
        .env("LD_LIBRARY_PATH", root.join("usr/lib"))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(Duration::from_secs(30), output);
    let output = output.await.expect("the program ends").unwrap();
    assert!(output.status.success(), "{program}: {}", stderr(&output));
    String::from_utf8(output.stdout).unwrap()
}
