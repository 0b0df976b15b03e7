//! Builds for tests, one in every state.

use std::sync::Arc;

use api::attempt::{Asset, AssetKind, Phase};
use api::id::{Architecture, BuildId, CommitSha, ImportId, Sha256, TreeSha};
use jiff::Timestamp;

use super::{
    Annotation, Build, By, Failure, FailureKind, Hold, Overtaken, OwnRun, Plan, Progress, Scope,
    State, Success, Suspect, Target,
};
use crate::domain::name::RepositoryId;
use crate::domain::silence::Silence;
use crate::domain::trust::{Doubt, Stranger, Trust};

/// The id with a number. It is older than any real id.
pub(crate) fn id(number: u8) -> BuildId {
    let mut bytes = [0; 16];
    bytes[15] = number;
    BuildId::from_bytes(bytes)
}

/// A moment: `second` seconds after a fixed one.
pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

pub(crate) fn main() -> Target {
    Target::Branch {
        name: "main".to_owned(),
    }
}

pub(crate) fn pull() -> Target {
    Target::Pull { number: 7 }
}

/// The author of a pull request who may not write.
pub(crate) fn stranger() -> Stranger {
    Stranger {
        author: "stranger".to_owned(),
        doubt: Doubt::MayNotWrite,
    }
}

/// The one profile.
pub(crate) fn profile() -> Architecture {
    "x86_64".parse().unwrap()
}

/// A planned build of `recipe` for the branch main.
pub(crate) fn build(number: u8, recipe: &str) -> Build {
    let plan = Plan {
        repository: RepositoryId::new(1),
        target: main(),
        profile: profile(),
        commit: CommitSha::from_bytes([0xc0; 20]),
        folder: recipe.parse().unwrap(),
        tree: TreeSha::from_bytes([number; 20]),
        recipe: recipe.parse().unwrap(),
        check: None,
        own_run: OwnRun::Always,
        scope: Scope::Recipe,
        version: "1.2".to_owned(),
        release: 3,
        needs: Vec::new(),
        hints: Vec::new(),
        provides: vec![recipe.to_owned()],
        source_date_epoch: 1_600_000_000,
        created_at: at(0),
        warnings: Vec::new(),
        trust: Trust::Writer,
        asked_by: None,
    };
    Build::new(id(number), Arc::new(plan))
}

pub(crate) fn success() -> Success {
    let asset = |kind, name: &str| Asset {
        kind,
        file_name: name.parse().unwrap(),
        uri: format!("https://builder.example/assets/{name}")
            .parse()
            .unwrap(),
        sha256: Sha256::of(name.as_bytes()),
        size: 42,
    };
    Success {
        builder: "avalanche-1".parse().unwrap(),
        assets: vec![
            asset(AssetKind::Stone, "nano-1.2-3-1-x86_64.stone"),
            asset(AssetKind::Stone, "nano-docs-1.2-3-1-x86_64.stone"),
            asset(AssetKind::Manifest, "manifest.x86_64.bin"),
        ],
        host: Sha256::of(b"host"),
        at: at(50),
        released_at: None,
    }
}

pub(crate) fn failure(kind: FailureKind, phase: Option<Phase>) -> Failure {
    Failure {
        kind,
        phase,
        message: "it did not work".to_owned(),
        annotations: vec![Annotation {
            path: "nano/stone.yaml".to_owned(),
            line: 4,
            is_error: true,
            title: "hash-mismatch".to_owned(),
            message: "another hash".to_owned(),
        }],
        at: at(60),
    }
}

fn building(progress: Progress) -> State {
    State::Building {
        builder: "avalanche-1".parse().unwrap(),
        progress,
        since: at(10),
        silence: None,
    }
}

/// From 22:13 to 22:18, asked again at 22:14.
pub(crate) fn silence() -> Silence {
    Silence {
        since: at(0),
        next: at(61),
        until: at(300),
    }
}

fn held(by: Hold) -> State {
    State::Held { by, since: at(5) }
}

