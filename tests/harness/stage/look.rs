//! What there is to see: check runs, builds, what passed, what is published.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use api::claims::Scope;
use api::id::{AttemptId, HistoryId};
use api::repository::{Channel, History};
use forge::{CheckRun, Conclusion, Event, Outcome, Sha};
use serde_json::Value;
use summit::domain::build::{Build, State};
use testbed::published::Published;

use super::hosts::find_status;
use super::{REPOSITORY, Stage};
use crate::actor::Actor;

/// How long check runs may say something else than expected once all are completed and summit has
/// nothing to do: a build that was held can still go on.
const PATIENCE: Duration = Duration::from_secs(5);

/// The check run that each head has.
const HEAD: &str = "snekbook";

/// What the conclusion of a recipe makes of that of its head, and how much it counts.
fn counts_as(of: Conclusion) -> (u8, Conclusion) {
    match of {
        Conclusion::Failure | Conclusion::Skipped => (2, Conclusion::Failure),
        Conclusion::ActionRequired | Conclusion::Cancelled => (1, Conclusion::ActionRequired),
        Conclusion::Success | Conclusion::Neutral | Conclusion::Stale | Conclusion::TimedOut => {
            (0, Conclusion::Success)
        }
    }
}

/// The newest check run of each recipe on a commit, by the recipe's name.
pub type Runs = BTreeMap<String, CheckRun>;

impl Stage {
    /// Makes a repository in the organisation that the writer may write to.
    ///
    /// # Errors
    /// When the name is taken.
    pub async fn create_repository(&mut self, name: &str) -> Result<()> {
        self.forge.create_repository(name).await?;
        self.forge
            .set_role(name, super::WRITER, forge::Role::Write)?;
        self.repositories.push(name.to_owned());
        Ok(())
    }

    /// The repositories of the organisation.
    pub(super) fn repositories(&self) -> &[String] {
        &self.repositories
    }

    /// The newest check run of each recipe on a commit.
    pub fn runs_on(&self, commit: &Sha) -> Runs {
        let mut runs = Runs::new();
        // Oldest first, so that the newest stays.
        for run in self.recipe_runs_on(commit) {
            let name = run.name.strip_prefix("build ").unwrap_or(&run.name);
            runs.insert(name.to_owned(), run);
        }
        runs
    }

    /// All check runs of recipes on a commit, oldest first.
    pub fn recipe_runs_on(&self, commit: &Sha) -> Vec<CheckRun> {
        let repositories = self.repositories().iter();
        let runs = repositories.flat_map(|name| self.forge.check_runs_on(name, commit));
        runs.filter(|run| run.name != HEAD).collect()
    }

    /// The newest check run of a head.
    pub fn head_run(&self, commit: &Sha) -> Option<CheckRun> {
        let repositories = self.repositories().iter();
        let runs = repositories.flat_map(|name| self.forge.check_runs_on(name, commit));
        runs.rev().find(|run| run.name == HEAD)
    }

    /// Waits until the check run of a head concludes so.
    ///
    /// # Errors
    /// When it does not in time.
    pub async fn verdict(&mut self, commit: &Sha, expected: Conclusion) -> Result<CheckRun> {
        let what = format!("the verdict {expected:?} on {commit}");
        self.until(&what, async |stage| {
            let run = stage.head_run(commit);
            Ok(run.filter(|run| run.status.conclusion() == Some(expected)))
        })
        .await
    }

    /// Waits until the check runs of a commit are these and concluded so.
    ///
    /// # Errors
    /// When they do not in time, or all are completed with something else.
    pub async fn concluded(
        &mut self,
        commit: &Sha,
        expected: &[(&str, Conclusion)],
    ) -> Result<Runs> {
        let mut wrong_since: Option<Instant> = None;
        let what = format!("the conclusions {expected:?} on {commit}");
        self.until(&what, async |stage| {
            let runs = stage.runs_on(commit);
            let conclusion = |name: &&str| runs.get(*name).and_then(|run| run.status.conclusion());
            let met = |(name, wanted): &(&str, Conclusion)| conclusion(name) == Some(*wanted);
            if runs.len() == expected.len() && expected.iter().all(met) {
                if !stage.has_verdict_on(commit, expected)? {
                    return Ok(None);
                }
                return Ok(Some(runs));
            }
            let completed = runs.values().all(|run| run.status.conclusion().is_some());
            let known = expected.iter().all(|(name, _)| runs.contains_key(*name));
            if !(completed && known && stage.open_work().await?.is_empty()) {
                wrong_since = None;
            } else if wrong_since.get_or_insert_with(Instant::now).elapsed() > PATIENCE {
                bail!("the conclusions are not {expected:?}");
            }
            Ok(None)
        })
        .await
    }

