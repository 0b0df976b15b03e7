//! The stage: a forge with an organisation, a writer and a stranger, and the services of the line,
//! each the real binary in a process of its own.

mod finish;
mod gate;
mod hosts;
mod look;
mod people;
mod report;
mod setup;

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use forge::{CommentId, Forge};
use futures_util::FutureExt as _;
use service::Supervisor;
use service::client::Client;
use tempfile::TempDir;
use url::Url;

use crate::actor::Actor;
use crate::authority::Authority;
use crate::mirror::Mirror;

pub use gate::Gate;
pub use look::Runs;
pub use setup::{Builders, Https, Setup};

/// The repository that is there from the start.
pub const REPOSITORY: &str = "snekbook/recipes";

/// Who may write to it.
pub const WRITER: &str = "writer";

/// Who may not.
pub const STRANGER: &str = "stranger";

/// How long anything is waited for, unless the setup says otherwise.
pub const LIMIT: Duration = Duration::from_secs(90);

/// How often a condition is looked at that nobody announces.
const STEP: Duration = Duration::from_millis(20);

/// A line at work, for one test.
#[derive(Debug)]
pub struct Stage {
    /// The forge, in this process.
    pub forge: Forge,
    /// The bot.
    pub summit: Actor,
    /// The builder, or the first of two.
    pub avalanche: Actor,
    /// The other builder, where the setup asks for one.
    second: Option<Actor>,
    /// The repository manager.
    pub vessel: Actor,
    /// Where upstream files come from.
    pub mirror: Mirror,
    folder: TempDir,
    authority: Option<Authority>,
    limit: Duration,
    end_limit: Duration,
    /// The errors that the services have to log: text of their lines.
    expected_errors: Vec<&'static str>,
    repositories: Vec<String>,
    read: HashSet<CommentId>,
    /// Asks what everyone may ask, and does not wait for ever.
    pub(crate) http: reqwest::Client,
    /// Speak to the builders and vessel with summit's key.
    to_builders: Vec<Client>,
    to_vessel: Client,
    supervisor: Supervisor,
}

impl Stage {
    /// Plays a test: sets the stage, lets `body` act, and looks for leftovers at the end. What was
    /// seen is printed when any of this fails.
    ///
    /// # Panics
    /// When it fails.
    pub fn play(setup: Setup, body: impl AsyncFnOnce(&mut Self) -> Result<()>) {
        Self::show(setup, async |stage| {
            body(stage).await?;
            stage.finish().await
        });
    }

    /// As [`Self::play`], and lets be what is left over at the end.
    ///
    /// # Panics
    /// When it fails.
    pub fn show(setup: Setup, body: impl AsyncFnOnce(&mut Self) -> Result<()>) {
        testbed::machine::require();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("the system lets a runtime start");
        let outcome = runtime.block_on(async {
            let mut stage = Self::new(setup).await.map_err(Outcome::Error)?;
            let acted = AssertUnwindSafe(body(&mut stage)).catch_unwind().await;
            let outcome = match acted {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(error)) => Outcome::Error(error),
                Err(panic) => Outcome::Panic(panic),
            };
            stage.print_report().await;
            Err(outcome)
        });
        match outcome {
            Ok(()) => {}
            Err(Outcome::Error(error)) => panic!("{error:?}"),
            Err(Outcome::Panic(panic)) => std::panic::resume_unwind(panic),
        }
    }

    /// A folder for the test's own files.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn make_folder(&self, name: &str) -> Result<PathBuf> {
        let path = self.folder.path().join("test").join(name);
        std::fs::create_dir_all(&path)
            .with_context(|| format!("cannot make {}", path.display()))?;
        Ok(path)
    }

    /// Where an actor keeps its things.
    pub fn data(&self, actor: &str) -> PathBuf {
        self.folder.path().join("line").join(actor)
    }

    /// The certificate authority of the forge, when it speaks HTTPS.
    pub fn authority(&self) -> Option<&Authority> {
        self.authority.as_ref()
    }

    /// Where moss clients find the channels.
    pub fn repository_url(&self) -> Url {
        self.vessel.url()
    }

    /// All services.
    fn actors(&self) -> impl Iterator<Item = &Actor> {
        let actors = [&self.summit, &self.avalanche, &self.vessel];
        actors.into_iter().chain(&self.second)
    }

    /// The builders.
    fn builders(&self) -> impl Iterator<Item = &Actor> {
        std::iter::once(&self.avalanche).chain(&self.second)
    }

    /// Waits until `probe` finds something.
    ///
    /// # Errors
    /// When it does not in time, when it fails, or when a service ends by itself meanwhile.
    pub async fn until<T>(
        &mut self,
        what: &str,
        probe: impl AsyncFnMut(&Self) -> Result<Option<T>>,
    ) -> Result<T> {
        self.until_within(self.limit, what, probe).await
    }

    async fn until_within<T>(
        &mut self,
        limit: Duration,
        what: &str,
        mut probe: impl AsyncFnMut(&Self) -> Result<Option<T>>,
    ) -> Result<T> {
        let begin = Instant::now();
        loop {
            let actors = [&mut self.summit, &mut self.avalanche, &mut self.vessel];
            for actor in actors.into_iter().chain(&mut self.second) {
                actor.check()?;
            }
            let left = limit.saturating_sub(begin.elapsed());
            match tokio::time::timeout(left, probe(self)).await {
                Ok(found) => {
                    if let Some(found) = found? {
                        return Ok(found);
                    }
                }
                Err(_) if left.is_zero() => {
                    bail!("{what} did not happen within {limit:?}");
                }
                Err(_) => bail!(
                    "{what} did not happen within {limit:?}: whoever was asked last never answered"
                ),
            }
            tokio::time::sleep(STEP).await;
        }
    }

    /// What summit answers to a `GET`: status and text.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn get(&self, path: &str) -> Result<(u16, String)> {
        let answer = self.http.get(self.summit.url().join(path)?).send().await?;
        Ok((answer.status().as_u16(), answer.text().await?))
    }
}

enum Outcome {
    Error(anyhow::Error),
    Panic(Box<dyn std::any::Any + Send>),
}
