//! The sandbox on this machine: what a script sees, what it cannot do, and that nothing of it
//! outlives it.

mod bench;
mod limits;
mod syscalls;

use std::path::Path;
use std::time::{Duration, Instant};

use avalanche::log::Log;
use avalanche::sandbox::spec::{Entry, Network, Run};
use avalanche::sandbox::{Error, Outcome};
use bench::Bench;
use tokio_util::sync::CancellationToken;

/// The processes of this machine whose command line holds `mark`.
fn processes_with(mark: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(line) = std::fs::read(entry.path().join("cmdline")) else {
            continue;
        };
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.contains(mark) {
            found.push(format!("{}: {line}", entry.file_name().display()));
        }
    }
    found
}

async fn until(what: &str, mut condition: impl FnMut() -> Option<String>) {
    let start = Instant::now();
    while let Some(seen) = condition() {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "never {what}; last seen: {seen}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_script_ends_with_its_status_and_its_output_is_logged() {
    let bench = Bench::new();
    assert_eq!(
        bench.run("echo \"$GREETING\" from out; echo err >&2").await,
        Outcome::Ended(0)
    );
    assert_eq!(bench.text(), "hello from out\nerr\n");
    assert_eq!(bench.run("exit 7").await, Outcome::Ended(7));
    // 125 is what the library itself answers when it fails; a script may say it too.
    assert_eq!(bench.run("exit 125").await, Outcome::Ended(125));
    assert_eq!(bench.run("kill -KILL $$").await, Outcome::Ended(137));
    assert_eq!(bench.run("kill -TERM $$").await, Outcome::Ended(143));
}

#[tokio::test]
async fn a_program_runs_without_a_shell_before_it() {
    let bench = Bench::new();
    let mut spec = bench.spec("", Network::Loopback);
    let mut run = async |path: &str, arguments: &[&str]| {
        spec.run = Run::Program {
            path: path.to_owned(),
            arguments: arguments.iter().map(|&text| text.to_owned()).collect(),
        };
        let _ = std::fs::remove_file(bench.path("control/started"));
        bench.run_spec(&spec).await
    };
    let said = run("/usr/bin/printf", &["%s\n", "$GREETING; exit 3"]).await;
    assert_eq!(said.unwrap(), Outcome::Ended(0));
    assert_eq!(bench.text(), "$GREETING; exit 3\n");
    let status = run("/usr/bin/cat", &["/proc/self/status", "/nowhere"]).await;
    assert_eq!(status.unwrap(), Outcome::Ended(1));
    assert!(bench.text().contains("NSpid:\t1\n"), "{}", bench.text());
    let error = run("/usr/bin/nothing", &[]).await.unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error}");
    let text = bench.text();
    assert!(
        text.contains("cannot run /usr/bin/nothing: No such file"),
        "{text}"
    );
}

#[tokio::test]
async fn a_script_is_an_ordinary_user_on_both_sides() {
    let bench = Bench::new();
    let script = "set -e; id -u; grep -E '^(CapEff|CapPrm|NoNewPrivs)' /proc/self/status
        touch /work/mine; ! unshare --user true 2>/dev/null; hostname";
    assert_eq!(
        bench.run(script).await,
        Outcome::Ended(0),
        "{}",
        bench.text()
    );
    assert_eq!(
        bench.text().replace('\t', " "),
        "1000\nCapPrm: 0000000000000000\nCapEff: 0000000000000000\nNoNewPrivs: 1\nbuild\n"
    );
    use std::os::unix::fs::MetadataExt as _;
    assert_ne!(std::fs::metadata(bench.path("work/mine")).unwrap().uid(), 0);
}

