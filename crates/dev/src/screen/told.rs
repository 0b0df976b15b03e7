//! What is said of builds, and when: once for each step on plain output; on a terminal, where a
//! moving line shows the steps, once at the end of a build and when it has to begin again.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use api::id::BuildId;
use jiff::Timestamp;
use summit::domain::build::{Build, Progress, State, Target};

/// Where it is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Where lines can move.
    Terminal,
    /// Where a line stays as it was written.
    Plain,
}

/// What was said.
#[derive(Debug)]
pub(super) struct Told {
    kind: Kind,
    ended: BTreeSet<BuildId>,
    begun: BTreeMap<BuildId, Timestamp>,
    said: BTreeMap<BuildId, String>,
}

/// What is to be shown of a build now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct News {
    /// A line that stays, where there is something new.
    pub(super) line: Option<String>,
    /// What its moving line says, as long as it has one.
    pub(super) moving: Option<String>,
}

impl Told {
    /// Nothing was said yet.
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            ended: BTreeSet::new(),
            begun: BTreeMap::new(),
            said: BTreeMap::new(),
        }
    }

    /// Takes note of a build as it is at `now`.
    pub(super) fn hear(&mut self, build: &Build, now: Timestamp) -> News {
        if matches!(build.state, State::Building { .. }) {
            self.begun.entry(build.id).or_insert(now);
        }
        let elapsed = self
            .begun
            .get(&build.id)
            .map(|begun| now.duration_since(*begun).unsigned_abs());
        let stage = stage(build);
        if has_ended(build) {
            let is_new = self.ended.insert(build.id);
            return News {
                line: is_new.then(|| line(build, &stage, elapsed)),
                moving: None,
            };
        }
        // It can come back: a build that was held goes on when what held it is made good.
        self.ended.remove(&build.id);
        let moving = (self.kind == Kind::Terminal && is_under_way(build))
            .then(|| format!("{}: {stage}{}", label(build), seconds(elapsed)));
        let is_new = self.said.get(&build.id) != Some(&stage);
        let is_told = is_new && (self.kind == Kind::Plain || is_queued_again(build));
        let line = is_told.then(|| line(build, &stage, elapsed));
        self.said.insert(build.id, stage);
        News { line, moving }
    }
}

impl Told {
    /// Takes note of a build of which nothing is to be said unless it goes on.
    pub(super) fn pass_over(&mut self, build: &Build) {
        if has_ended(build) {
            self.ended.insert(build.id);
        }
    }
}

/// How many builds wait for others, where any does.
pub(super) fn waiting(builds: &[Build]) -> String {
    let waits = |build: &&Build| matches!(build.state, State::Waiting { .. });
    match builds.iter().filter(waits).count() {
        0 => String::new(),
        count => format!(" {count} waiting"),
    }
}

/// True when nothing will move the build by itself.
pub fn has_ended(build: &Build) -> bool {
    build.is_settled() || matches!(build.state, State::Held { .. })
}

/// How a person calls a build. One of a pull request has its number, for it is not published.
pub fn label(build: &Build) -> String {
    let mut label = build.recipe.to_string();
    if !build.version.is_empty() {
        let _ = write!(label, " {}-{}", build.version, build.release);
    }
    if let Target::Pull { number } = build.target {
        let _ = write!(label, " (#{number})");
    }
    label
}

/// Where a build is, in a word or two.
pub fn stage(build: &Build) -> String {
    match &build.state {
        State::Planned => "planned".to_owned(),
        State::Waiting { on } => match on.len() {
            1 => "waiting for 1 build".to_owned(),
            count => format!("waiting for {count} builds"),
        },
        State::Queued { .. } => "queued".to_owned(),
        State::Building { progress, .. } => match progress {
            Progress::Ordered | Progress::Accepted { .. } => "ordered".to_owned(),
            Progress::Running { phase, .. } => phase.to_string(),
        },
        State::Built(_) => "built".to_owned(),
        State::Publishing { .. } => "publishing".to_owned(),
        State::Published { .. } => "published".to_owned(),
        State::Held { .. } => "held".to_owned(),
        State::Failed(_) => "failed".to_owned(),
        State::Cancelled { .. } => "cancelled".to_owned(),
        State::Superseded { .. } => "superseded".to_owned(),
    }
}

/// True from the order on.
fn is_under_way(build: &Build) -> bool {
    match build.state {
        State::Planned | State::Waiting { .. } | State::Queued { .. } => false,
        State::Building { .. }
        | State::Built(_)
        | State::Publishing { .. }
        | State::Published { .. }
        | State::Held { .. }
        | State::Failed(_)
        | State::Cancelled { .. }
        | State::Superseded { .. } => true,
    }
}

/// True for a build whose last attempt was lost, so that it waits for another.
fn is_queued_again(build: &Build) -> bool {
    build.attempts > 0 && matches!(build.state, State::Queued { .. })
}

