//! Following builds to their end, and reading how they ended: from summit, the forge and the channel,
//! each over HTTP as anybody could.

use std::time::Duration;

use api::id::BuildId;
use jiff::Timestamp;
use moss_format::Index;
use summit::domain::build::{Build, State};
use summit::domain::tail;
use tokio::time::Instant;
use url::Url;

use super::installs::Used;
use super::{Error, PLANNING, Session};
use crate::outcome::{BuildEnd, CheckRun, EndState, find_reason};
use crate::screen::{Lines, Screen, has_ended};

/// How often summit is asked how far it is, at most.
const PACE: Duration = Duration::from_millis(250);

/// How many times as long as an answer takes is waited before the next question.
const PATIENCE: u32 = 5;

/// How long check runs may take to say what their builds say: many builds that end at once are held
/// up by summit's budget of writes.
const CONCLUDING: Duration = Duration::from_secs(300);

/// The most builds that summit is asked for.
const MOST_BUILDS: usize = 10_000;

/// How much of a failed build's log is shown.
const TAIL_LINES: usize = 40;
const TAIL_BYTES: usize = 16 << 10;

impl Session {
    /// Shows the builds until none of them moves any more, and reads how everything ended.
    ///
    /// # Errors
    /// When a service stops to answer.
    pub async fn follow(&self, screen: &Screen) -> Result<EndState, Error> {
        let mut lines = Lines::new(screen);
        loop {
            let builds = self.follow_builds(&mut lines).await?;
            let check_runs = self.check_runs(&builds).await?;
            // What was held may have gone on when the last build was published.
            let again = self.builds().await?;
            if again
                .iter()
                .map(|b| &b.state)
                .eq(builds.iter().map(|b| &b.state))
            {
                drop(lines);
                return self.end(builds, check_runs, screen).await;
            }
        }
    }

