//! Following builds to their end, and reading how they ended.

use std::time::Duration;

use api::id::BuildId;
use summit::domain::build::{Build, State};
use summit::domain::tail;
use tokio::time::Instant;

use super::installs::Used;
use super::{Error, PLANNING, Session};
use crate::line::REPOSITORY;
use crate::outcome::{BuildEnd, CheckRun, EndState, current, find_publication, find_reason};
use crate::screen::{Lines, Screen, has_ended};

/// How often summit is asked how far it is, at most.
pub(super) const PACE: Duration = Duration::from_millis(250);

/// How many times as long as an answer takes is waited before the next question.
pub(super) const PATIENCE: u32 = 5;

/// How long check runs may take to say what their builds say: many builds that end at once are held
/// up by summit's budget of writes.
const CONCLUDING: Duration = Duration::from_secs(300);

/// How much of a failed build's log is shown.
const TAIL_LINES: usize = 40;
const TAIL_BYTES: usize = 16 << 10;

impl Session {
    /// Shows the builds until none of them moves any more, and reads how everything ended.
    ///
    /// # Errors
    /// When a service stops to answer.
    pub async fn follow(&self, lines: &mut Lines) -> Result<EndState, Error> {
        loop {
            let builds = self.follow_builds(lines).await?;
            let now = current(&builds);
            let check_runs = self.check_runs(&now).await?;
            // What was held may have gone on when the last build was published.
            let again = self.builds().await?;
            if again
                .iter()
                .map(|b| &b.state)
                .eq(builds.iter().map(|b| &b.state))
            {
                return self.end(&now, check_runs, lines.screen()).await;
            }
        }
    }

    async fn follow_builds(&self, lines: &mut Lines) -> Result<Vec<Build>, Error> {
        let begun = Instant::now();
        let mut rested = None;
        loop {
            let asked = Instant::now();
            let builds = self.builds().await?;
            lines.show(&builds, self.clock.now());
            if builds.is_empty() && begun.elapsed() > PLANNING {
                return Err(Error::NothingPlanned);
            }
            if !builds.is_empty() && builds.iter().all(has_ended) {
                // What an earlier line was told of may give more builds yet.
                let rested = rested.get_or_insert(asked);
                if rested.elapsed() > PLANNING || self.has_planned().await? {
                    return Ok(builds);
                }
            } else {
                rested = None;
            }
            tokio::time::sleep(PACE.max(asked.elapsed() * PATIENCE)).await;
        }
    }

    /// The end of the log of the first build that failed.
    ///
    /// # Errors
    /// When summit does not answer.
    pub async fn log_of_failure(&self) -> Result<Option<String>, Error> {
        let builds = current(&self.builds().await?);
        let failed = |build: &&Build| matches!(build.state, State::Failed(_)) && build.attempts > 0;
        let Some(build) = builds.iter().find(failed) else {
            return Ok(None);
        };
        let log = BuildEnd::new(build, &self.line.summit).log;
        let bytes = self.fetch(log).await?;
        Ok(Some(tail::tail(&bytes, TAIL_LINES, TAIL_BYTES)))
    }

    async fn end(
        &self,
        builds: &[Build],
        check_runs: Vec<CheckRun>,
        screen: &Screen,
    ) -> Result<EndState, Error> {
        let publications = builds.iter().filter_map(find_publication);
        let history = publications.max_by_key(|(at, _)| *at);
        let packages = self.packages().await?;
        let absent = builds.iter().find(|build| {
            let name = format!("{}-{}-{}-", build.recipe, build.version, build.release);
            !packages.iter().any(|package| package.starts_with(&name))
        });
        let absent = absent.map(|build| format!("the index does not list {}", build.recipe));
        let unpublished = find_reason(builds).or(absent);
        let used = match &unpublished {
            None => self.use_what_is_published(builds, screen).await?,
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
            history: history.map(|(_, history)| history),
            commit: self.commit.clone(),
            check_runs,
            builds: builds
                .iter()
                .map(|build| BuildEnd::new(build, &self.line.summit))
                .collect(),
            packages,
            urls: self.urls.clone(),
            data: self.data.clone(),
            people: self.people(),
            clone: self.clone_command(),
        })
    }

    /// The newest check run of each build, once all have ended.
    async fn check_runs(&self, builds: &[Build]) -> Result<Vec<CheckRun>, Error> {
        let ids: Vec<BuildId> = builds.iter().map(|build| build.id).collect();
        let runs = self
            .line
            .forge
            .wait_for("the end of all check runs", CONCLUDING, |forge| {
                find_ended(&ids, &forge.check_runs(REPOSITORY))
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
    use jiff::Timestamp;

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
