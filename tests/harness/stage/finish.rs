//! The end of a test: nothing may be left undone or unread.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use api::id::AttemptId;
use api::status::Summit as Status;
use forge::Point;
use summit::db::Tables;
use summit::domain::build::{Build, State};

use super::Stage;
use super::hosts::find_status;
use crate::openapi::{OpenApi, Sender};

/// How long the forge may take to end.
const GRACE: Duration = Duration::from_secs(10);

impl Stage {
    /// Looks for leftovers, and stops the services in order.
    pub(super) async fn finish(&mut self) -> Result<()> {
        for actor in self.actors() {
            ensure!(actor.is_up(), "{} does not run at the end", actor.name());
        }
        // A sweep must not ask for a delivery again just when summit is stopped.
        let calm = self
            .forge
            .pause(Point::rest("POST", "/app/hook/deliveries/*/attempts"));
        self.rest().await?;
        let unmet = self.forge.armed_failures();
        ensure!(
            unmet.is_empty(),
            "these failures were armed and met nobody: {unmet:?}"
        );
        let unread = self.unread();
        ensure!(unread.is_empty(), "nobody read these comments: {unread:?}");
        self.published().await?.verify().await?;
        self.summit.stop().await?;
        calm.resume();
        self.avalanche.stop().await?;
        if let Some(second) = &mut self.second {
            second.stop().await?;
        }
        self.vessel.stop().await?;
        let left = self.supervisor.shutdown(GRACE).await;
        ensure!(left.is_empty(), "the forge does not end: {left:?}");
        self.look_into_summit()?;
        self.look_for_secrets()?;
        self.judge()?;
        let mut errors = Vec::new();
        for actor in self.actors() {
            errors.extend(actor.log().errors());
        }
        for expected in &self.expected_errors {
            let before = errors.len();
            errors.retain(|line| !line.contains(expected));
            ensure!(errors.len() < before, "no service logs {expected:?}");
        }
        ensure!(
            errors.is_empty(),
            "the services report faults:\n{}",
            errors.join("\n")
        );
        Ok(())
    }

    /// Expects that a service logs an error with this text. Any other error fails the test.
    pub fn expect_error(&mut self, text: &'static str) {
        self.expected_errors.push(text);
    }

    /// Waits until everything has come to rest.
    ///
    /// # Errors
    /// When it does not in time.
    pub async fn rest(&mut self) -> Result<()> {
        let mut left = Vec::new();
        let rested = self
            .until_within(self.end_limit, "an end of all jobs", async |stage| {
                left = stage.jobs().await?;
                Ok(left.is_empty().then_some(()))
            })
            .await;
        rested.with_context(|| format!("these are left: {left:#?}"))
    }

    /// What is still at work, or was not tidied up.
    async fn jobs(&self) -> Result<Vec<String>> {
        let mut left = Vec::new();
        if self.forge.webhooks_in_flight() > 0 {
            left.push("webhooks on their way".to_owned());
        }
        for name in self.repositories() {
            for run in self.forge.check_runs(name) {
                if run.status.conclusion().is_none() {
                    left.push(format!("the check run {:?} is open", run.name));
                }
            }
        }
        left.extend(self.open_deliveries());
        left.extend(self.open_work().await?);
        let builds = self.builds().await?;
        for build in &builds {
            if !is_at_rest(build) {
                let state = build.state.name();
                left.push(format!("the build of {} is {state}", build.recipe));
            }
        }
        for builder in &self.to_builders {
            let Some(status) = find_status(builder).await? else {
                left.push(format!("{} looks at its host", builder.service()));
                continue;
            };
            let attempts = status.attempts.iter();
            left.extend(attempts.map(|attempt| format!("the attempt {attempt} is at work")));
        }
        left.extend(self.kept_assets(&builds)?);
        for entry in read_names(&self.data("vessel").join("staging"))? {
            left.push(format!("the import {entry} has staged files"));
        }
        for builder in self.builders() {
            for entry in read_names(&self.data(builder.name()).join("work"))? {
                left.push(format!("the attempt {entry} has a workspace"));
            }
        }
        Ok(left)
    }

    /// Webhooks that somebody took for summit, and of which it says nothing.
    fn open_deliveries(&self) -> Vec<String> {
        let log = self.summit.log().lines();
        let done = |guid: &str| {
            let is_about = |line: &&String| line.contains(guid) && line.contains("\"delivery: ");
            log.iter().any(|line| is_about(&line))
        };
        self.forge
            .deliveries()
            .iter()
            .filter(|row| row.outcome.code() == 200 && !done(&row.guid.to_string()))
            .map(|row| format!("the delivery {} of {} is open", row.guid, row.event))
            .collect()
    }

    /// What summit says that it has still to do. An effect can be seen before it is written down as
    /// done, and summit is not to be stopped in between.
    pub(super) async fn open_work(&self) -> Result<Vec<String>> {
        let status = self.summit_status().await?;
        let open = [
            ("looks", status.looks),
            ("commands", status.commands),
            ("presses", status.presses),
            ("effects", status.effects),
            ("check runs", status.check_runs),
        ];
        let left = open.into_iter().filter(|(_, count)| *count > 0);
        Ok(left
            .map(|(what, count)| format!("summit has {count} {what} to do"))
            .collect())
    }