fn line(build: &Build, stage: &str, elapsed: Option<Duration>) -> String {
    let what = format!("{stage:>12}  {}{}", label(build), seconds(elapsed));
    match &build.state {
        State::Queued {
            reason: Some(reason),
            ..
        } if is_queued_again(build) => {
            format!("{what} again: {reason}")
        }
        State::Failed(_) | State::Held { .. } | State::Cancelled { .. } => {
            format!("{what}: {}", build.explain())
        }
        State::Planned
        | State::Waiting { .. }
        | State::Queued { .. }
        | State::Building { .. }
        | State::Built(_)
        | State::Publishing { .. }
        | State::Published { .. }
        | State::Superseded { .. } => what,
    }
}

fn seconds(elapsed: Option<Duration>) -> String {
    elapsed.map_or_else(String::new, |elapsed| format!(" ({} s)", elapsed.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const AT: &str = "2026-01-01T00:00:00Z";

    /// A build in a state, as summit tells of it.
    fn build(attempts: u32, state: &Value) -> Build {
        let id = BuildId::from_bytes([7; 16]);
        serde_json::from_value(json!({
            "id": id,
            "repository": 1,
            "target": { "target": "branch", "name": "main" },
            "commit": "c".repeat(40),
            "folder": "n/nano",
            "tree": "d".repeat(40),
            "recipe": "nano",
            "version": "8.0",
            "release": 3,
            "needs": [],
            "provides": [],
            "after": [],
            "cycle": [],
            "profile": "x86_64", "trust": { "trust": "writer" },
            "source_date_epoch": 0,
            "created_at": AT,
            "warnings": [],
            "attempts": attempts,
            "seq": 1,
            "state": state,
            "shown": { "seq": 0, "concluded": false, "past": [] },
        }))
        .unwrap()
    }

    fn building(progress: &Value) -> Value {
        json!({ "state": "building", "builder": "avalanche", "progress": progress, "since": AT })
    }

    /// A build that is lost once, held, and fails in the end, seen every ten seconds.
    fn story() -> Vec<Build> {
        let other = BuildId::from_bytes([8; 16]);
        let running =
            |phase: &str| building(&json!({ "progress": "running", "phase": phase, "since": AT }));
        let held = json!({
            "state": "held",
            "by": { "hold": "build", "build": other, "recipe": "ncurses" },
            "since": AT,
        });
        let failed = json!({
            "state": "failed", "kind": "attempt", "phase": "check",
            "message": "the check ended with status 2", "annotations": [], "at": AT,
        });
        let lost = json!({
            "state": "queued", "since": AT, "reason": "the builder was silent",
        });
        [
            (0, json!({ "state": "planned" })),
            (0, json!({ "state": "waiting", "on": [other] })),
            (0, json!({ "state": "queued", "since": AT, "reason": null })),
            (1, building(&json!({ "progress": "ordered" }))),
            (1, building(&json!({ "progress": "accepted", "ahead": 1 }))),
            (1, running("clone")),
            (1, running("build")),
            (1, running("build")),
            (1, lost),
            (1, held.clone()),
            (1, held),
            (2, running("check")),
            (2, failed.clone()),
            (2, failed),
        ]
        .iter()
        .map(|(attempts, state)| build(*attempts, state))
        .collect()
    }

    /// The lines that stay, and what moves in between, by the seconds.
    fn tell(kind: Kind) -> String {
        let begin: Timestamp = AT.parse().unwrap();
        let mut told = Told::new(kind);
        let mut text = String::new();
        for (number, build) in story().iter().enumerate() {
            let after = i64::try_from(number).unwrap() * 10;
            let now = begin + jiff::SignedDuration::from_secs(after);
            let news = told.hear(build, now);
            for (sign, said) in [("~", news.moving), ("|", news.line)] {
                if let Some(said) = said {
                    text.push_str(&format!("{after:>4} {sign} {said}\n"));
                }
            }
        }
        text
    }

    #[test]
    fn each_step_is_a_line_where_lines_stay() {
        insta::assert_snapshot!(tell(Kind::Plain));
    }

    #[test]
    fn a_terminal_keeps_ends_and_new_beginnings() {
        insta::assert_snapshot!(tell(Kind::Terminal));
    }

    /// Of an earlier start it was said how they ended; what goes on is told.
    #[test]
    fn what_is_passed_over_is_told_when_it_goes_on() {
        let story = story();
        let begin: Timestamp = AT.parse().unwrap();
        let mut told = Told::new(Kind::Plain);
        let (held, running) = (&story[9], &story[11]);
        told.pass_over(held);
        assert_eq!(told.hear(held, begin).line, None);
        let line = told.hear(running, begin).line.unwrap();
        assert!(line.contains("check  nano 8.0-3"), "{line}");
        told.pass_over(running);
        assert!(told.hear(held, begin).line.is_some());
    }

    #[test]
    fn a_pull_requests_build_has_its_number() {
        let mut build = story().remove(0);
        std::sync::Arc::make_mut(&mut build.plan).target = Target::Pull { number: 7 };
        assert_eq!(label(&build), "nano 8.0-3 (#7)");
    }

    #[test]
    fn those_that_wait_are_counted() {
        let story = story();
        assert_eq!(waiting(&story), " 1 waiting");
        assert_eq!(waiting(&story[2..]), "");
    }
}