    /// Whether the check run of a head agrees with the conclusions of its recipes. A commit that is no
    /// head any more may have none, or one that says so.
    fn has_verdict_on(&self, commit: &Sha, expected: &[(&str, Conclusion)]) -> Result<bool> {
        let Some(run) = self.head_run(commit) else {
            let is_left = expected.iter().all(|(_, of)| *of == Conclusion::Cancelled);
            return Ok(is_left);
        };
        let Some(verdict) = run.status.conclusion() else {
            return Ok(false);
        };
        let worst = expected.iter().map(|(_, of)| counts_as(*of));
        let worst = worst.max_by_key(|(rank, _)| *rank);
        let is_left = run.output.title.as_deref() == Some("Superseded");
        let (_, worst) = worst.unwrap_or((0, Conclusion::Success));
        Ok(verdict == worst || (is_left && verdict == Conclusion::ActionRequired))
    }

    /// Waits until the one recipe of a commit succeeds.
    ///
    /// # Errors
    /// As [`Self::concluded`].
    pub async fn succeeded(&mut self, commit: &Sha, recipes: &[&str]) -> Result<Runs> {
        let expected: Vec<_> = recipes
            .iter()
            .map(|recipe| (*recipe, Conclusion::Success))
            .collect();
        self.concluded(commit, &expected).await
    }

    /// What summit told the forge of a completed check run: its statuses in their order, each once.
    ///
    /// # Errors
    /// When it did not tell of its completion.
    pub async fn statuses(&mut self, run: &CheckRun) -> Result<Vec<String>> {
        // An exchange is on record a moment after its effect.
        self.until("the record of a completed check run", async |stage| {
            let statuses = stage.told(run);
            let completed = statuses.last().is_some_and(|last| last == "completed");
            Ok(completed.then_some(statuses))
        })
        .await
    }

    fn told(&self, run: &CheckRun) -> Vec<String> {
        let mut statuses: Vec<String> = Vec::new();
        for exchange in self.forge.traffic() {
            let (Some(request), Some(answer)) = (exchange.request.json(), exchange.response.json())
            else {
                continue;
            };
            let is_write = matches!(exchange.method.as_str(), "POST" | "PATCH");
            let is_run = exchange.path.contains("/check-runs") && answer["id"] == run.id.number();
            let Some(status) = request["status"].as_str() else {
                continue;
            };
            let is_new = statuses.last().is_none_or(|last| last != status);
            if is_write && is_run && is_new {
                statuses.push(status.to_owned());
            }
        }
        statuses
    }

    /// The requests by which check runs of recipes were made.
    pub fn created_runs(&self) -> usize {
        let traffic = self.forge.traffic();
        let made = traffic.iter().filter(|exchange| {
            exchange.method == "POST"
                && exchange.path.ends_with("/check-runs")
                && exchange.status == 201
                && exchange
                    .request
                    .json()
                    .is_none_or(|run| run["name"] != HEAD)
        });
        made.count()
    }

    /// All builds that have check runs, oldest first, as summit tells of them.
    ///
    /// # Errors
    /// When summit does not tell.
    pub async fn builds(&self) -> Result<Vec<Build>> {
        let mut ids: Vec<String> = self
            .repositories()
            .iter()
            .flat_map(|name| self.forge.check_runs(name))
            .filter(|run| run.name != HEAD)
            .filter_map(|run| run.external_id)
            .collect();
        ids.sort();
        ids.dedup();
        let mut builds = Vec::with_capacity(ids.len());
        for id in ids {
            let url = self.summit.url().join(&format!("api/v1/builds/{id}"))?;
            let answer = self.http.get(url).send().await?;
            builds.push(answer.error_for_status()?.json().await?);
        }
        Ok(builds)
    }

