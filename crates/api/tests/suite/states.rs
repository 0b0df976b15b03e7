//! States of attempts and imports read back, whatever stands in them.

use std::fmt::Debug;

use api::attempt::{self, Asset, AssetKind, Failure, Phase, Reason};
use api::id::{FileName, Sha256};
use api::import::{self, Refusal, RefusalReason};
use jiff::Timestamp;
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

fn check<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    let json = serde_json::to_string(value).unwrap();
    assert_eq!(&serde_json::from_str::<T>(&json).unwrap(), value, "{json}");
}

fn time() -> impl Strategy<Value = Timestamp> {
    (0..4_000_000_000i64, 0..1_000_000_000i32)
        .prop_map(|(second, nanosecond)| Timestamp::new(second, nanosecond).unwrap())
}

fn sha256() -> impl Strategy<Value = Sha256> {
    any::<[u8; 32]>().prop_map(Sha256::from_bytes)
}

fn file_name() -> impl Strategy<Value = FileName> {
    "[a-z][a-z0-9._+-]{0,20}\\.stone".prop_map(|name| name.parse().unwrap())
}

fn phase() -> impl Strategy<Value = Phase> {
    prop::sample::select(vec![
        Phase::Clone,
        Phase::Fetch,
        Phase::Prepare,
        Phase::Setup,
        Phase::Build,
        Phase::Install,
        Phase::Check,
        Phase::Package,
    ])
}

fn reason() -> impl Strategy<Value = Reason> {
    prop_oneof![
        Just(Reason::CloneFailed),
        any::<Option<u32>>().prop_map(|line| Reason::RecipeInvalid { line }),
        (any::<String>(), sha256(), sha256()).prop_map(|(url, expected, actual)| {
            Reason::HashMismatch {
                url,
                expected,
                actual,
            }
        }),
        any::<String>().prop_map(|url| Reason::FetchFailed { url }),
        any::<String>().prop_map(|url| Reason::SourceMissing { url }),
        Just(Reason::UnpackFailed),
        any::<Vec<String>>().prop_map(|missing| Reason::HostLacks { missing }),
        any::<Option<i32>>().prop_map(|exit_status| Reason::ScriptFailed { exit_status }),
        any::<String>().prop_map(|limit| Reason::LimitReached { limit }),
        Just(Reason::SandboxRefused),
        (any::<u64>(), any::<u64>()).prop_map(|(free, needed)| Reason::DiskFull { free, needed }),
        Just(Reason::PackagingFailed),
        Just(Reason::Interrupted),
        Just(Reason::Internal),
    ]
}

fn asset() -> impl Strategy<Value = Asset> {
    let kind = prop::sample::select(vec![
        AssetKind::Stone,
        AssetKind::Manifest,
        AssetKind::ManifestText,
    ]);
    (kind, file_name(), sha256(), any::<u64>()).prop_map(|(kind, file_name, sha256, size)| Asset {
        uri: format!("https://builder.example.org/assets/{file_name}")
            .parse()
            .unwrap(),
        kind,
        file_name,
        sha256,
        size,
    })
}

fn attempt_state() -> impl Strategy<Value = attempt::State> {
    prop_oneof![
        any::<u32>().prop_map(|ahead| attempt::State::Accepted { ahead }),
        (phase(), time()).prop_map(|(phase, since)| attempt::State::Running { phase, since }),
        (prop::collection::vec(asset(), 0..4), sha256(), time()).prop_map(
            |(assets, host, finished_at)| attempt::State::Succeeded {
                assets,
                host,
                finished_at
            }
        ),
        (phase(), reason(), any::<String>(), time()).prop_map(
            |(phase, reason, message, finished_at)| attempt::State::Failed {
                failure: Failure {
                    phase,
                    reason,
                    message
                },
                finished_at
            }
        ),
        time().prop_map(|finished_at| attempt::State::Cancelled { finished_at }),
        time().prop_map(|finished_at| attempt::State::Expired { finished_at }),
    ]
}

fn refusal() -> impl Strategy<Value = Refusal> {
    let reason = prop::sample::select(vec![
        RefusalReason::HashMismatch,
        RefusalReason::AssetGone,
        RefusalReason::StoneInvalid,
        RefusalReason::StoneMismatch,
        RefusalReason::ReleaseLower,
        RefusalReason::ReleaseTaken,
        RefusalReason::DuplicateName,
        RefusalReason::SourceMismatch,
        RefusalReason::ChannelFull,
    ]);
    (reason, prop::option::of(file_name()), any::<String>()).prop_map(
        |(reason, file_name, message)| Refusal {
            reason,
            file_name,
            message,
        },
    )
}

fn import_state() -> impl Strategy<Value = import::State> {
    prop_oneof![
        any::<u32>().prop_map(|ahead| import::State::Accepted { ahead }),
        any::<(u32, u32)>().prop_map(|(done, total)| import::State::Fetching { done, total }),
        (any::<String>(), time()).prop_map(|(on, until)| import::State::Waiting { on, until }),
        Just(import::State::Publishing),
        time().prop_map(|finished_at| import::State::Published {
            history: "20261122-220344-5a6b7c8d9e0f".parse().unwrap(),
            finished_at
        }),
        (refusal(), time()).prop_map(|(refusal, finished_at)| import::State::Refused {
            refusal,
            finished_at
        }),
    ]
}

proptest! {
    #[test]
    fn attempts_read_back(state in attempt_state(), seq in any::<u64>(), accepted_at in time()) {
        check(&state);
        check(&attempt::Attempt {
            network: attempt::Network::Host,
            id: "01936b0e-7d2c-7a31-9c5e-2f1b8a4d6c70.1".parse().unwrap(),
            seq,
            accepted_at,
            state,
        });
    }

    #[test]
    fn imports_read_back(state in import_state(), seq in any::<u64>(), accepted_at in time()) {
        check(&state);
        check(&import::Import {
            id: "01936b12-04aa-7be0-8f3d-5a6b7c8d9e0f".parse().unwrap(),
            seq,
            accepted_at,
            state,
        });
    }

    /// No JSON makes reading panic.
    #[test]
    fn hostile_states_are_errors(text in any::<String>()) {
        let _ = serde_json::from_str::<attempt::State>(&text);
        let json = serde_json::json!({ "state": text });
        prop_assert!(serde_json::from_value::<attempt::State>(json.clone()).is_err());
        // `publishing` has no fields of its own.
        let read = serde_json::from_value::<import::State>(json);
        prop_assert_eq!(read.is_ok(), text == "publishing");
    }
}
