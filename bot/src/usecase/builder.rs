//! A builder, and the two questions to it: how busy it is, and what its host supplies.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use api::claims::Scope;
use api::host::{Lookup, LookupAnswer, NoOrders, Status};
use api::id::Sha256;
use jiff::Timestamp;
use service::Clock;
use service::client::{CallError, Client};
use service::error::Chain;

use super::desk::Desk;
use super::wake::{Wake, locked};
use crate::domain::silence::SilentSince;

/// The timeout of a status request.
const STATUS_TIMEOUT: Duration = Duration::from_secs(5);

/// The timeout of a lookup of dependencies.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(60);

/// The most dependencies in one lookup.
const MAX_ASKED: usize = 4096;

/// A builder, with its last answers.
#[derive(Debug)]
pub struct Builder {
    /// Its control port.
    pub client: Client,
    /// The URL above its assets.
    pub public_url: url::Url,
    pub(super) status: Desk<BuilderState>,
    lookup: Desk<BuilderState>,
    host: Mutex<Host>,
    clock: Clock,
    /// Since when the builder does not answer.
    silent: Mutex<SilentSince>,
    /// Why the builder takes no orders, with the figures with which that began. People read them, and
    /// a text that changed with every file on its disk would be written to GitHub each time.
    no_orders: Mutex<Option<NoOrders>>,
}

/// The known facts about a builder's host. They are dropped when the host's fingerprint changes.
#[derive(Debug, Default)]
struct Host {
    digest: Option<Sha256>,
    /// Whether the host supplies a dependency.
    supplies: HashMap<String, bool>,
    /// The dependencies to look up next.
    wanted: BTreeSet<String>,
}

/// A builder's last answer about itself.
#[derive(Debug, Clone)]
pub(super) enum BuilderState {
    /// It did not answer.
    Silent {
        /// Since when.
        since: Timestamp,
    },
    /// It is still reading its host.
    Starting,
    /// It is up, with this status.
    Up(Arc<Status>),
}

impl BuilderState {
    pub(super) fn find(&self) -> Option<&Status> {
        match self {
            Self::Up(status) => Some(status),
            Self::Silent { .. } | Self::Starting => None,
        }
    }

    pub(super) fn is_silence(&self) -> bool {
        match self {
            Self::Silent { .. } | Self::Starting => true,
            Self::Up(_) => false,
        }
    }
}

impl Builder {
    /// A builder behind `client`; its assets lie below `public_url`.
    pub fn new(client: Client, public_url: url::Url, clock: Clock) -> Self {
        Self {
            client,
            public_url,
            status: Desk::default(),
            lookup: Desk::default(),
            host: Mutex::default(),
            clock,
            silent: Mutex::default(),
            no_orders: Mutex::default(),
        }
    }

    /// Answers all questions about the builder, for ever. `wake` is woken by an answer that came
    /// after its asker stopped waiting.
    pub(super) async fn attend(&self, wake: &Wake) {
        tokio::join!(self.tell_status(wake), self.tell_supplies(wake));
    }

    async fn tell_status(&self, wake: &Wake) {
        loop {
            let wish = self.status.wished().await;
            let asked = self.client.get::<Status>(Scope::Status, "/api/v1/status");
            let standing = match self.within(STATUS_TIMEOUT, asked).await {
                Ok(mut status) => {
                    self.is_on(status.host);
                    status.no_orders = self.keep_figures(status.no_orders);
                    BuilderState::Up(Arc::new(status))
                }
                Err(standing) => standing,
            };
            let is_silent = standing.is_silence();
            self.status.answer(wish, standing, is_silent, wake);
        }
    }

    async fn tell_supplies(&self, wake: &Wake) {
        loop {
            let wish = self.lookup.wished().await;
            let standing = self.look_up_wanted().await;
            let is_silent = standing.is_silence();
            self.lookup.answer(wish, standing, is_silent, wake);
        }
    }

