//! One example of every message, made from the types.

use api::attempt::{self, Asset, AssetKind, Attempt, ClosureStone, Credentials, Failure, Reason};
use api::claims::{Claims, Scope, request_digest};
use api::host::{Holder, Limit, Lookup, LookupAnswer, Networking, NoOrders, Status};
use api::id::{AttemptId, BuildId, ImportId, Sha256};
use api::import::{self, BuildStones, Import, Refusal, RefusalReason, Stone};
use api::operator::{LetGo, Replay, UnreadDelivery};
use api::problem::{Code, Problem};
use api::repository::{Channel, History, Target};
use api::status::{Database, SilentBuilder, Standstill, Summit, Vessel};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A message and its JSON.
pub(crate) struct Message {
    /// Its tag in the document.
    pub(crate) tag: &'static str,
    /// Its JSON, as the document shows it.
    pub(crate) json: String,
    /// What a reader makes of a key that it does not know.
    pub(crate) growth: Growth,
    /// Reads a JSON text as the message's type and writes it again.
    pub(crate) read_back: fn(&str) -> serde_json::Result<String>,
}

/// What a reader makes of a key that it does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Growth {
    /// It refuses the message.
    Refused,
    /// It leaves the key out.
    Ignored,
}

/// All messages, in the order of the document.
pub(crate) fn all() -> Vec<Message> {
    let mut all = vec![
        answer("claims", &claims()),
        answer("problem", &problem()),
        order("attempt-order", &attempt_order()),
    ];
    all.extend(attempts());
    all.extend([
        answer("status", &status()),
        answer("lookup", &lookup()),
        answer("lookup-answer", &lookup_answer()),
        order("import-order", &import_order()),
    ]);
    all.extend(imports());
    all.extend([
        answer("channel", &channel()),
        order("target", &target()),
        answer("vessel-status", &vessel_status()),
        answer("summit-status", &summit_status()),
        answer("unread-deliveries", &[unread_delivery()].to_vec()),
        answer("replay", &replay()),
        order("let-go", &let_go()),
    ]);
    all
}

fn order<T: Serialize + DeserializeOwned>(tag: &'static str, value: &T) -> Message {
    Message {
        growth: Growth::Refused,
        ..answer(tag, value)
    }
}

fn answer<T: Serialize + DeserializeOwned>(tag: &'static str, value: &T) -> Message {
    Message {
        tag,
        json: serde_json::to_string_pretty(value).unwrap(),
        growth: Growth::Ignored,
        read_back: |json| serde_json::to_string_pretty(&serde_json::from_str::<T>(json)?),
    }
}

/// Parses what stands in the source of a test.
fn at<T: std::str::FromStr>(text: &str) -> T
where
    T::Err: std::fmt::Debug,
{
    text.parse().unwrap()
}

fn build() -> BuildId {
    at("01936b0e-7d2c-7a31-9c5e-2f1b8a4d6c70")
}

fn import() -> ImportId {
    at("01936b12-04aa-7be0-8f3d-5a6b7c8d9e0f")
}

fn claims() -> Claims {
    let path = format!("/api/v1/attempts/{}?after=3", AttemptId::new(build(), 1));
    Claims {
        iss: at("summit"),
        aud: at("builder-1"),
        scope: Scope::Attempts,
        iat: 1_795_384_680,
        exp: 1_795_384_740,
        jti: "01936b0e8f7a7c4d9e2b3a1c5d6e7f80".to_owned(),
        req: request_digest("GET", &path, b""),
    }
}

fn problem() -> Problem {
    let attempt = AttemptId::new(build(), 1);
    Problem {
        code: Code::Conflict,
        message: format!("attempt {attempt} was ordered before, with another order"),
        request_id: "01936b0e90b17d5e8f6a7b8c9d0e1f2a".to_owned(),
    }
}

fn attempt_order() -> attempt::Order {
    attempt::Order {
        recipe: at("nano"),
        folder: at("n/nano"),
        clone_url: at("https://github.com/snekbook/recipes.git"),
        credentials: Some(Credentials {
            token: "an installation token".to_owned().into(),
        }),
        git_ref: "refs/heads/main".to_owned(),
        commit: at("0a1b2c3d4e5f60718293a4b5c6d7e8f901234567"),
        profile: at("default"),
        architecture: at("x86_64"),
        build_release: 1,
        source_date_epoch: 1_795_384_000,
        closure: vec![ClosureStone {
            package: "ncurses-devel".to_owned(),
            url: at(
                "https://packages.example.org/main/pool/v0/n/ncurses/ncurses-devel-6.5-12-1-x86_64.stone",
            ),
            sha256: Sha256::of(b"ncurses-devel"),
            size: 301_455,
        }],
        host_needs: vec!["binary(gcc)".to_owned()],
        limits: attempt::Limits::default(),
        lease_seconds: 300,
        report_to: Some(at("https://summit.example.org/api/v1/reports")),
    }
}

