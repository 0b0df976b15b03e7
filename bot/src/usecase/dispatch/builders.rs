//! Asking the builders: how busy they are, and what their hosts supply.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use api::claims::Scope;
use api::host::{Lookup, LookupAnswer, Status};
use api::id::{Architecture, ServiceName, Sha256};
use futures_util::future::join_all;
use service::client::{CallError, Client};

use crate::domain::build::{Stage, State};
use crate::domain::choose::{Answer, Seen, why_waiting};
use crate::usecase::{Builder, Summit};

/// How long a builder may take to say how busy it is: all others wait for it.
const STATUS_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a builder may take to say what its host supplies.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(60);

/// How many dependencies one question may hold.
const MAX_ASKED: usize = 4096;

/// All builders, as they answer in one round. What was asked once is not asked again in it.
pub(in crate::usecase) struct Builders {
    all: BTreeMap<ServiceName, Known>,
}

/// What is known of one builder in a round.
struct Known {
    client: Client,
    standing: Standing,
    /// How many more attempts it takes.
    free: u32,
    /// Whether its host supplies a dependency.
    supplies: HashMap<String, bool>,
}

/// Whether a builder is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    /// It answers.
    Up,
    /// It does not.
    Silent,
    /// It answers that it was just started.
    Starting,
    /// It is not configured.
    Unknown,
}

/// What a builder says of itself.
enum Standing {
    /// Nothing.
    Silent,
    /// That it still looks at its host.
    Starting,
    /// How it stands.
    Up(Box<Status>),
}

impl Standing {
    fn find(&self) -> Option<&Status> {
        match self {
            Self::Up(status) => Some(status),
            Self::Silent | Self::Starting => None,
        }
    }
}

impl Summit {
    /// Asks all builders how busy they are.
    pub(in crate::usecase) async fn ask_builders(&self) -> Builders {
        let mut taken: HashMap<ServiceName, u32> = HashMap::new();
        for build in self.under_way().in_stage(Stage::Building) {
            if let State::Building { builder, .. } = &build.state {
                *taken.entry(builder.clone()).or_default() += 1;
            }
        }
        let mut asked = Vec::new();
        for (name, Builder { client, .. }) in &self.builders {
            asked.push(async move {
                let status = client.get::<Status>(Scope::Status, "/api/v1/status");
                let standing = match within(STATUS_TIMEOUT, name, status).await {
                    Ok(status) => Standing::Up(Box::new(status)),
                    Err(standing) => standing,
                };
                (name.clone(), client.clone(), standing)
            });
        }
        let answers = join_all(asked).await.into_iter();
        let all = answers.map(|(name, client, standing)| {
            let slots = standing.find().map_or(0, |status| status.slots);
            let known = Known {
                client,
                standing,
                free: slots.saturating_sub(taken.get(&name).copied().unwrap_or(0)),
                supplies: HashMap::new(),
            };
            (name, known)
        });
        Builders { all: all.collect() }
    }
}

impl Builders {
    /// True when some builder takes one more attempt for a profile.
    pub(super) fn is_one_free(&self, profile: &Architecture) -> bool {
        let takes = |known: &Known| {
            let status = known.standing.find();
            status.is_some_and(|status| known.free > 0 && status.architectures.contains(profile))
        };
        self.all.values().any(takes)
    }

    /// Why no builder takes a build for a profile, whichever.
    pub(super) fn why_none(&self, profile: &Architecture) -> String {
        why_waiting(&[], &self.seen(profile, &[]))
    }

    /// Whether a builder is there.
    pub(super) fn presence(&self, name: &ServiceName) -> Presence {
        match self.all.get(name).map(|known| &known.standing) {
            Some(Standing::Up(_)) => Presence::Up,
            Some(Standing::Silent) => Presence::Silent,
            Some(Standing::Starting) => Presence::Starting,
            None => Presence::Unknown,
        }
    }

    /// Counts an attempt more.
    pub(super) fn take(&mut self, name: &ServiceName) {
        if let Some(known) = self.all.get_mut(name) {
            known.free = known.free.saturating_sub(1);
        }
    }

    /// What the host of each builder that answers is.
    pub(in crate::usecase) fn hosts(&self) -> impl Iterator<Item = (&ServiceName, Sha256)> {
        let all = self.all.iter();
        all.filter_map(|(name, known)| Some((name, known.standing.find()?.host)))
    }

    /// Asks every builder that answers which of `needs` its host supplies.
    pub(in crate::usecase) async fn look_up(&mut self, needs: &[String]) {
        let mut asked = Vec::new();
        for (name, known) in &mut self.all {
            if known.standing.find().is_some() {
                asked.push(known.look_up(name, needs));
            }
        }
        join_all(asked).await;
    }

    /// Those of `needs` that were looked up and the host of `name` lacks; none when it did not
    /// answer.
    pub(in crate::usecase) fn lacks(
        &self,
        name: &ServiceName,
        needs: &[String],
    ) -> Option<Vec<String>> {
        let known = self.all.get(name)?;
        known.standing.find()?;
        Some(known.lacks(needs))
    }

    /// The builders as a build sees them that needs `needs` of their hosts.
    pub(super) fn seen(&self, profile: &Architecture, needs: &[String]) -> Vec<Seen> {
        let all = self.all.iter();
        all.map(|(name, known)| Seen {
            name: name.clone(),
            answer: match &known.standing {
                Standing::Silent => Answer::Silence,
                Standing::Starting => Answer::Starting,
                Standing::Up(status) if !status.architectures.contains(profile) => {
                    Answer::OtherArchitectures
                }
                Standing::Up(_) => Answer::Slots {
                    free: known.free,
                    lacks: known.lacks(needs),
                },
            },
        })
        .collect()
    }
}

impl Known {
    async fn look_up(&mut self, name: &ServiceName, needs: &[String]) {
        let unknown: Vec<&String> = needs
            .iter()
            .filter(|need| !self.supplies.contains_key(*need))
            .collect();
        for part in unknown.chunks(MAX_ASKED) {
            let lookup = Lookup {
                dependencies: part.iter().map(|need| (*need).clone()).collect(),
            };
            let asked =
                self.client
                    .post::<LookupAnswer>(Scope::Status, "/api/v1/host/lookup", &lookup);
            let answer = match within(LOOKUP_TIMEOUT, name, asked).await {
                Ok(answer) => answer,
                Err(standing) => {
                    self.standing = standing;
                    self.free = 0;
                    return;
                }
            };
            for need in lookup.dependencies {
                let is_supplied = !answer.missing.contains(&need);
                self.supplies.insert(need, is_supplied);
            }
        }
    }

    fn lacks(&self, needs: &[String]) -> Vec<String> {
        let lacks = needs
            .iter()
            .filter(|need| self.supplies.get(*need) == Some(&false));
        lacks.cloned().collect()
    }
}

/// An answer that comes in time; else how the builder stands. One that was just started answers 503.
async fn within<T>(
    limit: Duration,
    builder: &ServiceName,
    asked: impl Future<Output = Result<T, CallError>>,
) -> Result<T, Standing> {
    match tokio::time::timeout(limit, asked).await {
        Ok(Ok(answer)) => return Ok(answer),
        Ok(Err(error)) if error.find_status() == Some(503) => return Err(Standing::Starting),
        Ok(Err(error)) => {
            let error = service::error::Chain(&error);
            tracing::warn!(builder.name = %builder, %error, "a builder does not answer");
        }
        Err(_) => tracing::warn!(builder.name = %builder, "a builder takes too long to answer"),
    }
    Err(Standing::Silent)
}