    /// What summit says of itself.
    pub async fn summit_status(&self) -> Result<Status> {
        let (status, body) = self.get("api/v1/status").await?;
        ensure!(status == 200, "summit's status: {status}: {body}");
        Ok(serde_json::from_str(&body)?)
    }

    /// Assets that nobody will fetch any more.
    fn kept_assets(&self, builds: &[Build]) -> Result<Vec<String>> {
        let mut kept = Vec::new();
        for builder in self.builders() {
            kept.extend(read_names(&self.data(builder.name()).join("assets"))?);
        }
        let wanted: Vec<String> = builds
            .iter()
            .filter(|build| matches!(build.state, State::Built(_)))
            .map(|build| AttemptId::new(build.id, build.attempts).to_string())
            .collect();
        Ok(kept
            .into_iter()
            .filter(|name| !wanted.contains(name))
            .map(|name| format!("the attempt {name} was not released"))
            .collect())
    }

    /// Nothing may be left in the tables of work to do.
    fn look_into_summit(&self) -> Result<()> {
        let (environment, tables) = Tables::open(&self.data("summit"), &"x86_64".parse()?)?;
        environment.read(|txn| {
            let (under_way, unreadable) = tables.builds_under_way(txn)?;
            ensure!(unreadable.is_empty(), "not to be read: {unreadable:?}");
            let mut unshown = 0;
            for build in under_way.iter().filter(|build| !build.is_shown()) {
                let key = build.repository.number();
                let repository = tables.repositories.find(txn, &key)?;
                unshown += u64::from(repository.is_none_or(|row| row.gone_at.is_none()));
            }
            let left = [
                ("looks", tables.looks.len(txn)?),
                ("effects", tables.outbox.len(txn)?),
                ("commands", tables.commands_open.iter(txn)?.count() as u64),
                ("presses", tables.presses.len(txn)?),
                ("builds not shown", unshown),
            ];
            for row in tables.repositories.iter(txn)? {
                let (_, row) = row?;
                ensure!(
                    row.gone_at.is_none() || !self.forge.has_app(&row.name.to_string()),
                    "{} is not gone",
                    row.name
                );
            }
            let left: Vec<_> = left.iter().filter(|(_, count)| *count > 0).collect();
            ensure!(left.is_empty(), "summit has work left: {left:?}");
            for build in under_way.iter().filter(|build| build.is_active()) {
                if !is_at_rest(build) {
                    bail!("the build of {} is {}", build.recipe, build.state.name());
                }
            }
            Ok(())
        })
    }

    /// Credentials may stand in no log and no file, but for the keys' own folder.
    fn look_for_secrets(&self) -> Result<()> {
        let secret = self.webhook_secret()?;
        // The beginnings of an installation's token and of a JWT.
        let marks = [secret.trim(), "ghs_", "eyJ0eXAiOiJKV1Qi", "eyJhbGciOi"];
        for actor in self.actors() {
            for line in actor.log().lines() {
                let found = marks.iter().find(|mark| line.contains(**mark));
                ensure!(
                    found.is_none(),
                    "a secret in the log of {}: {line}",
                    actor.name()
                );
            }
            let marks = marks.map(str::as_bytes);
            if let Some(file) = find_file_with(&self.data(actor.name()), &marks)? {
                bail!("a secret in {}", file.display());
            }
        }
        Ok(())
    }

    /// Holds what passed between summit and the forge against GitHub's own description.
    fn judge(&self) -> Result<()> {
        static DESCRIPTION: OnceLock<Option<OpenApi>> = OnceLock::new();
        let description = match DESCRIPTION.get() {
            Some(description) => description,
            None => {
                let read = OpenApi::find()?;
                DESCRIPTION.get_or_init(|| read)
            }
        };
        let Some(api) = description else {
            return Ok(());
        };
        let mut problems = api.judge_all(Sender::Service, &self.forge.traffic());
        for event in self.forge.sent_webhooks() {
            problems.extend(api.judge_webhook(&event));
        }
        problems.sort();
        problems.dedup();
        ensure!(
            problems.is_empty(),
            "GitHub would not say so:\n{}",
            problems.join("\n")
        );
        Ok(())
    }
}

/// Whether nothing but a person or another push moves the build.
fn is_at_rest(build: &Build) -> bool {
    match &build.state {
        State::Held { .. } => true,
        State::Planned
        | State::Waiting { .. }
        | State::Queued { .. }
        | State::Building { .. }
        | State::Built(_)
        | State::Publishing { .. }
        | State::Published { .. }
        | State::Failed(_)
        | State::Cancelled { .. }
        | State::Superseded { .. } => build.is_settled(),
    }
}

/// A file below `folder` that holds one of `marks`.
fn find_file_with(folder: &Path, marks: &[&[u8]]) -> Result<Option<PathBuf>> {
    for entry in std::fs::read_dir(folder)? {
        let (path, kind) = entry.and_then(|entry| Ok((entry.path(), entry.file_type()?)))?;
        let found = if kind.is_dir() {
            find_file_with(&path, marks)?
        } else if kind.is_file() {
            let bytes = std::fs::read(&path)?;
            let holds = |mark: &&[u8]| memchr::memmem::find(&bytes, mark).is_some();
            marks.iter().any(holds).then_some(path)
        } else {
            None
        };
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

fn read_names(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(names),
        Err(error) => return Err(error.into()),
    };
    for entry in entries {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    Ok(names)
}
