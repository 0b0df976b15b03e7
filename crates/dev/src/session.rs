//! The main job: a line is started, recipes are pushed, builds are followed to their end.

use std::path::PathBuf;
use std::time::Duration;

use forge::Role;
use jiff::Timestamp;
use moss_format::Index;
use service::{Clock, Supervisor};
use summit::domain::build::{Build, State};
use summit::domain::{check_run, tail};
use tokio::time::Instant;
use url::Url;

use crate::cli::Cli;
use crate::data::{self, Data};
use crate::line::{self, Line, ORGANISATION, Options};
use crate::outcome::{BuildEnd, CheckRun, EndState, Urls, find_reason};
use crate::recipes::{self, Recipes};
use crate::screen::{Lines, Screen, has_ended};
use crate::{distfiles, examples, git};

/// The person who pushes.
const PACKAGER: &str = "packager";

/// The repository that is pushed to.
const REPOSITORY: &str = "recipes";

/// How often summit is asked how far it is, at most.
const PACE: Duration = Duration::from_millis(250);

/// How many times as long as an answer takes is waited before the next question.
const PATIENCE: u32 = 5;

/// How long planning may take, from the push to the first build.
const PLANNING: Duration = Duration::from_secs(60);

/// How long check runs may take to say what their builds say: many builds that end at once are held
/// up by summit's budget of writes.
const CONCLUDING: Duration = Duration::from_secs(300);

/// The most builds that summit is asked for.
const MOST_BUILDS: usize = 10_000;

/// How much of a failed build's log is shown.
const TAIL_LINES: usize = 40;
const TAIL_BYTES: usize = 16 << 10;

/// The main job cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There are no recipes.
    #[error(transparent)]
    Recipes(#[from] recipes::Error),
    /// The line cannot start.
    #[error("the line cannot start")]
    Line(#[from] line::StartError),
    /// The archives cannot be served.
    #[error("the archives cannot be served")]
    Distfiles(#[from] distfiles::Error),
    /// The data folder cannot be used.
    #[error(transparent)]
    Data(#[from] data::Error),
    /// The forge refuses what a packager does.
    #[error("the forge refuses it")]
    Forge(#[from] forge::Refused),
    /// The recipes cannot be pushed.
    #[error("the recipes cannot be pushed")]
    Push(#[from] git::Error),
    /// A service does not answer.
    #[error("cannot read {url}")]
    Call {
        /// What was asked.
        url: Url,
        /// Why.
        source: reqwest::Error,
    },
    /// The index cannot be read.
    #[error("the index cannot be read")]
    Index(#[from] moss_format::stone::Error),
    /// A check run does not end.
    #[error("a build has ended and its check run has not")]
    CheckRun(#[from] forge::TimedOut),
    /// summit does not see the push.
    #[error("summit planned no build within {} seconds of the push", PLANNING.as_secs())]
    NothingPlanned,
    /// A service's address makes no URL.
    #[error("an address makes no URL")]
    Url(#[from] url::ParseError),
}

/// A line at work on recipes.
#[derive(Debug)]
pub struct Session {
    line: Line,
    http: reqwest::Client,
    clock: Clock,
    repository: String,
    commit: String,
    urls: Urls,
}

impl Session {
    /// Starts a line in `data` and pushes the recipes that `cli` asks for.
    ///
    /// # Errors
    /// When something that is needed is not there or does not work.
    pub async fn start(
        cli: &Cli,
        data: &Data,
        supervisor: &Supervisor,
        screen: &Screen,
    ) -> Result<Self, Error> {
        let (recipes, archives) = input(cli, data)?;
        let mut options = Options::new(data.path().to_owned());
        options.mirrors = vec![distfiles::serve(&archives, supervisor).await?];
        let line = Line::start(&options, supervisor).await?;
        let repository = format!("{ORGANISATION}/{REPOSITORY}");
        line.forge.create_user(PACKAGER)?;
        line.forge.create_repository(&repository).await?;
        line.forge.set_role(&repository, PACKAGER, Role::Write)?;
        let urls = urls(&line, &repository)?;
        screen.say(format!("forge   {}", urls.forge));
        screen.say(format!("summit  {}", urls.summit));
        screen.say(format!("vessel  {}", urls.vessel));
        screen.say("There is one pool of builders, this machine, and everything builds in it.");
        let commit = push(&line, &recipes, data, &repository).await?;
        screen.say(format!(
            "Pushed {} as {commit:.10} to {}",
            match recipes.count() {
                1 => "1 recipe".to_owned(),
                count => format!("{count} recipes"),
            },
            urls.clone
        ));
        Ok(Self {
            line,
            http: reqwest::Client::new(),
            clock: Clock::system(),
            repository,
            commit,
            urls,
        })
    }

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
                return self.end(builds, check_runs).await;
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

    async fn end(&self, builds: Vec<Build>, check_runs: Vec<CheckRun>) -> Result<EndState, Error> {
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
        let reason = find_reason(&builds)
            .or_else(|| absent.map(|build| format!("the index does not list {}", build.recipe)));
        Ok(EndState {
            published: reason.is_none(),
            reason,
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
        let names: Vec<String> = builds.iter().map(check_run::name).collect();
        let runs = self
            .line
            .forge
            .wait_for("the end of all check runs", CONCLUDING, |forge| {
                let runs = forge.check_runs(&self.repository);
                names
                    .iter()
                    .map(|name| runs.iter().rev().find(|run| run.name == *name))
                    .map(|run| {
                        run.filter(|run| run.status.conclusion().is_some())
                            .map(shown)
                    })
                    .collect()
            });
        Ok(runs.await?)
    }
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

/// The recipes, and the folder of their archives.
fn input(cli: &Cli, data: &Data) -> Result<(Recipes, PathBuf), Error> {
    let (recipes, archives) = match (&cli.recipes, &cli.distfiles) {
        (Some(recipes), Some(distfiles)) => (Recipes::read(recipes)?, distfiles.clone()),
        // The command line takes them together only.
        (Some(_) | None, _) => {
            let folder = data.path().join("distfiles");
            distfiles::keep(&folder, &examples::archives())?;
            (examples::recipes(), folder)
        }
    };
    Ok((recipes.only(&cli.only)?, archives))
}

fn urls(line: &Line, repository: &str) -> Result<Urls, url::ParseError> {
    Ok(Urls {
        forge: format!("{}/{repository}", line.forge.url()).parse()?,
        clone: line.forge.clone_url(repository).parse()?,
        summit: line.summit.clone(),
        vessel: line.repository.clone(),
        index: line
            .repository
            .join("main/stream/volatile/x86_64/stone.index")?,
        root_index: line.repository.join("main/moss-root-index.json")?,
    })
}

/// Pushes as a packager would; returns the commit.
async fn push(
    line: &Line,
    recipes: &Recipes,
    data: &Data,
    repository: &str,
) -> Result<String, Error> {
    let folder = data.path().join("packager");
    recipes.write(&folder)?;
    let url = line.forge.clone_url(repository);
    let remote = git::Remote {
        url: &url,
        login: PACKAGER,
        token: line.forge.mint_token(PACKAGER)?,
    };
    Ok(git::commit_and_push(&folder, "Add the first recipes", &remote).await?)
}
