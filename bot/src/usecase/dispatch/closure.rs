//! The closure of a build: packages of the channel, and stones that are not published.

use std::collections::HashMap;
use std::sync::Arc;

use api::attempt::{AssetKind, ClosureStone};
use api::id::AttemptId;
use moss_db::RoTxn;
use moss_deps::Universe;
use moss_format::{Dependency, Meta};
use service::error::Chain;
use url::Url;

use super::builders::{Builders, Presence};
use super::error::{Error, Hope, Unavailable};
use crate::db::{ChangeError, Tables};
use crate::domain::build::{Build, Success};
use crate::usecase::Summit;
use crate::usecase::channel::Snapshot;
use crate::usecase::manifest::{self, Kept};

/// An earlier build that is not published, with its manifest.
struct Earlier {
    build: Build,
    manifest: Option<Kept>,
}

impl Earlier {
    fn attempt(&self) -> AttemptId {
        AttemptId::new(self.build.id, self.build.attempts)
    }
}

impl Summit {
    /// The closure of `build`, and the needs that no stone meets.
    ///
    /// The stones come from the channel and from builds that are not published: of the same pull
    /// request, or earlier builds of the same cycle. Their manifests are in the database, so no
    /// builder is asked.
    pub(super) async fn closure(
        &self,
        build: &Build,
        builders: &Builders,
        snapshot: &Arc<Snapshot>,
    ) -> Result<(Vec<ClosureStone>, Vec<String>), Error> {
        let (tables, own) = (self.tables.clone(), build.clone());
        let earlier = self.db.query(move |txn| earlier(&tables, txn, &own)).await;
        let mut earlier = earlier.map_err(ChangeError::Storage)?;
        for one in &mut earlier {
            self.is_at_hand(one, builders)?;
            if one.manifest.is_none() {
                one.manifest = self.fetch_late(one).await?;
            }
        }
        // The need was valid when it was stored.
        let needs = build.needs.iter();
        let needs: Vec<Dependency> = needs.filter_map(|need| need.parse().ok()).collect();
        let snapshot = Arc::clone(snapshot);
        let compute = move || choose(needs, earlier, &snapshot);
        let computed = tokio::task::spawn_blocking(compute).await;
        computed.expect("choosing stones does not panic")
    }

    /// Fails when the builder of `earlier` does not answer now, because nobody could fetch the
    /// stones.
    fn is_at_hand(&self, earlier: &Earlier, builders: &Builders) -> Result<(), Unavailable> {
        let Some(built) = earlier.build.find_assets() else {
            return Ok(());
        };
        let (message, hope) = match builders.presence(&built.builder) {
            Presence::Up => return Ok(()),
            Presence::Silent => ("it does not answer", Hope::Some),
            Presence::Starting => ("it was just started", Hope::Some),
            Presence::Unknown => ("it is no longer configured", Hope::None),
        };
        Err(unavailable(earlier, built, message.to_owned(), hope))
    }

    /// Fetches and stores the manifest of a build from an older version of summit, which stored
    /// none.
    async fn fetch_late(&self, earlier: &Earlier) -> Result<Option<Kept>, Error> {
        let (Some(built), attempt) = (earlier.build.find_assets(), earlier.attempt()) else {
            return Ok(None);
        };
        let Some(builder) = self.builders.get(&built.builder) else {
            return Ok(None);
        };
        let fetched = manifest::fetch(&self.http, &builder.public_url, &built.assets).await;
        let kept = fetched.map_err(|error| {
            let hope = if error.is_foreign() {
                Hope::Kept
            } else if error.is_passing() {
                Hope::Some
            } else {
                Hope::None
            };
            unavailable(earlier, built, Chain(&error).to_string(), hope)
        })?;
        if let Some(kept) = kept.clone() {
            let tables = self.tables.clone();
            let keep = move |txn: &mut moss_db::RwTxn<'_>| {
                let build = tables.find_build(txn, attempt.build())?;
                match build.is_some_and(|build| build.keeps_assets()) {
                    true => tables.manifests.put(txn, &attempt, &kept),
                    false => Ok(()),
                }
            };
            self.db.submit(keep).await.map_err(ChangeError::Storage)?;
        }
        Ok(kept)
    }
}

fn unavailable(earlier: &Earlier, built: &Success, message: String, hope: Hope) -> Unavailable {
    Unavailable {
        attempt: earlier.attempt(),
        recipe: earlier.build.recipe.to_string(),
        builder: built.builder.clone(),
        message,
        hope,
    }
}

