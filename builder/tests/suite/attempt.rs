//! Attempts from the order to the assets, over HTTP and with a real git server.

mod assets;
mod bench;
mod containment;
mod corpus;
mod killed;
mod life;
mod limits;
mod recipes;
mod requests;
mod sources;

use api::attempt::{Failure, Order, Phase, State};
use api::id::{AttemptId, BuildId};
use bench::{Bench, archive};

/// A program of one file.
pub(crate) fn program_archive() -> Vec<u8> {
    archive(&[
        ("tool-1.0/tool.c", "int main(void) { return 0; }\n"),
        (
            "tool-1.0/Makefile",
            "all: tool\ninstall:\n\tinstall -Dm755 tool $(DESTDIR)/usr/bin/tool\n",
        ),
    ])
}

/// A recipe with these keys after the ones that every recipe has.
pub(crate) fn recipe(rest: &str) -> String {
    format!(
        "name: tool\nversion: \"1.0\"\nrelease: 1\nhomepage: https://example.org\n\
         license: MPL-2.0\nsummary: A tool\ndescription: A tool\n{rest}"
    )
}

pub(crate) fn program_recipe(bench: &Bench) -> String {
    let (_, sha256) = bench.put(&program_archive());
    recipe(&format!(
        "upstreams:\n    - https://upstream.invalid/tool-1.0.tar.gz: {sha256}\n\
         toolchain: gnu\nbuild: |\n    %make\ninstall: |\n    %make_install\n"
    ))
}

pub(crate) fn failure(state: State) -> Failure {
    match state {
        State::Failed { failure, .. } => failure,
        State::Accepted { .. }
        | State::Running { .. }
        | State::Succeeded { .. }
        | State::Cancelled { .. }
        | State::Expired { .. } => panic!("not failed: {state:?}"),
    }
}

/// An order whose build runs until it is stopped.
pub(crate) fn endless(bench: &Bench, name: &str) -> Order {
    let recipe = recipe("build: |\n    echo up\n    sleep 7200\ninstall: |\n    true\n");
    bench.repository(name, &[("tool/stone.yaml", &recipe)])
}

pub(crate) fn is_building(state: &State) -> bool {
    matches!(
        state,
        State::Running {
            phase: Phase::Build,
            ..
        }
    )
}

pub(crate) fn new_id() -> AttemptId {
    AttemptId::new(BuildId::new(), 1)
}