    /// Asks which of `needs` the host supplies, and waits a moment. What is not known then, the desk goes on
    /// asking for. False when the builder does not answer.
    pub(super) async fn look_up(&self, needs: &[String]) -> bool {
        {
            let mut host = locked(&self.host);
            let unknown = needs
                .iter()
                .filter(|need| !host.supplies.contains_key(*need));
            let unknown: Vec<String> = unknown.cloned().collect();
            if unknown.is_empty() {
                return true;
            }
            host.wanted.extend(unknown);
        }
        let heard = self.lookup.hear(self.lookup.wish()).await;
        !heard.is_some_and(|standing| standing.is_silence())
    }

    /// Those of `needs` that the host lacks; none when it is not known of all of them.
    pub(super) fn lacks(&self, needs: &[String]) -> Option<Vec<String>> {
        let host = locked(&self.host);
        let mut lacks = Vec::new();
        for need in needs {
            if !*host.supplies.get(need)? {
                lacks.push(need.clone());
            }
        }
        Some(lacks)
    }

    /// Stores the host's fingerprint. A new one drops all known facts.
    fn is_on(&self, digest: Sha256) {
        let mut host = locked(&self.host);
        if host.digest != Some(digest) {
            host.digest = Some(digest);
            host.supplies.clear();
        }
    }

    /// Looks up the wanted dependencies. After a failure nothing is wanted: who still needs an answer asks
    /// again.
    async fn look_up_wanted(&self) -> BuilderState {
        let wanted = std::mem::take(&mut locked(&self.host).wanted);
        let wanted: Vec<String> = wanted.into_iter().collect();
        for part in wanted.chunks(MAX_ASKED) {
            let lookup = Lookup {
                dependencies: part.to_vec(),
            };
            let asked =
                self.client
                    .post::<LookupAnswer>(Scope::Status, "/api/v1/host/lookup", &lookup);
            let answer = match self.within(LOOKUP_TIMEOUT, asked).await {
                Ok(answer) => answer,
                Err(standing) => return standing,
            };
            self.is_on(answer.host);
            let mut host = locked(&self.host);
            for need in lookup.dependencies {
                let is_supplied = !answer.missing.contains(&need);
                host.supplies.insert(need, is_supplied);
            }
        }
        self.status.last().unwrap_or(BuilderState::Starting)
    }

    /// Returns an answer within the timeout, else the builder's standing. A builder that has just
    /// started answers 503.
    async fn within<T>(
        &self,
        limit: Duration,
        asked: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, BuilderState> {
        let name = self.client.service();
        match tokio::time::timeout(limit, asked).await {
            Ok(Ok(answer)) => {
                locked(&self.silent).end();
                return Ok(answer);
            }
            Ok(Err(error)) if error.find_status() == Some(503) => {
                locked(&self.silent).end();
                return Err(BuilderState::Starting);
            }
            Ok(Err(error)) => {
                let error = Chain(&error);
                tracing::warn!(builder.name = %name, %error, "a builder does not answer");
            }
            Err(_) => tracing::warn!(builder.name = %name, "a builder takes too long to answer"),
        }
        let since = locked(&self.silent).note(self.clock.now());
        Err(BuilderState::Silent { since })
    }

    /// The state of a builder whose answer does not come.
    pub(super) fn unheard(&self) -> BuilderState {
        let since = locked(&self.silent).at(self.clock.now());
        BuilderState::Silent { since }
    }

    /// Why the builder takes no orders, as it was when that began.
    fn keep_figures(&self, now: Option<NoOrders>) -> Option<NoOrders> {
        let mut kept = locked(&self.no_orders);
        *kept = match (*kept, now) {
            (
                first @ Some(NoOrders::DiskFull { needed, .. }),
                Some(NoOrders::DiskFull { needed: wanted, .. }),
            ) if needed == wanted => first,
            (_, now) => now,
        };
        *kept
    }
}
