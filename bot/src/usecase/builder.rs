//! A builder, and what it is asked: how busy it is, and what its host supplies.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use api::claims::Scope;
use api::host::{Lookup, LookupAnswer, Status};
use api::id::Sha256;
use service::client::{CallError, Client};
use service::error::Chain;

use super::desk::Desk;
use super::wake::{Wake, locked};

/// How long a builder may take to say how busy it is.
const STATUS_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a builder may take to say what its host supplies.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(60);

/// How many dependencies one question may hold.
const MAX_ASKED: usize = 4096;

/// A builder, and what it is asked.
#[derive(Debug)]
pub struct Builder {
    /// Its control port.
    pub client: Client,
    /// Below which URL its assets lie.
    pub public_url: url::Url,
    pub(super) status: Desk<Standing>,
    lookup: Desk<Standing>,
    host: Mutex<Host>,
}

/// What is known of a builder's host. It is forgotten when the host is another.
#[derive(Debug, Default)]
struct Host {
    digest: Option<Sha256>,
    /// Whether it supplies a dependency.
    supplies: HashMap<String, bool>,
    /// What is to be looked up.
    wanted: BTreeSet<String>,
}

/// What a builder says of itself.
#[derive(Debug, Clone)]
pub(super) enum Standing {
    /// Nothing.
    Silent,
    /// That it still looks at its host.
    Starting,
    /// How it stands.
    Up(Arc<Status>),
}

impl Standing {
    pub(super) fn find(&self) -> Option<&Status> {
        match self {
            Self::Up(status) => Some(status),
            Self::Silent | Self::Starting => None,
        }
    }

    pub(super) fn is_silence(&self) -> bool {
        match self {
            Self::Silent | Self::Starting => true,
            Self::Up(_) => false,
        }
    }
}

impl Builder {
    /// A builder behind `client`, whose assets lie below `public_url`.
    pub fn new(client: Client, public_url: url::Url) -> Self {
        Self {
            client,
            public_url,
            status: Desk::default(),
            lookup: Desk::default(),
            host: Mutex::default(),
        }
    }

    /// Asks the builder whatever somebody wishes to know, for ever; `wake` is told of answers that came
    /// too late for who wished.
    pub(super) async fn attend(&self, wake: &Wake) {
        tokio::join!(self.tell_status(wake), self.tell_supplies(wake));
    }

    async fn tell_status(&self, wake: &Wake) {
        loop {
            let wish = self.status.wished().await;
            let asked = self.client.get::<Status>(Scope::Status, "/api/v1/status");
            let standing = match self.within(STATUS_TIMEOUT, asked).await {
                Ok(status) => {
                    self.is_on(status.host);
                    Standing::Up(Arc::new(status))
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

    /// Asks which of `needs` its host supplies. What it answers within a moment is known then; else it is
    /// at that still.
    pub(super) async fn look_up(&self, needs: &[String]) -> Standing {
        {
            let mut host = locked(&self.host);
            let unknown = needs
                .iter()
                .filter(|need| !host.supplies.contains_key(*need));
            let unknown: Vec<String> = unknown.cloned().collect();
            host.wanted.extend(unknown);
        }
        let heard = self.lookup.hear(self.lookup.wish()).await;
        let host = locked(&self.host);
        match heard {
            Some(standing @ Standing::Silent) => standing,
            Some(standing) if needs.iter().all(|need| host.supplies.contains_key(need)) => standing,
            Some(_) | None => Standing::Starting,
        }
    }

    /// True when it is known of all of `needs` whether the host supplies them.
    pub(super) fn knows(&self, needs: &[String]) -> bool {
        let host = locked(&self.host);
        needs.iter().all(|need| host.supplies.contains_key(need))
    }

    /// Those of `needs` that the host is known to lack.
    pub(super) fn lacks(&self, needs: &[String]) -> Vec<String> {
        let host = locked(&self.host);
        let lacks = needs
            .iter()
            .filter(|need| host.supplies.get(*need) == Some(&false));
        lacks.cloned().collect()
    }

    /// Notes which host the builder is on.
    fn is_on(&self, digest: Sha256) {
        let mut host = locked(&self.host);
        if host.digest != Some(digest) {
            host.digest = Some(digest);
            host.supplies.clear();
        }
    }

    /// Looks up what is wanted.
    async fn look_up_wanted(&self) -> Standing {
        let wanted: Vec<String> = locked(&self.host).wanted.iter().cloned().collect();
        for part in wanted.chunks(MAX_ASKED) {
            let digest = locked(&self.host).digest;
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
            let mut host = locked(&self.host);
            for need in lookup.dependencies {
                host.wanted.remove(&need);
                // What another host supplied is not known of this one.
                if host.digest == digest {
                    let is_supplied = !answer.missing.contains(&need);
                    host.supplies.insert(need, is_supplied);
                }
            }
        }
        match self.status.last() {
            Some(standing) => standing,
            None => Standing::Silent,
        }
    }

    /// An answer that comes in time; else how the builder stands. One that was just started answers 503.
    async fn within<T>(
        &self,
        limit: Duration,
        asked: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, Standing> {
        let name = self.client.service();
        match tokio::time::timeout(limit, asked).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) if error.find_status() == Some(503) => return Err(Standing::Starting),
            Ok(Err(error)) => {
                let error = Chain(&error);
                tracing::warn!(builder.name = %name, %error, "a builder does not answer");
            }
            Err(_) => tracing::warn!(builder.name = %name, "a builder takes too long to answer"),
        }
        Err(Standing::Silent)
    }
}