#[tokio::test]
async fn a_script_sees_only_what_is_listed_and_cannot_change_it() {
    let bench = Bench::new();
    let script = "ls -A / | tr '\\n' ' '; echo; ls /proc | grep -c '^[0-9]'
        for place in / /usr /usr/lib /etc /etc/passwd /avalanche; do
            if [ -w \"$place\" ] && touch \"$place/x\" 2>/dev/null; then echo \"wrote $place\"; fi
        done
        mount -o remount,rw / 2>/dev/null && echo remounted
        ls /home /root 2>/dev/null; cat /etc/shadow 2>/dev/null; ls -A /dev | tr '\\n' ' '; true";
    assert_eq!(bench.run(script).await, Outcome::Ended(0));
    let text = bench.text();
    let mut lines = text.lines();
    let top: Vec<&str> = lines.next().unwrap().split_whitespace().collect();
    for name in &top {
        let known = [
            "avalanche",
            "bin",
            "dev",
            "etc",
            "lib",
            "lib64",
            "proc",
            "sbin",
            "usr",
            "work",
        ];
        assert!(known.contains(name), "unexpected {name} in {top:?}");
    }
    let processes: u32 = lines.next().unwrap().parse().unwrap();
    assert!(processes <= 6, "the host's processes are seen: {text}");
    let devices: Vec<&str> = lines.next().unwrap().split_whitespace().collect();
    assert!(
        devices.contains(&"null") && !devices.contains(&"vda"),
        "{devices:?}"
    );
    assert_eq!(lines.next(), None, "{text}");
}

#[tokio::test]
async fn only_loopback_is_there_and_it_works() {
    let bench = Bench::new();
    let script = "awk 'NR > 2 { print $1 }' /proc/net/dev
        cat /proc/net/route | wc -l
        perl -MIO::Socket::INET -e '
            my $server = IO::Socket::INET->new(Listen => 1, LocalAddr => q(127.0.0.1)) or die;
            IO::Socket::INET->new(PeerAddr => q(127.0.0.1), PeerPort => $server->sockport) or die;
            print qq(connected\\n);
            die q(reached the world) if IO::Socket::INET->new(
                PeerAddr => q(192.0.2.1), PeerPort => 80, Timeout => 5);'";
    assert_eq!(
        bench.run(script).await,
        Outcome::Ended(0),
        "{}",
        bench.text()
    );
    assert_eq!(bench.text(), "lo:\n1\nconnected\n");
}

#[tokio::test]
async fn networking_brings_the_hosts_interfaces() {
    let bench = Bench::new();
    let spec = bench.spec("awk 'NR > 2 { print $1 }' /proc/net/dev", Network::Host);
    assert_eq!(bench.run_spec(&spec).await.unwrap(), Outcome::Ended(0));
    let interfaces = std::fs::read_to_string("/proc/net/dev").unwrap();
    let expected: Vec<&str> = interfaces
        .lines()
        .skip(2)
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert_eq!(
        bench.text().split_whitespace().collect::<Vec<_>>(),
        expected
    );
}

#[tokio::test]
async fn a_stone_over_the_host_supplies_a_library_to_link_and_run_with() {
    let bench = Bench::new();
    let stones = bench.path("stones");
    for folder in ["lib/pkgconfig", "include"] {
        std::fs::create_dir_all(stones.join(folder)).unwrap();
    }
    std::fs::write(stones.join("include/zephyr.h"), "int zephyr(void);\n").unwrap();
    std::fs::write(
        stones.join("lib/pkgconfig/zephyr.pc"),
        "Name: zephyr\nDescription: x\nVersion: 1\nLibs: -L/usr/lib -lzephyr\n",
    )
    .unwrap();
    std::fs::write(bench.path("z.c"), "int zephyr(void) { return 42; }\n").unwrap();
    let built = std::process::Command::new("gcc")
        .args(["-shared", "-fPIC", "-Wl,-soname,libzephyr.so.1", "-o"])
        .arg(stones.join("lib/libzephyr.so.1"))
        .arg(bench.path("z.c"))
        .status()
        .unwrap();
    assert!(built.success());
    std::os::unix::fs::symlink("libzephyr.so.1", stones.join("lib/libzephyr.so")).unwrap();
    let script = "set -e
        test -f /usr/lib/pkgconfig/zephyr.pc
        printf '#include <zephyr.h>\\nint main(void) { return zephyr(); }\\n' > main.c
        cc main.c -o main -lzephyr
        set +e; ./main; echo $?";
    assert_eq!(
        bench.run(script).await,
        Outcome::Ended(0),
        "{}",
        bench.text()
    );
    assert_eq!(bench.text(), "42\n");
    assert!(!Path::new("/usr/include/zephyr.h").exists());
}

#[tokio::test]
async fn stopping_kills_what_the_script_has_started() {
    let bench = Bench::new();
    // A number of seconds that no other process of the machine sleeps for.
    let mark = format!("sleep 7133.{}", std::process::id());
    let mark = mark.as_str();
    let script =
        format!("setsid {mark} </dev/null >/dev/null 2>&1 &\n(({mark}) &) \necho up\nwait");
    let spec = bench.spec(&script, Network::Loopback);
    let stop = CancellationToken::new();
    let run = bench.sandbox.run(&spec, &bench.log, &stop);
    let stopper = async {
        until("up", || {
            (processes_with(mark).len() < 2).then(|| bench.text())
        })
        .await;
        stop.cancel();
    };
    let (outcome, ()) = tokio::join!(run, stopper);
    assert_eq!(outcome.unwrap(), Outcome::Stopped);
    assert_eq!(processes_with(mark), Vec::<String>::new());
}

#[tokio::test]
async fn what_a_script_leaves_in_the_background_dies_with_it() {
    let bench = Bench::new();
    let mark = format!("sleep 7134.{}", std::process::id());
    let mark = mark.as_str();
    let script = format!("setsid {mark} </dev/null >/dev/null 2>&1 &\necho done");
    assert_eq!(bench.run(&script).await, Outcome::Ended(0));
    assert_eq!(processes_with(mark), Vec::<String>::new());
}

#[tokio::test]
async fn a_full_log_ends_the_script() {
    let mut bench = Bench::new();
    bench.log = Log::create(&bench.path("log"), 1000).unwrap();
    assert_eq!(
        bench.run("while :; do echo spam; done").await,
        Outcome::LogFull
    );
    assert!(bench.text().len() < 1200);
}

#[tokio::test]
async fn a_root_that_cannot_be_made_is_a_refusal_and_no_build() {
    let bench = Bench::new();
    let mut spec = bench.spec("echo must not run", Network::Loopback);
    spec.entries.push(Entry::ReadOnly {
        host: bench.path("nowhere"),
        inside: "/nowhere".to_owned(),
    });
    let error = bench.run_spec(&spec).await.unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, Error::Refused { .. }), "{text}");
    assert!(
        text.contains("nowhere") && text.contains("max_user_namespaces"),
        "{text}"
    );
    assert_eq!(bench.text(), "");
}