fn attempts() -> Vec<Message> {
    let attempt = |seq, state| Attempt {
        network: attempt::Network::Loopback,
        id: AttemptId::new(build(), 1),
        seq,
        accepted_at: at("2026-11-22T21:58:01.5Z"),
        state,
    };
    let finished_at = at("2026-11-22T22:03:40Z");
    let accepted = attempt::State::Accepted { ahead: 2 };
    let running = attempt::State::Running {
        phase: attempt::Phase::Build,
        since: at("2026-11-22T21:59:12Z"),
    };
    let succeeded = attempt::State::Succeeded {
        assets: assets(),
        host: Sha256::of(b"host"),
        finished_at,
    };
    let failure = Failure {
        phase: attempt::Phase::Check,
        reason: Reason::ScriptFailed {
            exit_status: Some(2),
        },
        message: "the check script ended with exit status 2".to_owned(),
    };
    let failed = attempt::State::Failed {
        failure,
        finished_at,
    };
    vec![
        answer("attempt-accepted", &attempt(1, accepted)),
        answer("attempt-running", &attempt(6, running)),
        answer("attempt-succeeded", &attempt(9, succeeded)),
        answer("attempt-failed", &attempt(9, failed)),
        answer(
            "attempt-cancelled",
            &attempt(7, attempt::State::Cancelled { finished_at }),
        ),
        answer(
            "attempt-expired",
            &attempt(7, attempt::State::Expired { finished_at }),
        ),
    ]
}

fn assets() -> Vec<Asset> {
    let asset = |kind, name: &str, size| Asset {
        kind,
        file_name: at(name),
        uri: at(&format!(
            "https://builder-1.example.org/assets/{}/{name}",
            AttemptId::new(build(), 1)
        )),
        sha256: Sha256::of(name.as_bytes()),
        size,
    };
    vec![
        asset(AssetKind::Stone, "nano-8.3-33-1-x86_64.stone", 742_310),
        asset(AssetKind::Manifest, "manifest.x86_64.bin", 612),
        asset(AssetKind::ManifestText, "manifest.x86_64.jsonc", 1_904),
    ]
}

fn status() -> Status {
    Status {
        builder: at("builder-1"),
        version: "0.1.0".to_owned(),
        engine: "1".to_owned(),
        architectures: vec![at("x86_64")],
        slots: 1,
        attempts: vec![AttemptId::new(build(), 1)],
        host: Sha256::of(b"host"),
        looked_at: Some(at("2026-11-22T21:56:12.25Z")),
        networking: Networking::Refuse,
        limits: [
            ("disk_bytes", 68_719_476_736, Holder::Measured),
            ("file_bytes", 17_179_869_184, Holder::ResourceLimit),
            ("memory_bytes", 15_461_882_265, Holder::ControlGroup),
            ("open_files", 16_384, Holder::ResourceLimit),
            ("processes", 16_384, Holder::ControlGroup),
        ]
        .map(|(key, most, held_by)| (key.to_owned(), Limit { most, held_by }))
        .into(),
        database: database(1_474_560),
        free_bytes: 2_147_483_648,
        no_orders: Some(NoOrders::DiskFull {
            free: 2_147_483_648,
            needed: 10_000_000_000,
        }),
    }
}

fn database(used_bytes: u64) -> Database {
    Database {
        used_bytes,
        map_bytes: 274_877_906_944,
    }
}

fn lookup() -> Lookup {
    Lookup {
        dependencies: vec!["binary(gcc)".to_owned(), "pkgconfig(zlib)".to_owned()],
    }
}

fn lookup_answer() -> LookupAnswer {
    LookupAnswer {
        host: Sha256::of(b"host"),
        missing: vec!["pkgconfig(zlib)".to_owned()],
    }
}

fn import_order() -> import::Order {
    let stones = assets()
        .into_iter()
        .filter(|asset| asset.kind == AssetKind::Stone)
        .map(|asset| Stone {
            file_name: asset.file_name,
            uri: asset.uri,
            sha256: asset.sha256,
            size: asset.size,
        });
    import::Order {
        channel: at("main"),
        builds: vec![BuildStones {
            build: build(),
            recipe: at("nano"),
            commit: attempt_order().commit,
            stones: stones.collect(),
        }],
    }
}

