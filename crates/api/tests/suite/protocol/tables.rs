//! The tables of the document: how each row must begin.

use api::attempt::{Phase, Reason};
use api::claims::{LEEWAY, MAX_LIFETIME, Scope};
use api::id::Sha256;
use api::import::RefusalReason;
use api::problem::Code;
use serde::Serialize;
use serde_json::Value;

/// The beginnings of all rows, and of the lines that state a limit of the types.
pub(crate) fn rows() -> Vec<String> {
    let codes = codes().map(|code| format!("| `{code}` | {} |", code.status()));
    let scopes = scopes().map(|scope| format!("| `{}` |", word(&scope)));
    let phases = phases().map(|phase| format!("| `{phase}` |"));
    let refusals = refusals().map(|reason| format!("| `{}` |", word(&reason)));
    let mut rows: Vec<String> = codes.into_iter().chain(scopes).chain(phases).collect();
    rows.extend(refusals);
    rows.extend(reasons().iter().map(reason));
    rows.push(format!("- `exp`: at most {MAX_LIFETIME} seconds"));
    rows.push(format!("- Clocks may be {LEEWAY} seconds apart"));
    rows
}

/// A reason's row: its word, its fields, whether another attempt may help.
fn reason(reason: &Reason) -> String {
    let Value::Object(fields) = serde_json::to_value(reason).unwrap() else {
        panic!("a reason is an object");
    };
    let mut names: Vec<String> = fields
        .keys()
        .filter(|key| *key != "reason")
        .map(|key| format!("`{key}`"))
        .collect();
    names.sort();
    let word = fields["reason"].as_str().unwrap_or_default();
    let again = if reason.is_transient() { "yes" } else { "no" };
    format!("| `{word}` | {} | {again} |", names.join(", "))
}

fn word(value: &impl Serialize) -> String {
    let value = serde_json::to_value(value).unwrap();
    value.as_str().unwrap().to_owned()
}

fn codes() -> [Code; 11] {
    let all = [
        Code::Malformed,
        Code::Unauthenticated,
        Code::Forbidden,
        Code::NotFound,
        Code::Conflict,
        Code::Gone,
        Code::TooLarge,
        Code::Invalid,
        Code::Internal,
        Code::Unavailable,
        Code::NoRoom,
    ];
    for code in all {
        // A new code does not compile here until it is listed above.
        match code {
            Code::Malformed
            | Code::Unauthenticated
            | Code::Forbidden
            | Code::NotFound
            | Code::Conflict
            | Code::Gone
            | Code::TooLarge
            | Code::Invalid
            | Code::Internal
            | Code::Unavailable
            | Code::NoRoom => assert_eq!(word(&code), code.to_string()),
        }
    }
    all
}

fn scopes() -> [Scope; 6] {
    let all = [
        Scope::Attempts,
        Scope::Status,
        Scope::Reports,
        Scope::Operate,
        Scope::Imports,
        Scope::Channels,
    ];
    for scope in all {
        match scope {
            Scope::Attempts
            | Scope::Status
            | Scope::Reports
            | Scope::Operate
            | Scope::Imports
            | Scope::Channels => {}
        }
    }
    all
}

fn phases() -> [Phase; 8] {
    let all = [
        Phase::Clone,
        Phase::Fetch,
        Phase::Prepare,
        Phase::Setup,
        Phase::Build,
        Phase::Install,
        Phase::Check,
        Phase::Package,
    ];
    assert!(all.is_sorted(), "the phases stand in their order");
    for phase in all {
        match phase {
            Phase::Clone
            | Phase::Fetch
            | Phase::Prepare
            | Phase::Setup
            | Phase::Build
            | Phase::Install
            | Phase::Check
            | Phase::Package => assert_eq!(word(&phase), phase.to_string()),
        }
    }
    all
}

fn refusals() -> [RefusalReason; 9] {
    let all = [
        RefusalReason::HashMismatch,
        RefusalReason::AssetGone,
        RefusalReason::StoneInvalid,
        RefusalReason::StoneMismatch,
        RefusalReason::ReleaseLower,
        RefusalReason::ReleaseTaken,
        RefusalReason::DuplicateName,
        RefusalReason::SourceMismatch,
        RefusalReason::ChannelFull,
    ];
    for reason in all {
        match reason {
            RefusalReason::HashMismatch
            | RefusalReason::AssetGone
            | RefusalReason::StoneInvalid
            | RefusalReason::StoneMismatch
            | RefusalReason::ReleaseLower
            | RefusalReason::ReleaseTaken
            | RefusalReason::DuplicateName
            | RefusalReason::SourceMismatch
            | RefusalReason::ChannelFull => {}
        }
    }
    all
}

fn reasons() -> Vec<Reason> {
    let url = || "https://example.org/a.tar.xz".to_owned();
    let all = vec![
        Reason::CloneFailed,
        Reason::RecipeInvalid { line: Some(1) },
        Reason::HashMismatch {
            url: url(),
            expected: Sha256::of(b"expected"),
            actual: Sha256::of(b"actual"),
        },
        Reason::FetchFailed { url: url() },
        Reason::SourceMissing { url: url() },
        Reason::UnpackFailed,
        Reason::HostLacks {
            missing: vec!["binary(gcc)".to_owned()],
        },
        Reason::ScriptFailed {
            exit_status: Some(1),
        },
        Reason::LimitReached {
            limit: "wall_seconds".to_owned(),
        },
        Reason::SandboxRefused,
        Reason::PackagingFailed,
        Reason::DiskFull { free: 1, needed: 2 },
        Reason::Interrupted,
        Reason::Internal,
    ];
    for reason in &all {
        match reason {
            Reason::CloneFailed
            | Reason::RecipeInvalid { .. }
            | Reason::HashMismatch { .. }
            | Reason::FetchFailed { .. }
            | Reason::SourceMissing { .. }
            | Reason::UnpackFailed
            | Reason::HostLacks { .. }
            | Reason::ScriptFailed { .. }
            | Reason::LimitReached { .. }
            | Reason::SandboxRefused
            | Reason::PackagingFailed
            | Reason::DiskFull { .. }
            | Reason::Interrupted
            | Reason::Internal => {}
        }
    }
    all
}
