//! From a ready build to an order: the closure from the channel, the rest from a builder's host.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use api::attempt::{AssetKind, ClosureStone, Limits, Order};
use api::claims::Scope;
use api::host::{Lookup, LookupAnswer, Status};
use api::id::{AttemptId, BuildId, ServiceName, Sha256};
use moss_db::RoTxn;
use moss_deps::Universe;
use moss_format::{Dependency, Manifest, Meta};
use service::client::{CallError, Client};
use url::Url;

use super::Summit;
use super::channel::{self, Snapshot};
use crate::db::{ChangeError, Repository, Tables};
use crate::domain::build::{Build, Event, Hold, State, Success};
use crate::domain::hope::may_be_provided;

/// How long a builder may take to say how busy it is: all others wait for it.
const STATUS_TIMEOUT: Duration = Duration::from_secs(5);

/// A build that cannot be dispatched now.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The builder did not answer.
    #[error(transparent)]
    Builder(#[from] CallError),
    /// vessel did not answer.
    #[error(transparent)]
    Channel(#[from] channel::Error),
    /// The database failed, or the build has moved on.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// A stone that an earlier build left cannot be described.
    #[error("cannot read the manifest of an earlier build at {url}: {message}")]
    Manifest {
        /// Which manifest.
        url: Url,
        /// Why.
        message: String,
    },
    /// The channel says something that cannot be ordered.
    #[error("the package {package} of the channel has no usable {what}")]
    Package {
        /// Which package.
        package: String,
        /// What is wrong.
        what: &'static str,
    },
    /// The repository is not known any more.
    #[error("the repository {0} is not known")]
    NoRepository(crate::domain::name::RepositoryId),
}

/// What became of handing builds over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dispatch {
    /// A builder has one more.
    Moved,
    /// There are some, but no builder took one.
    Waiting,
    /// None is ready.
    Idle,
}

/// What became of handing a build over.
enum Dispatched {
    /// A builder has it.
    Ordered,
    /// Neither the channel, nor an earlier build, nor the host has what it needs.
    Lacks(Vec<String>),
}

/// A package to choose from, and where its stone is.
struct Offer {
    meta: Meta,
    url: Url,
    sha256: Sha256,
    size: u64,
}

impl Summit {
    /// Hands ready builds to builders with free slots.
    pub(super) async fn dispatch_all(self: &Arc<Self>) -> Dispatch {
        let tables = self.tables.clone();
        let active = match self.db.query(move |txn| tables.active_builds(txn)).await {
            Ok(active) => active,
            Err(error) => {
                tracing::error!(%error, "builds cannot be read");
                return Dispatch::Waiting;
            }
        };
        if !active
            .iter()
            .any(|build| matches!(build.state, State::Queued { .. }))
        {
            return Dispatch::Idle;
        }
        let now = self.clock.now();
        let ready: Vec<Build> = active
            .iter()
            .filter(|build| build.is_due(now))
            .cloned()
            .collect();
        if ready.is_empty() {
            return Dispatch::Waiting;
        }
        let mut free = self.free_slots(&active).await;
        let mut dispatch = Dispatch::Waiting;
        let mut lacking: HashMap<BuildId, Vec<String>> = HashMap::new();
        for build in ready {
            let chosen = free
                .iter()
                .max_by_key(|(_, slots)| **slots)
                .map(|(name, _)| name.clone());
            let Some(builder) = chosen.filter(|name| free[name] > 0) else {
                let reason = if free.is_empty() {
                    "no builder can be reached".to_owned()
                } else {
                    "every slot of every builder is taken".to_owned()
                };
                self.delay(&build, reason).await;
                continue;
            };
            match self.dispatch(&build, &builder).await {
                Ok(Dispatched::Ordered) => {
                    dispatch = Dispatch::Moved;
                    if let Some(slots) = free.get_mut(&builder) {
                        *slots -= 1;
                    }
                }
                Ok(Dispatched::Lacks(missing)) => drop(lacking.insert(build.id, missing)),
                Err(error) => {
                    let reason = service::error::Chain(&error).to_string();
                    tracing::warn!(build.id = %build.id, error = reason, "cannot dispatch");
                    self.delay(&build, reason).await;
                }
            }
        }
        self.settle_lacking(&active, lacking).await;
        dispatch
    }

    /// Builds that lack something wait for as long as another build may yet bring it: what a
    /// recipe provides is not known before it was built once. Then they are held.
    async fn settle_lacking(&self, active: &[Build], lacking: HashMap<BuildId, Vec<String>>) {
        for build in active {
            let Some(missing) = lacking.get(&build.id) else {
                continue;
            };
            if may_be_provided(build, active, |id| lacking.contains_key(&id)) {
                let reason = format!(
                    "nothing provides {} yet, but builds under way may",
                    missing.join(", ")
                );
                self.delay(build, reason).await;
                continue;
            }
            let hold = Hold::Needs {
                missing: missing.clone(),
            };
            match self.change(build.id, Event::Held(hold)).await {
                Ok(_) | Err(ChangeError::Illegal(_)) => {}
                Err(error) => tracing::error!(%error, "a build cannot be held"),
            }
        }
    }