fn import_in(seq: u64, state: import::State) -> Import {
    Import {
        id: import(),
        seq,
        accepted_at: at("2026-11-22T22:03:41.25Z"),
        state,
    }
}

fn waiting() -> import::State {
    import::State::Waiting {
        on: "the stone nano-8.3-33-1-x86_64.stone could not be fetched".to_owned(),
        until: at("2026-11-22T22:03:46Z"),
    }
}

fn imports() -> Vec<Message> {
    let import = import_in;
    let finished_at = at("2026-11-22T22:03:44Z");
    let published = import::State::Published {
        history: at("20261122-220344-5a6b7c8d9e0f"),
        finished_at,
    };
    let refusal = Refusal {
        reason: RefusalReason::ReleaseLower,
        file_name: Some(at("nano-8.3-33-1-x86_64.stone")),
        message: "the channel has release 34 of nano, which is higher than 33".to_owned(),
    };
    let refused = import::State::Refused {
        refusal,
        finished_at,
    };
    vec![
        answer(
            "import-accepted",
            &import(1, import::State::Accepted { ahead: 0 }),
        ),
        answer(
            "import-fetching",
            &import(2, import::State::Fetching { done: 0, total: 1 }),
        ),
        answer("import-waiting", &import(3, waiting())),
        answer("import-publishing", &import(6, import::State::Publishing)),
        answer("import-published", &import(7, published)),
        answer("import-refused", &import(5, refused)),
    ]
}

fn channel() -> Channel {
    let newest = History {
        id: at("20261122-220344-5a6b7c8d9e0f"),
        import: Some(import()),
        published_at: at("2026-11-22T22:03:44Z"),
        packages: 2,
    };
    let first = History {
        id: at("20261122-214502-0123456789ab"),
        import: Some(at("01936b01-2c3d-7e4f-8a5b-0123456789ab")),
        published_at: at("2026-11-22T21:45:02Z"),
        packages: 1,
    };
    Channel {
        channel: at("main"),
        streams: [
            (at("stable"), first.id.clone()),
            (at("volatile"), newest.id.clone()),
        ]
        .into(),
        tags: [(at("2026-11"), first.id.clone())].into(),
        histories: vec![newest, first],
    }
}

fn target() -> Target {
    Target {
        history: at("20261122-214502-0123456789ab"),
    }
}

fn summit_status() -> Summit {
    let builds = [("building", 2), ("waiting", 7)];
    Summit {
        summit: at("summit"),
        version: "0.1.0".to_owned(),
        database: database(20_971_520),
        builds: builds
            .map(|(state, count)| (state.to_owned(), count))
            .into(),
        standstill: [(
            at("x86_64"),
            Standstill {
                reason: "every slot of every builder is taken".to_owned(),
                since: at("2026-11-22T21:45:02Z"),
            },
        )]
        .into(),
        silent_builders: [(
            at("builder-2"),
            SilentBuilder {
                since: at("2026-11-22T21:43:30Z"),
                next_try_at: at("2026-11-22T21:45:31Z"),
                builds: 2,
                builds_leave_at: at("2026-11-22T21:53:30Z"),
            },
        )]
        .into(),
        suspended: None,
        unreadable: std::collections::BTreeMap::new(),
        missing: [("snekbook/recipes".to_owned(), at("2026-11-22T21:40:00Z"))].into(),
        unread_deliveries: 1,
        looks: 1,
        commands: 0,
        effects: 0,
        presses: 0,
        check_runs: 3,
    }
}

fn unread_delivery() -> UnreadDelivery {
    UnreadDelivery {
        guid: "72d3162e-cc78-11e3-81ab-4c9367dc0958".to_owned(),
        event: "issue_comment".to_owned(),
        received_at: at("2026-11-22T21:45:02Z"),
        reason: "its body is not as GitHub describes it: missing field `comment`".to_owned(),
    }
}

fn replay() -> Replay {
    Replay {
        guid: unread_delivery().guid,
        is_read: true,
        outcome: "the command is taken".to_owned(),
    }
}

fn let_go() -> LetGo {
    LetGo {
        repositories: vec!["snekbook/recipes".to_owned()],
    }
}

fn vessel_status() -> Vessel {
    Vessel {
        vessel: at("vessel"),
        version: "0.1.0".to_owned(),
        format: "v0".to_owned(),
        database: database(52_428_800),
        imports: [(at("main"), vec![import_in(3, waiting())])].into(),
    }
}
