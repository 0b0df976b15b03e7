//! Recipes that want more than a build may have, and what the builder says of its limits.

use api::attempt::{Phase, Reason};
use api::host::{Holder, Networking};

use super::bench::{Bench, archive};
use super::{failure, recipe};

const LIMITS: &str = "sandbox.processes = 200\nsandbox.memory_bytes = 134217728\n\
    sandbox.disk_bytes = 134217728\nsandbox.file_bytes = 67108864";

#[tokio::test]
async fn bombs_hogs_and_fillers_fail_their_build_with_the_reason() {
    let bench = Bench::with(LIMITS).await;
    let cases = [
        (
            "processes",
            "bomb() { bomb | bomb & }; bomb; sleep 50",
            " of 200 processes and threads",
        ),
        (
            "memory_bytes",
            "perl -e 'my $hog = chr(65) x (200 << 20); sleep 50'",
            " of 134217728 bytes of memory",
        ),
        (
            "disk_bytes",
            "for n in $(seq 100); do head -c 4M /dev/urandom > $n; done; sleep 50",
            " of 134217728 bytes of the disk",
        ),
        (
            "file_bytes",
            "head -c 100M /dev/zero > long",
            " of the 67108864 bytes of one file that it may",
        ),
    ];
    for (key, script, end) in cases {
        let text = recipe(&format!(
            "build: |\n    {script}\ninstall: |\n    install -d %(installroot)/usr\n"
        ));
        let order = bench.repository(key, &[("tool/stone.yaml", &text)]);
        let (id, state) = bench.build(&order).await;
        let failure = failure(state);
        let limit = key.to_owned();
        assert_eq!(
            (failure.phase, failure.reason),
            (Phase::Build, Reason::LimitReached { limit }),
            "{}",
            failure.message
        );
        assert!(failure.message.ends_with(end), "{}", failure.message);
        let log = bench.log(id).await;
        assert!(log.contains("\nlimits: processes 200 ("), "{log}");
        assert!(log.contains(&failure.message), "{log}");
    }
    bench.end().await;
}

#[tokio::test]
async fn an_archive_that_unpacks_to_too_much_fails_before_any_script() {
    let bench = Bench::with(LIMITS).await;
    let zeros = "0".repeat(300 << 20);
    let (_, sha256) = bench.put(&archive(&[("bomb-1.0/zeros", &zeros)]));
    let text = recipe(&format!(
        "upstreams:\n    - https://upstream.invalid/bomb-1.0.tar.gz: {sha256}\n\
         build: |\n    sleep 50\ninstall: |\n    true\n"
    ));
    let order = bench.repository("recipes", &[("tool/stone.yaml", &text)]);
    let failure = failure(bench.build(&order).await.1);
    assert_eq!(failure.phase, Phase::Prepare, "{}", failure.message);
    let limit = "disk_bytes".to_owned();
    assert_eq!(failure.reason, Reason::LimitReached { limit });
    bench.end().await;
}

#[tokio::test]
async fn the_status_tells_the_limits_and_what_holds_them() {
    let bench = Bench::with(LIMITS).await;
    let status = bench.status().await;
    assert_eq!(status.networking, Networking::Refuse);
    let limits: Vec<(&str, u64)> = status
        .limits
        .iter()
        .map(|(key, limit)| (key.as_str(), limit.most))
        .collect();
    assert_eq!(
        limits,
        [
            ("disk_bytes", 128 << 20),
            ("file_bytes", 64 << 20),
            ("memory_bytes", 128 << 20),
            ("open_files", 16_384),
            ("processes", 200),
        ]
    );
    let file = status.limits["file_bytes"];
    assert_eq!(file.held_by, Holder::ResourceLimit);
    bench.end().await;
}