    async fn follow_builds(&self, lines: &mut Lines) -> Result<Vec<Build>, Error> {
        let begun = Instant::now();
        loop {
            let asked = Instant::now();
            let builds = self.builds().await?;
            lines.show(&builds, self.now());
            if builds.is_empty() && begun.elapsed() > PLANNING {
                return Err(Error::NothingPlanned);
            }
            if !builds.is_empty() && builds.iter().all(has_ended) {
                return Ok(builds);
            }
            tokio::time::sleep(PACE.max(asked.elapsed() * PATIENCE)).await;
        }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The end of the log of the first build that failed.
    ///
    /// # Errors
    /// When summit does not answer.
    pub async fn log_of_failure(&self) -> Result<Option<String>, Error> {
        let builds = self.builds().await?;
        let failed = |build: &&Build| matches!(build.state, State::Failed(_)) && build.attempts > 0;
        let Some(build) = builds.iter().find(failed) else {
            return Ok(None);
        };
        let log = BuildEnd::new(build, &self.line.summit).log;
        let bytes = self.fetch(log).await?;
        Ok(Some(tail::tail(&bytes, TAIL_LINES, TAIL_BYTES)))
    }

    /// All builds, in the order in which they were planned.
    async fn builds(&self) -> Result<Vec<Build>, Error> {
        let url = self
            .line
            .summit
            .join(&format!("api/v1/builds?limit={MOST_BUILDS}"))?;
        let failed = |source| Error::Call {
            url: url.clone(),
            source,
        };
        let answer = self.http.get(url.clone()).send().await.map_err(failed)?;
        let answer = answer.error_for_status().map_err(failed)?;
        let mut builds: Vec<Build> = answer.json().await.map_err(failed)?;
        builds.reverse();
        Ok(builds)
    }

    async fn fetch(&self, url: Url) -> Result<Vec<u8>, Error> {
        let failed = |source| Error::Call {
            url: url.clone(),
            source,
        };
        let answer = self.http.get(url.clone()).send().await.map_err(failed)?;
        let answer = answer.error_for_status().map_err(failed)?;
        Ok(answer.bytes().await.map_err(failed)?.to_vec())
    }

    async fn end(
        &self,
        builds: Vec<Build>,
        check_runs: Vec<CheckRun>,
        screen: &Screen,
    ) -> Result<EndState, Error> {
        let published = builds.iter().filter_map(|build| match &build.state {
            State::Published { history, at } => Some((at, history)),
            State::Planned
            | State::Waiting { .. }
            | State::Queued { .. }
            | State::Building { .. }
            | State::Built(_)
            | State::Publishing { .. }
            | State::Held { .. }
            | State::Failed(_)
            | State::Cancelled { .. }
            | State::Superseded { .. } => None,
        });
        let history = published
            .max_by_key(|(at, _)| **at)
            .map(|(_, history)| history.clone());
        let packages = match &history {
            Some(_) => self.packages().await?,
            None => Vec::new(),
        };
        let absent = builds.iter().find(|build| {
            let name = format!("{}-{}-{}-", build.recipe, build.version, build.release);
            !packages.iter().any(|package| package.starts_with(&name))
        });
        let absent = absent.map(|build| format!("the index does not list {}", build.recipe));
        let unpublished = find_reason(&builds).or(absent);
        let used = match &unpublished {
            None => self.use_what_is_published(&builds, screen).await?,
            Some(_) => Used::LeftOut,
        };
        let published = unpublished.is_none();
        let (installed, unusable) = match used {
            Used::Ran(installed) => (Some(installed), None),
            Used::Failed(reason) => (None, Some(reason)),
            Used::LeftOut => (None, None),
        };
        Ok(EndState {
            published,
            reason: unpublished.or(unusable),
            installed,
            history,
            commit: self.commit.clone(),
            check_runs,
            builds: builds
                .iter()
                .map(|build| BuildEnd::new(build, &self.line.summit))
                .collect(),
            packages,
            urls: self.urls.clone(),
        })
    }

    /// What the index lists, in the way that files of packages are named.
    async fn packages(&self) -> Result<Vec<String>, Error> {
        let bytes = self.fetch(self.urls.index.clone()).await?;
        let index = Index::decode(&bytes)?;
        let names = index.packages.iter().map(|meta| {
            format!(
                "{}-{}-{}-{}-{}",
                meta.name, meta.version, meta.release, meta.build_release, meta.architecture
            )
        });
        Ok(names.collect())
    }

    /// The newest check run of each build, once all have ended.
    async fn check_runs(&self, builds: &[Build]) -> Result<Vec<CheckRun>, Error> {
        let ids: Vec<BuildId> = builds.iter().map(|build| build.id).collect();
        let runs = self
            .line
            .forge
            .wait_for("the end of all check runs", CONCLUDING, |forge| {
                find_ended(&ids, &forge.check_runs(&self.repository))
            });
        Ok(runs.await?)
    }
}

/// The newest check run of each build, if all have ended. A run says by its `external_id` whose it
/// is; two builds can have runs of one name.
fn find_ended(builds: &[BuildId], runs: &[forge::CheckRun]) -> Option<Vec<CheckRun>> {
    builds
        .iter()
        .map(|id| {
            let id = id.to_string();
            let mut runs = runs.iter().rev();
            runs.find(|run| run.external_id.as_deref() == Some(&id))
        })
        .map(|run| {
            run.filter(|run| run.status.conclusion().is_some())
                .map(shown)
        })
        .collect()
}

fn shown(run: &forge::CheckRun) -> CheckRun {
    CheckRun {
        name: run.name.clone(),
        status: run.status.word(),
        conclusion: run.status.conclusion().map(forge::Conclusion::word),
        title: run.output.title.clone(),
        details_url: run.details_url.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use forge::{Conclusion, Status};

    fn run(build: BuildId, conclusion: Option<Conclusion>) -> forge::CheckRun {
        let at = Timestamp::UNIX_EPOCH;
        forge::CheckRun {
            id: "1".parse().unwrap(),
            repository: "1".parse().unwrap(),
            suite: "1".parse().unwrap(),
            head_sha: "c".repeat(40).parse().unwrap(),
            name: "build nano".to_owned(),
            external_id: Some(build.to_string()),
            details_url: None,
            status: conclusion.map_or(Status::InProgress, |conclusion| Status::Completed {
                conclusion,
                at,
            }),
            started_at: at,
            output: forge::Output::default(),
            annotations: Vec::new(),
            actions: Vec::new(),
        }
    }

    #[test]
    fn builds_whose_runs_share_a_name_have_each_their_own() {
        let builds = [1, 2].map(|byte| BuildId::from_bytes([byte; 16]));
        let conclusions = |runs: &[forge::CheckRun]| -> Option<Vec<_>> {
            let ended = find_ended(&builds, runs)?;
            Some(ended.iter().filter_map(|run| run.conclusion).collect())
        };
        let first = run(builds[0], Some(Conclusion::Failure));
        assert_eq!(conclusions(std::slice::from_ref(&first)), None, "one lacks");
        let running = run(builds[1], None);
        assert_eq!(conclusions(&[first.clone(), running.clone()]), None);
        let second = run(builds[1], Some(Conclusion::Success));
        // A build that was held has had another run before.
        let skipped = run(builds[1], Some(Conclusion::Skipped));
        assert_eq!(
            conclusions(&[skipped, second, first]),
            Some(vec!["failure", "success"])
        );
    }
}
