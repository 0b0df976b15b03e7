//! Scripts that want more than they may have.

use avalanche::sandbox::Outcome;
use avalanche::sandbox::limits::{Excess, Limits, Resource};
use avalanche::sandbox::spec::Network;

use super::bench::Bench;

/// Runs a script that is to exceed a limit; the same machine can then run an ordinary one.
async fn excess(script: &str, set: impl FnOnce(&mut Limits)) -> Excess {
    let bench = Bench::new();
    let mut spec = bench.spec(script, Network::Loopback);
    set(&mut spec.limits);
    let outcome = bench.run_spec(&spec).await.unwrap();
    let Outcome::Exceeded(excess) = outcome else {
        panic!("{outcome:?}: {}", bench.text())
    };
    assert_eq!(Bench::new().run("true").await, Outcome::Ended(0));
    excess
}

fn used(excess: &Excess) -> u64 {
    excess.used.expect("it was measured")
}

#[tokio::test]
async fn a_fork_bomb_hits_the_process_limit() {
    let bench = Bench::new();
    let script = "perl -e 'for my $n (0..100) {
            my $child = fork;
            unless (defined $child) { print qq(refused after $n\\n); exit }
            unless ($child) { sleep 50; exit }
        } print qq(never refused\\n)'";
    let mut spec = bench.spec(script, Network::Loopback);
    spec.limits.processes = 20;
    bench.run_spec(&spec).await.unwrap();
    let text = bench.text();
    let started = text
        .trim()
        .strip_prefix("refused after ")
        .map(str::parse::<u32>);
    assert!(matches!(started, Some(Ok(..20))), "{text}");
}

#[tokio::test]
async fn a_fork_bomb_ends_the_script() {
    let excess = excess("bomb() { bomb | bomb & }; bomb; sleep 50", |limits| {
        limits.processes = 100;
    })
    .await;
    assert_eq!(excess.resource, Resource::Processes);
    assert!((100..110).contains(&used(&excess)), "{excess}");
    assert!(
        excess.to_string().ends_with("of 100 processes and threads"),
        "{excess}"
    );
}

#[tokio::test]
async fn a_memory_hog_ends_the_script() {
    // In two processes, neither of which has too much alone.
    let half = "perl -e 'my $hog = chr(65) x (48 << 20); print qq(up\n); sleep 50'";
    let excess = excess(&format!("{half} & {half}"), |limits| {
        limits.memory_bytes = 64 << 20;
    })
    .await;
    assert_eq!((excess.resource, excess.most), (Resource::Memory, 64 << 20));
    assert!(used(&excess) > 64 << 20, "{excess}");
}

#[tokio::test]
async fn memory_that_processes_share_counts_once() {
    let bench = Bench::new();
    // A child of fork shares all that it does not write to.
    let script = "perl -e 'my $hog = chr(65) x (48 << 20); my @children;
        for (1..8) { my $child = fork; unless ($child) { sleep 2; exit } push @children, $child }
        waitpid $_, 0 for @children; print qq(done\n)'";
    let mut spec = bench.spec(script, Network::Loopback);
    spec.limits.memory_bytes = 200 << 20;
    assert_eq!(
        bench.run_spec(&spec).await.unwrap(),
        Outcome::Ended(0),
        "{}",
        bench.text()
    );
}

#[tokio::test]
async fn a_file_that_grows_too_long_ends_the_script() {
    let script = "set -e; head -c 8M /dev/zero > long; echo not reached";
    let excess = excess(script, |limits| limits.file_bytes = 1 << 20).await;
    assert_eq!(
        excess.to_string(),
        "it wrote all of the 1048576 bytes of one file that it may"
    );
}

#[tokio::test]
async fn files_in_memory_and_open_files_are_limited() {
    let bench = Bench::new();
    let script = "ulimit -n; ulimit -c; ulimit -v
        head -c 100M /dev/zero > /dev/shm/fill 2>/dev/null; stat -c %s /dev/shm/fill
        head -c 1M /dev/zero > /dev/fill 2>/dev/null; stat -c %s /dev/fill
        rm /dev/fill; : > /dev/null";
    let mut spec = bench.spec(script, Network::Loopback);
    spec.limits.open_files = 300;
    spec.limits.memory_bytes = 64 << 20;
    spec.limits.address_space_bytes = Some(1 << 30);
    assert_eq!(
        bench.run_spec(&spec).await.unwrap(),
        Outcome::Ended(0),
        "{}",
        bench.text()
    );
    assert_eq!(bench.text(), "300\n0\n1048576\n16777216\n65536\n");
}
