//! Running the binary, and what it has published.

use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use testbed::published::Published;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

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

/// A run without `--once` that has come to its end state and serves.
pub(crate) struct Serving {
    child: Child,
    stderr: Lines<BufReader<ChildStderr>>,
    /// What it printed: the end state, as text.
    pub(crate) json: String,
}

impl Serving {
    /// Starts the binary, which prints JSON, and waits until it serves.
    pub(crate) async fn start(mut command: Command, limit: Duration) -> Self {
        let mut child = command.arg("--json").spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap()).lines();
        let stdout = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut serving = Self {
            child,
            stderr,
            json: String::new(),
        };
        tokio::time::timeout(limit, serving.wait(stdout))
            .await
            .expect("it gets to serve in time");
        serving
    }

    async fn wait(&mut self, mut stdout: Lines<BufReader<ChildStdout>>) {
        let mut said = Vec::new();
        while let Some(line) = self.stderr.next_line().await.unwrap() {
            if line == "Serving until Ctrl-C." {
                break;
            }
            said.push(line);
        }
        // The object ends at the margin.
        while !self.json.ends_with("\n}\n") {
            let line = stdout.next_line().await.unwrap();
            let line = line.unwrap_or_else(|| panic!("it ended:\n{}", said.join("\n")));
            self.json.push_str(&line);
            self.json.push('\n');
        }
    }

    /// The end state.
    pub(crate) fn state(&self) -> serde_json::Value {
        serde_json::from_str(&self.json).unwrap()
    }

    /// What a client finds in the channel.
    pub(crate) async fn published(&self) -> Published {
        service::install_tls_provider();
        let url = self.state()["urls"]["vessel"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap();
        let published = Published::read(&url).await.unwrap();
        published.verify().await.unwrap();
        published
    }

    /// Presses Ctrl-C, and waits for the end.
    pub(crate) async fn stop(mut self, limit: Duration) {
        let pid = i32::try_from(self.child.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), Signal::INT).unwrap();
        let status = tokio::time::timeout(limit, self.child.wait());
        let status = status.await.expect("it ends in time").unwrap();
        assert!(status.success(), "{status}");
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