    /// The build that a check run shows.
    ///
    /// # Errors
    /// When summit does not know it.
    pub async fn build_of(&self, run: &CheckRun) -> Result<Build> {
        let id = run.external_id.as_deref().context("a build's run")?;
        let url = self.summit.url().join(&format!("api/v1/builds/{id}"))?;
        let answer = self.http.get(url).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }

    /// The whole log of a build, as the link in its check run leads to it.
    ///
    /// # Errors
    /// When there is none.
    pub async fn log_of(&self, run: &CheckRun) -> Result<String> {
        let page = run.details_url.as_deref().context("details")?;
        let answer = self.http.get(format!("{page}/log")).send().await?;
        Ok(answer.error_for_status()?.text().await?)
    }

    /// Where a build was published.
    ///
    /// # Errors
    /// When it was not.
    pub async fn history_of(&self, run: &CheckRun) -> Result<HistoryId> {
        let build = self.build_of(run).await?;
        let State::Published { history, .. } = build.state else {
            bail!("{} is {}", build.recipe, build.state.name());
        };
        Ok(history)
    }

    /// The attempts that builders have taken and not ended.
    ///
    /// # Errors
    /// When one does not tell.
    pub async fn attempts(&self) -> Result<Vec<AttemptId>> {
        let mut attempts = Vec::new();
        for builder in &self.to_builders {
            let status = find_status(builder).await?;
            attempts.extend(status.into_iter().flat_map(|status| status.attempts));
        }
        Ok(attempts)
    }

    /// The orders that avalanche was given, oldest first: its answers to `PUT /attempts/…`.
    pub fn orders(&self) -> Vec<Value> {
        self.orders_to(&self.avalanche)
    }

    /// The orders that a builder was given, oldest first.
    pub fn orders_to(&self, builder: &Actor) -> Vec<Value> {
        let passed = builder.passed().into_iter();
        let orders = passed.filter(|passed| {
            passed.method == "PUT" && passed.path.starts_with("/api/v1/attempts/")
        });
        orders.map(|passed| passed.body).collect()
    }

    /// What users see now.
    ///
    /// # Errors
    /// When the index is not sound.
    pub async fn published(&self) -> Result<Published> {
        Published::read_with(self.http.clone(), &self.repository_url()).await
    }

    /// The histories of the channel that imports made, newest first.
    ///
    /// # Errors
    /// When vessel does not tell.
    pub async fn histories(&self) -> Result<Vec<History>> {
        let channel: Channel = self
            .to_vessel
            .get(Scope::Channels, "/api/v1/channels/main")
            .await?;
        let mut histories = channel.histories;
        histories.retain(|history| history.import.is_some());
        Ok(histories)
    }

    /// Waits until the webhooks of an event about the writer's or stranger's last act were taken,
    /// and gives the number of all that were.
    ///
    /// # Errors
    /// When one is refused, or none was made.
    pub async fn delivered(&mut self, event: &str) -> Result<usize> {
        self.until("the webhooks", async |stage| {
            Ok((stage.forge.webhooks_in_flight() == 0).then_some(()))
        })
        .await?;
        let rows = self.forge.deliveries();
        let rows: Vec<_> = rows.iter().filter(|row| row.event == event).collect();
        ensure!(!rows.is_empty(), "no {event} was sent");
        for row in &rows {
            let taken = matches!(row.outcome, Outcome::Answered { status: 200, .. });
            ensure!(taken, "{event} was not taken: {:?}", row.outcome);
        }
        Ok(rows.len())
    }

    /// The webhooks of an event that were sent.
    pub fn sent(&self, event: &str) -> Vec<Event> {
        let mut sent = self.forge.sent_webhooks();
        sent.retain(|sent| sent.event == event);
        sent
    }

    /// What the forge has of the default branch of [`REPOSITORY`].
    ///
    /// # Errors
    /// When nothing was pushed.
    pub async fn head(&self) -> Result<Sha> {
        let head = self.forge.find_branch(REPOSITORY, "main").await?;
        head.context("nothing was pushed")
    }
}