/// The builds before `build`, with their manifests.
fn earlier(
    tables: &Tables,
    txn: &RoTxn<'_>,
    build: &Build,
) -> Result<Vec<Earlier>, moss_db::Error> {
    let builds = builds_before(tables, txn, build)?.into_iter();
    let earlier = builds.map(|build| {
        let attempt = AttemptId::new(build.id, build.attempts);
        let manifest = tables.manifests.find(txn, &attempt)?;
        Ok(Earlier { build, manifest })
    });
    earlier.collect()
}

/// The unpublished builds whose stones `build` may use, oldest first.
///
/// # Errors
/// When the database fails, or a row cannot be read.
pub(in crate::usecase) fn builds_before(
    tables: &Tables,
    txn: &RoTxn<'_>,
    build: &Build,
) -> Result<Vec<Build>, moss_db::Error> {
    let mut builds = match build.target.is_published() {
        false => siblings(tables, txn, build)?,
        true => {
            let members = build.cycle.iter().take_while(|id| **id != build.id);
            let all = build.after.iter().chain(members);
            all.filter_map(|id| tables.find_build(txn, *id).transpose())
                .collect::<Result<_, _>>()?
        }
    };
    builds.retain(Build::keeps_assets);
    Ok(builds)
}

/// The other builds of a pull request's head, oldest first. Nobody knows what they provide before
/// they are built, so `build` may use their stones without an edge in the plan.
fn siblings(tables: &Tables, txn: &RoTxn<'_>, build: &Build) -> Result<Vec<Build>, moss_db::Error> {
    let all = tables.builds_of_head(txn, build.repository, build.commit)?;
    let siblings = all.into_iter().filter(|other| {
        (&other.target, &other.profile) == (&build.target, &build.profile)
            && other.folder != build.folder
    });
    Ok(siblings.collect())
}

/// Chooses stones for `needs`. Returns the closure and the unmet needs.
fn choose(
    needs: Vec<Dependency>,
    earlier: Vec<Earlier>,
    snapshot: &Snapshot,
) -> Result<(Vec<ClosureStone>, Vec<String>), Error> {
    let mut packages: Vec<Option<Meta>> = Vec::new();
    let mut unpublished: HashMap<String, (ClosureStone, usize)> = HashMap::new();
    for one in &earlier {
        let (Some(built), Some(kept)) = (one.build.find_assets(), &one.manifest) else {
            continue;
        };
        let made = manifest::packages(kept)
            .map_err(|error| unavailable(one, built, Chain(&error).to_string(), Hope::None))?;
        for meta in made {
            if let Some(stone) = stone_of(&one.build, built, &meta) {
                let place = (stone, packages.len());
                // If two builds make a package of the same name, the younger build wins.
                if let Some((_, older)) = unpublished.insert(meta.name.clone(), place) {
                    packages[older] = None;
                }
                packages.push(Some(meta));
            }
        }
    }
    let packages = packages.into_iter().flatten();
    let universe = Universe::over(Arc::clone(&snapshot.universe), packages);
    let closure = universe.closure(needs, |_| false);
    let unmet = closure.missing.iter();
    let unmet = unmet
        .map(|missing| missing.dependency.to_string())
        .collect();
    let mut stones = Vec::with_capacity(closure.packages.len());
    for meta in closure.packages {
        stones.push(match unpublished.remove(&meta.name) {
            Some((stone, _)) => stone,
            None => published(meta, snapshot.url.as_ref())?,
        });
    }
    Ok((stones, unmet))
}

/// The stone of a package among a build's assets.
fn stone_of(build: &Build, built: &Success, meta: &Meta) -> Option<ClosureStone> {
    let begin = format!("{}-{}-{}-", meta.name, meta.version, build.release);
    let stone = built.assets.iter().find(|asset| {
        asset.kind == AssetKind::Stone && asset.file_name.as_str().starts_with(&begin)
    })?;
    Some(ClosureStone {
        package: meta.name.clone(),
        url: stone.uri.clone(),
        sha256: stone.sha256,
        size: stone.size,
    })
}

fn published(meta: &Meta, index: Option<&Url>) -> Result<ClosureStone, Error> {
    let lacks = |what| Error::Package {
        package: meta.name.clone(),
        what,
    };
    let uri = meta.uri.as_deref().ok_or_else(|| lacks("URI"))?;
    let hash = meta.hash.as_deref().ok_or_else(|| lacks("hash"))?;
    let url = index.and_then(|index| index.join(uri).ok());
    Ok(ClosureStone {
        package: meta.name.clone(),
        url: url.ok_or_else(|| lacks("URI"))?,
        sha256: hash.parse().map_err(|_| lacks("hash"))?,
        size: meta.size.ok_or_else(|| lacks("size"))?,
    })
}