/// A build in every state, each with a label that is unique.
pub(crate) fn every_state() -> Vec<(&'static str, Build)> {
    let queued = |reason: Option<&str>| State::Queued {
        since: at(5),
        reason: reason.map(str::to_owned),
    };
    let import = ImportId::from_bytes([9; 16]);
    let states = [
        ("planned", State::Planned),
        ("waiting", State::Waiting { on: vec![id(90)] }),
        (
            "waiting for two",
            State::Waiting {
                on: vec![id(90), id(91)],
            },
        ),
        ("queued", queued(None)),
        (
            "queued, delayed",
            queued(Some("every slot of every builder is taken")),
        ),
        ("building, ordered", building(Progress::Ordered)),
        (
            "building, accepted",
            building(Progress::Accepted { ahead: 2 }),
        ),
        (
            "building, running",
            building(Progress::Running {
                phase: Phase::Build,
                since: at(20),
            }),
        ),
        ("built", State::Built(success())),
        ("built for a pull request", State::Built(success())),
        (
            "built for a pull request, released",
            State::Built(Success {
                released_at: Some(at(70)),
                ..success()
            }),
        ),
        (
            "publishing",
            State::Publishing {
                import,
                built: success(),
                overtaken: None,
                standing: None,
            },
        ),
        (
            "publishing, overtaken",
            State::Publishing {
                import,
                built: success(),
                overtaken: Some(Overtaken { by: Some(id(98)) }),
                standing: None,
            },
        ),
        (
            "published",
            State::Published {
                history: "2024-01-01-abc".parse().unwrap(),
                at: at(70),
            },
        ),
        (
            "held by a build",
            held(Hold::Build {
                build: id(90),
                recipe: "libnano".to_owned(),
            }),
        ),
        (
            "held by needs",
            held(Hold::Needs {
                missing: vec!["pkgconfig(x)".to_owned()],
            }),
        ),
        (
            "held by suspects",
            held(Hold::Suspected {
                missing: vec!["pkgconfig(x)".to_owned()],
                of: vec![Suspect {
                    build: id(77),
                    recipe: "libx".to_owned(),
                }],
            }),
        ),
        (
            "held by scattered needs",
            held(Hold::Scattered {
                lacking: [
                    (
                        "avalanche-1".parse().unwrap(),
                        vec!["pkgconfig(x)".to_owned()],
                    ),
                    ("avalanche-2".parse().unwrap(), vec!["binary(y)".to_owned()]),
                ]
                .into(),
            }),
        ),
        (
            "held, too large",
            held(Hold::TooLarge {
                reason:
                    "The pull request changes 700 recipes, and at most 500 are planned at once."
                        .to_owned(),
            }),
        ),
        ("held by approval", held(Hold::Approval(stranger()))),
        ("held as a draft", held(Hold::Draft)),
        (
            "failed, name taken",
            State::Failed(failure(FailureKind::NameTaken, None)),
        ),
        (
            "failed, recipe",
            State::Failed(failure(FailureKind::Recipe, None)),
        ),
        (
            "failed, attempt",
            State::Failed(failure(FailureKind::Attempt, Some(Phase::Fetch))),
        ),
        (
            "failed, lost",
            State::Failed(failure(FailureKind::Lost, None)),
        ),
        (
            "failed, refused",
            State::Failed(failure(FailureKind::Refused, None)),
        ),
        (
            "cancelled, published already",
            State::Cancelled {
                by: By::AlreadyPublished { release: 3 },
                at: at(1),
            },
        ),
        (
            "cancelled, closed",
            State::Cancelled {
                by: By::PullClosed,
                at: at(1),
            },
        ),
        (
            "cancelled, person",
            State::Cancelled {
                by: By::Person {
                    login: "ada".to_owned(),
                },
                at: at(1),
            },
        ),
        (
            "superseded",
            State::Superseded {
                by: Some(id(99)),
                at: at(1),
            },
        ),
        (
            "superseded, gone",
            State::Superseded {
                by: None,
                at: at(1),
            },
        ),
        (
            "building, silent",
            State::Building {
                builder: "avalanche-1".parse().unwrap(),
                progress: Progress::Ordered,
                since: at(10),
                silence: Some(silence()),
            },
        ),
    ];
    states
        .into_iter()
        .map(|(name, state)| {
            let mut build = build(1, "nano");
            if name.starts_with("built for a pull request") {
                build.target = pull();
            }
            let begun = matches!(
                state,
                State::Building { .. }
                    | State::Built(_)
                    | State::Publishing { .. }
                    | State::Published { .. }
            ) || name == "failed, attempt";
            build.attempts = u32::from(begun);
            build.state = state;
            (name, build)
        })
        .collect()
}
