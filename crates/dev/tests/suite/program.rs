//! Running the binary, and what it has published.

use std::path::Path;
use std::process::{ExitStatus, Output, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use testbed::published::Published;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

/// The binary.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_snekbook-dev");

/// The binary with these arguments, its output piped. It has no home: a test that wants its data
/// kept says where. SIGHUP ends it, also when the tests run under `nohup`, whose children ignore it.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new("env");
    command
        .args(["--default-signal=HUP", BINARY])
        .args(arguments)
        .env("XDG_DATA_HOME", "/nonexistent")
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

/// A folder that builds can pass: they run as another user.
pub(crate) fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o711);
    std::fs::set_permissions(folder.path(), open).unwrap();
    folder
}

/// A run without `--once` that has come to its end state and serves.
pub(crate) struct Serving {
    child: Child,
    stderr: Lines<BufReader<ChildStderr>>,
    stdout: Lines<BufReader<ChildStdout>>,
    /// What it has said so far on its standard error.
    pub(crate) said: Vec<String>,
    /// What it printed: the end state, as text.
    pub(crate) json: String,
}

impl Serving {
    /// Starts the binary, which prints JSON, and waits until it serves.
    pub(crate) async fn start(command: Command, limit: Duration) -> Self {
        let mut serving = Self::begin(command);
        serving.hear("Serving until Ctrl-C.", limit).await;
        // The object ends at the margin.
        while !serving.json.ends_with("\n}\n") {
            let line = serving.stdout.next_line().await.unwrap().unwrap();
            serving.json.push_str(&line);
            serving.json.push('\n');
        }
        serving
    }

    /// Starts the binary, and waits for nothing.
    pub(crate) fn begin(mut command: Command) -> Self {
        let mut child = command.arg("--json").spawn().unwrap();
        Self {
            stderr: BufReader::new(child.stderr.take().unwrap()).lines(),
            stdout: BufReader::new(child.stdout.take().unwrap()).lines(),
            child,
            said: Vec::new(),
            json: String::new(),
        }
    }

    /// Waits for a line that contains `wanted`, and returns it.
    pub(crate) async fn hear(&mut self, wanted: &str, limit: Duration) -> String {
        let search = async {
            while let Some(line) = self.stderr.next_line().await.unwrap() {
                self.said.push(line);
                let line = &self.said[self.said.len() - 1];
                if line.contains(wanted) {
                    return Some(line.clone());
                }
            }
            None
        };
        match tokio::time::timeout(limit, search).await {
            Ok(Some(line)) => line,
            Ok(None) => panic!("it ended without {wanted:?}:\n{}", self.said.join("\n")),
            Err(_) => panic!("no {wanted:?} in {limit:?}:\n{}", self.said.join("\n")),
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

    /// The number of the process.
    pub(crate) fn process(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// Presses Ctrl-C, and waits for the end.
    pub(crate) async fn stop(self, limit: Duration) {
        let status = self.signal(Signal::INT, limit).await;
        assert!(status.success(), "{status}");
    }

    /// Sends a signal, and waits for the end.
    pub(crate) async fn signal(mut self, signal: Signal, limit: Duration) -> ExitStatus {
        let pid = i32::try_from(self.process()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
        let status = tokio::time::timeout(limit, self.child.wait());
        status.await.expect("it ends in time").unwrap()
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