    /// How many more attempts each builder takes. Builders that do not answer are left out.
    async fn free_slots(&self, active: &[Build]) -> BTreeMap<ServiceName, i64> {
        let mut taken: HashMap<&ServiceName, i64> = HashMap::new();
        for build in active {
            if let State::Building { builder, .. } = &build.state {
                *taken.entry(builder).or_default() += 1;
            }
        }
        let asked = self.builders.iter().map(|(name, client)| async move {
            let asked = client.get::<Status>(Scope::Status, "/api/v1/status");
            (name, tokio::time::timeout(STATUS_TIMEOUT, asked).await)
        });
        let mut free = BTreeMap::new();
        for (name, answer) in futures_util::future::join_all(asked).await {
            match answer {
                Ok(Ok(status)) => {
                    let taken = taken.get(name).copied().unwrap_or(0);
                    free.insert(name.clone(), i64::from(status.slots) - taken);
                }
                Ok(Err(error)) => {
                    tracing::warn!(builder = %name, %error, "a builder does not answer");
                }
                Err(_) => tracing::warn!(builder = %name, "a builder takes too long to answer"),
            }
        }
        free
    }

    async fn delay(&self, build: &Build, reason: String) {
        let known = matches!(&build.state, State::Queued { reason: Some(r), .. } if *r == reason);
        if known {
            return;
        }
        let tables = self.tables.clone();
        let (id, now) = (build.id, self.clock.now());
        let delayed = self
            .db
            .submit(move |txn| tables.change(txn, id, Event::Delayed { reason }, now))
            .await;
        match delayed {
            Ok(_) => self.wakes.reconcile.wake(),
            Err(ChangeError::Illegal(_)) => {}
            Err(error) => tracing::error!(%error, "a build cannot be delayed"),
        }
    }

    async fn dispatch(
        self: &Arc<Self>,
        build: &Build,
        builder: &ServiceName,
    ) -> Result<Dispatched, Error> {
        let client = &self.builders[builder];
        let snapshot = self.channel.snapshot().await?;
        let offers = self.offers(build, &snapshot).await?;
        // A need was parsed when it was written down.
        let needs = build
            .needs
            .iter()
            .filter_map(|need| need.parse::<Dependency>().ok());
        let universe = Universe::new(offers.iter().map(|offer| &offer.meta));
        let closure = universe.closure(needs, |_| false);
        let unmet: Vec<String> = closure
            .missing
            .iter()
            .map(|missing| missing.dependency.to_string())
            .collect();
        let lookup = Lookup {
            dependencies: unmet.clone(),
        };
        let answer: LookupAnswer = client
            .post(Scope::Status, "/api/v1/host/lookup", &lookup)
            .await?;
        if !answer.missing.is_empty() {
            return Ok(Dispatched::Lacks(answer.missing));
        }
        let chosen: Vec<ClosureStone> = closure
            .packages
            .iter()
            .filter_map(|meta| offers.iter().find(|offer| std::ptr::eq(&offer.meta, *meta)))
            .map(|offer| ClosureStone {
                package: offer.meta.name.clone(),
                url: offer.url.clone(),
                sha256: offer.sha256,
                size: offer.size,
            })
            .collect();
        let order = self.order(build, &snapshot, chosen, unmet).await?;
        self.hand_over(build, builder, order).await?;
        Ok(Dispatched::Ordered)
    }

    /// Commits the order together with the build's new state; who attends to attempts sends it.
    async fn hand_over(
        &self,
        build: &Build,
        builder: &ServiceName,
        order: Order,
    ) -> Result<(), Error> {
        let tables = self.tables.clone();
        let (id, builder, now) = (build.id, builder.clone(), self.clock.now());
        self.db
            .submit(move |txn| {
                let build = tables.change(txn, id, Event::Dispatched { builder }, now)?;
                let attempt = AttemptId::new(id, build.attempts);
                tables.orders.put(txn, &attempt, &order)?;
                Ok::<_, ChangeError>(())
            })
            .await?;
        self.wakes.attend.wake();
        self.wakes.reconcile.wake();
        Ok(())
    }

    async fn order(
        &self,
        build: &Build,
        snapshot: &Snapshot,
        closure: Vec<ClosureStone>,
        host_needs: Vec<String>,
    ) -> Result<Order, Error> {
        let repository = self.repository(build).await?;
        let report = self.public_url.join("api/v1/reports").ok();
        Ok(Order {
            recipe: build.recipe.clone(),
            folder: build.folder.clone(),
            clone_url: repository.clone_url,
            credentials: None,
            git_ref: build.target.git_ref(),
            commit: build.commit,
            profile: "default".parse().expect("a valid name"),
            architecture: self.config.vessel.architecture.clone(),
            build_release: snapshot.next_build_release(build.recipe.as_str(), build.release),
            source_date_epoch: build.source_date_epoch,
            closure,
            host_needs,
            limits: Limits {
                wall_seconds: self.config.limits.wall_seconds,
                log_bytes: self.config.limits.log_bytes,
            },
            lease_seconds: self.config.limits.lease_seconds,
            report_to: report,
        })
    }

