//! avalanche killed without a chance to clean up.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use api::attempt::{Attempt, Phase, Reason, State};
use api::claims::Scope;
use api::id::Sha256;
use service::client::Client;
use url::Url;

use super::bench::{Bench, config, path};
use super::{failure, new_id, recipe};

/// No other process of the machine sleeps for so long, not even those of the other tests here.
fn mark() -> String {
    format!("sleep 7135.{}", std::process::id())
}

/// The binary on a configuration of its own below the bench's folder.
struct Process(Child);

impl Process {
    fn start(bench: &Bench) -> (Self, Url) {
        let folder = bench.folder.path().join("other");
        std::fs::create_dir_all(&folder).unwrap();
        let text = config(&folder, &bench.base, &bench.key, "");
        Self::run(env!("CARGO_BIN_EXE_avalanche").as_ref(), &folder, &text)
    }

    fn run(executable: &Path, folder: &Path, config: &str) -> (Self, Url) {
        let file = folder.join("avalanche.toml");
        std::fs::write(&file, config).unwrap();
        let child = Command::new(executable)
            .arg("--config")
            .arg(&file)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut process = Self(child);
        let said = process.0.stderr.take().unwrap();
        let url = BufReader::new(said)
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(&line.unwrap()).unwrap())
            .find_map(|line| line.get("url")?.as_str()?.parse().ok())
            .expect("avalanche says where it listens");
        (process, url)
    }
}

/// SIGKILL.
impl Drop for Process {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn marked() -> usize {
    let (processes, mark) = (std::fs::read_dir("/proc").unwrap().flatten(), mark());
    processes
        .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
        .filter(|line| {
            String::from_utf8_lossy(line)
                .replace('\0', " ")
                .starts_with(&mark)
        })
        .count()
}

async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(60), "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn nothing_runs_on_and_the_next_start_says_what_was_interrupted() {
    let bench = Bench::new().await;
    let mark = mark();
    let text = recipe(&format!(
        "build: |\n    setsid {mark} &\n    {mark}\ninstall: |\n    true\n"
    ));
    let mut order = bench.repository("recipes", &[("tool/stone.yaml", &text)]);
    order.report_to = None;
    let id = new_id();
    let builder = "builder-1".parse().unwrap();
    let (process, url) = Process::start(&bench);
    let client = Client::new(bench.key.clone(), builder, url);
    let _: Attempt = client
        .put(Scope::Attempts, &path(id), &order)
        .await
        .unwrap();
    until("both sleep", || marked() == 2).await;
    drop(process);
    until("nobody sleeps", || marked() == 0).await;

    let (process, url) = Process::start(&bench);
    let client = Client::new(bench.key.clone(), "builder-1".parse().unwrap(), url);
    let attempt: Attempt = client.get(Scope::Attempts, &path(id)).await.unwrap();
    let failure = failure(attempt.state);
    assert_eq!(
        (failure.phase, failure.reason),
        (Phase::Build, Reason::Interrupted)
    );
    let work = bench.folder.path().join("other/work");
    assert!(!work.join(id.to_string()).exists(), "the workspace is left");
    drop(process);
    bench.end().await;
}

/// As in a checkout in root's home, with nothing configured: neither the binary nor the data can be
/// reached by the user that builds run as.
#[tokio::test]
async fn a_builder_in_a_closed_folder_builds_all_the_same() {
    let bench = Bench::new().await;
    let folder = bench.folder.path().join("closed");
    std::fs::create_dir(&folder).unwrap();
    let executable = folder.join("avalanche");
    // By another process: what this one writes to may be held open by a child that another test has
    // just forked, and is "busy" for as long.
    let copied = Command::new("cp")
        .arg(env!("CARGO_BIN_EXE_avalanche"))
        .arg(&executable)
        .status();
    assert!(copied.unwrap().success());
    let text: String = config(&folder, &bench.base, &bench.key, "")
        .lines()
        .filter(|line| !line.contains("work = ") && !line.contains("executable = "))
        .map(|line| format!("{line}\n"))
        .collect();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).unwrap();
    let (process, url) = Process::run(&executable, &folder, &text);
    let client = Client::new(bench.key.clone(), "builder-1".parse().unwrap(), url);
    let text = recipe("install: |\n    install -Dm644 /dev/null %(installroot)/usr/share/x\n");
    let mut order = bench.repository("recipes", &[("tool/stone.yaml", &text)]);
    order.report_to = None;
    let id = new_id();
    let mut attempt: Attempt = client
        .put(Scope::Attempts, &path(id), &order)
        .await
        .unwrap();
    while !attempt.state.is_final() {
        let path = format!("{}?after={}", path(id), attempt.seq);
        attempt = client.get(Scope::Attempts, &path).await.unwrap();
    }
    assert!(
        matches!(attempt.state, State::Succeeded { .. }),
        "{attempt:?}"
    );
    drop(process);
    // Named after the folder that would have served; not there when another user runs this.
    let closed = folder.join("data/work");
    let digest = Sha256::of(closed.as_os_str().as_encoded_bytes()).to_string();
    let _ = std::fs::remove_dir(format!("/var/tmp/avalanche-{}", &digest[..16]));
    bench.end().await;
}

#[tokio::test]
async fn assets_of_a_build_that_is_cancelled_at_its_very_end_are_taken_back() {
    let bench = Bench::new().await;
    // Text that compresses slowly and needs no tools, so that packaging takes a moment and is not
    // stopped within.
    let text = recipe(
        "install: |\n    install -d %(installroot)/usr/share/tool\n    \
         seq 1500000 > %(installroot)/usr/share/tool/numbers\n",
    );
    let order = bench.repository("recipes", &[("tool/stone.yaml", &text)]);
    let id = super::new_id();
    bench.order(id, &order).await.unwrap();
    bench
        .until(id, |state| {
            matches!(
                state,
                State::Running {
                    phase: Phase::Package,
                    ..
                }
            )
        })
        .await;
    let _: Attempt = bench
        .client
        .delete(Scope::Attempts, &path(id))
        .await
        .unwrap();
    // The answer does not wait for ever; a busy machine packages for longer.
    bench
        .until(id, |state| matches!(state, State::Cancelled { .. }))
        .await;
    for folder in ["assets", "emitting"] {
        let left = std::fs::read_dir(bench.data().join(folder))
            .unwrap()
            .count();
        assert_eq!(left, 0, "{folder}");
    }
    bench.end().await;
}
