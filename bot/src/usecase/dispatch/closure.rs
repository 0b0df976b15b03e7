//! What can be laid into a build's root: the channel's packages, and stones that are not published.

use std::borrow::Cow;

use api::attempt::AssetKind;
use api::id::{AttemptId, ServiceName, Sha256};
use moss_db::RoTxn;
use moss_format::{Manifest, Meta};
use url::Url;

use super::Error;
use crate::db::{ChangeError, Tables};
use crate::domain::build::{Build, Success};
use crate::usecase::Summit;
use crate::usecase::channel::Snapshot;

/// A package to choose from, and where its stone is.
pub(super) struct Offer<'snapshot> {
    pub(super) meta: Cow<'snapshot, Meta>,
    pub(super) url: Url,
    pub(super) sha256: Sha256,
    pub(super) size: u64,
}

/// The stones of an earlier build that cannot be had from its builder.
#[derive(Debug, thiserror::Error)]
#[error("the stones of {recipe}, which come before, cannot be had from {builder}: {message}")]
pub struct Unavailable {
    /// The attempt that made them.
    pub(super) attempt: AttemptId,
    /// What was built, for people.
    pub(super) recipe: String,
    /// Who keeps them, or should.
    pub(super) builder: ServiceName,
    /// What went wrong.
    pub(super) message: String,
    /// Whether there is hope.
    pub(super) hope: Hope,
}

/// Whether assets may still be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hope {
    /// Their builder may come back.
    Some,
    /// Their builder answers, and does not have them as they were.
    None,
}

impl Summit {
    /// The channel's packages, and stones that are not published: of the same pull request, or of
    /// the builds of its cycle that came before.
    pub(super) async fn offers<'snapshot>(
        &self,
        build: &Build,
        snapshot: &'snapshot Snapshot,
    ) -> Result<Vec<Offer<'snapshot>>, Error> {
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
                all.filter_map(|id| tables.find_build(txn, *id).transpose())
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
    async fn unpublished(
        &self,
        build: &Build,
        built: &Success,
    ) -> Result<Vec<Offer<'static>>, Unavailable> {
        let Some(manifest) = built.assets.iter().find(|a| a.kind == AssetKind::Manifest) else {
            return Ok(Vec::new());
        };
        let failed = |message: String, hope| Unavailable {
            attempt: AttemptId::new(build.id, build.attempts),
            recipe: build.recipe.to_string(),
            builder: built.builder.clone(),
            message,
            hope,
        };
        let fetched = self.channel.fetch(&manifest.uri, manifest.size).await;
        let bytes = fetched.map_err(|error| {
            let is_gone = error
                .status()
                .is_some_and(|status| matches!(status.as_u16(), 404 | 410));
            // Nobody will bring back a builder that nobody knows any more.
            let is_unknown = self.find_builder(&built.builder).is_none();
            let hope = if is_gone || is_unknown {
                Hope::None
            } else {
                Hope::Some
            };
            failed(service::error::Chain(&error).to_string(), hope)
        })?;
        if Sha256::of(&bytes) != manifest.sha256 {
            return Err(failed("the manifest was changed".to_owned(), Hope::None));
        }
        let packages = Manifest::decode(&bytes)
            .map_err(|error| failed(error.to_string(), Hope::None))?
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
                    meta: Cow::Owned(meta),
                });
            }
        }
        Ok(offers)
    }
}

/// The other builds of a pull request's head, oldest first: what one of them provides is not known
/// before it was built, so none need come after another for its stones to be of use.
fn siblings(tables: &Tables, txn: &RoTxn<'_>, build: &Build) -> Result<Vec<Build>, moss_db::Error> {
    let all = tables.builds_of_head(txn, build.repository, build.commit)?;
    Ok(all
        .into_iter()
        .filter(|other| other.target == build.target && other.folder != build.folder)
        .collect())
}

fn published<'snapshot>(meta: &'snapshot Meta, index: &Url) -> Result<Offer<'snapshot>, Error> {
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
        meta: Cow::Borrowed(meta),
    })
}