    pub(super) async fn repository(&self, build: &Build) -> Result<Repository, Error> {
        let tables = self.tables.clone();
        let id = build.repository;
        let found = self
            .db
            .query(move |txn| tables.repositories.find(txn, &id.number()))
            .await;
        found
            .map_err(ChangeError::from)?
            .ok_or(Error::NoRepository(id))
    }

    /// What can be laid into the root: the channel's packages, and stones that are not published:
    /// of the same pull request, or of the builds of its cycle that came before.
    async fn offers(&self, build: &Build, snapshot: &Snapshot) -> Result<Vec<Offer>, Error> {
        let mut offers = Vec::new();
        if let Some(base) = &snapshot.url {
            for meta in &snapshot.packages {
                offers.push(published(meta, base)?);
            }
        }
        let tables = self.tables.clone();
        let own = build.clone();
        let earlier = self
            .db
            .query(move |txn| {
                if !own.target.is_published() {
                    return siblings(&tables, txn, &own);
                }
                let members = own.cycle.iter().take_while(|id| **id != own.id);
                let all = own.after.iter().chain(members);
                all.filter_map(|id| tables.builds.find(txn, id).transpose())
                    .collect()
            })
            .await
            .map_err(ChangeError::Storage)?;
        for earlier in earlier {
            if let Some(built) = earlier.find_assets() {
                let unpublished = self.unpublished(&earlier, built).await?;
                // An unpublished stone stands for the published ones of its name.
                offers.retain(|offer| {
                    unpublished
                        .iter()
                        .all(|new| new.meta.name != offer.meta.name)
                });
                offers.extend(unpublished);
            }
        }
        Ok(offers)
    }

    /// The stones of a build that only its builder has.
    async fn unpublished(&self, build: &Build, built: &Success) -> Result<Vec<Offer>, Error> {
        let Some(manifest) = built.assets.iter().find(|a| a.kind == AssetKind::Manifest) else {
            return Ok(Vec::new());
        };
        let failed = |message: String| Error::Manifest {
            url: manifest.uri.clone(),
            message,
        };
        let fetched = self.channel.fetch(&manifest.uri, manifest.size).await;
        let bytes = fetched.map_err(|error| failed(error.to_string()))?;
        if Sha256::of(&bytes) != manifest.sha256 {
            return Err(failed("its hash is wrong".to_owned()));
        }
        let packages = Manifest::decode(&bytes)
            .map_err(|error| failed(error.to_string()))?
            .packages;
        let mut offers = Vec::new();
        for meta in packages {
            let begin = format!("{}-{}-{}-", meta.name, meta.version, build.release);
            let stone = built.assets.iter().find(|asset| {
                asset.kind == AssetKind::Stone && asset.file_name.as_str().starts_with(&begin)
            });
            if let Some(stone) = stone {
                offers.push(Offer {
                    url: stone.uri.clone(),
                    sha256: stone.sha256,
                    size: stone.size,
                    meta,
                });
            }
        }
        Ok(offers)
    }

    /// The builder of this name, if it is still configured.
    pub(super) fn find_builder(&self, name: &ServiceName) -> Option<&Client> {
        self.builders.get(name)
    }
}

/// The other builds of a pull request's head, oldest first: what one of them provides is not known
/// before it was built, so none need come after another for its stones to be of use.
fn siblings(tables: &Tables, txn: &RoTxn<'_>, build: &Build) -> Result<Vec<Build>, moss_db::Error> {
    let head = (build.repository.number(), build.commit);
    let all = tables
        .builds
        .find_by(txn, &tables.builds_by_head, &head)?
        .map(|row| Ok(row?.1))
        .collect::<Result<Vec<Build>, moss_db::Error>>()?;
    Ok(all
        .into_iter()
        .filter(|other| other.target == build.target && other.folder != build.folder)
        .collect())
}

fn published(meta: &Meta, index: &Url) -> Result<Offer, Error> {
    let lacks = |what| Error::Package {
        package: meta.name.clone(),
        what,
    };
    let uri = meta.uri.as_deref().ok_or_else(|| lacks("URI"))?;
    let hash = meta.hash.as_deref().ok_or_else(|| lacks("hash"))?;
    Ok(Offer {
        url: index.join(uri).map_err(|_| lacks("URI"))?,
        sha256: hash.parse().map_err(|_| lacks("hash"))?,
        size: meta.size.ok_or_else(|| lacks("size"))?,
        meta: meta.clone(),
    })
}
