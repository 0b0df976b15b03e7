//! Making the indexes of a history.
//!
//! The encoded metadata of a channel's packages is kept between publications, so that a new index
//! costs the encoding of what changed. What is not kept (after a start) is taken over from the newest
//! history's index as it is encoded there, and what that lacks is read from the stones in the pool.

use std::collections::{BTreeMap, BTreeSet, HashMap, hash_map};
use std::fs::File;
use std::io::BufReader;

use api::id::{Architecture, HistoryId, Sha256};
use moss_format::Meta;
use moss_format::index::{self, Entry};
use moss_format::payload::Encoding;
use service::error::Chain;

use super::{Channel, Failure, Repository, locked};
use crate::domain::arrival::Packages;
use crate::domain::package::Package;
use crate::domain::pool::Place;

/// Encoded metadata by the digest of the stone.
pub(super) type Entries = HashMap<Sha256, Entry>;

/// A package's metadata as it stands in an index.
pub(super) fn entry(meta: &Meta, package: &Package) -> Result<Entry, index::WriteError> {
    let meta = Meta {
        uri: Some(Place::of(package).reference()),
        hash: Some(package.sha256().to_string()),
        size: Some(package.size()),
        ..meta.clone()
    };
    Entry::new(&meta, &Encoding::default())
}

impl Repository {
    /// The indexes over `packages`: one for each architecture of the channel, also when it has no
    /// packages yet, and for those that packages still have. `newest` is the history before.
    pub(super) fn compose(
        &self,
        channel: &Channel,
        packages: &Packages,
        newest: Option<&HistoryId>,
    ) -> Result<BTreeMap<Architecture, Vec<u8>>, Failure> {
        let mut entries = locked(&channel.entries);
        let current: BTreeSet<_> = packages.values().map(Package::sha256).collect();
        if current.iter().any(|sha256| !entries.contains_key(sha256)) {
            self.complete(channel, packages, newest, &mut entries)?;
        }
        entries.retain(|sha256, _| current.contains(sha256));
        let mut indexes: BTreeMap<&Architecture, Vec<&Entry>> = BTreeMap::new();
        for architecture in &channel.architectures {
            indexes.entry(architecture).or_default();
        }
        for ((architecture, _), package) in packages {
            let entry = entries.get(&package.sha256());
            indexes.entry(architecture).or_default().extend(entry);
        }
        indexes
            .into_iter()
            .map(|(architecture, entries)| {
                let mut bytes = Vec::new();
                index::write(entries, &mut bytes).map_err(unindexable(architecture))?;
                Ok((architecture.clone(), bytes))
            })
            .collect()
    }

    /// Adds the entries that are not kept.
    fn complete(
        &self,
        channel: &Channel,
        packages: &Packages,
        newest: Option<&HistoryId>,
        entries: &mut Entries,
    ) -> Result<(), Failure> {
        let architectures: BTreeSet<_> = packages.keys().map(|(name, _)| name).collect();
        for architecture in architectures {
            let published = newest.and_then(|id| self.published(channel, id, architecture));
            for (sha256, entry) in published.into_iter().flatten() {
                entries.entry(sha256).or_insert(entry);
            }
        }
        for package in packages.values() {
            if let hash_map::Entry::Vacant(place) = entries.entry(package.sha256()) {
                let meta = self.pooled_meta(channel, package)?;
                let made = entry(&meta, package).map_err(unindexable(package.architecture()))?;
                place.insert(made);
            }
        }
        Ok(())
    }

    /// The entries of a published index, by the digest of the stone. One that cannot be read says
    /// nothing: the pool knows it all.
    fn published(
        &self,
        channel: &Channel,
        history: &HistoryId,
        architecture: &Architecture,
    ) -> Option<Vec<(Sha256, Entry)>> {
        let path = self.tree.index(&channel.name, history, architecture);
        let read = std::fs::read(&path)
            .map_err(|error| error.to_string())
            .and_then(|bytes| index::entries(&bytes).map_err(|error| Chain(&error).to_string()));
        match read {
            Ok(index) => {
                let by_hash = |entry: Entry| Some((entry.key().hash.parse().ok()?, entry));
                Some(index.entries.into_iter().filter_map(by_hash).collect())
            }
            Err(error) => {
                tracing::debug!(path = %path.display(), %error, "reading the pool instead");
                None
            }
        }
    }

    fn pooled_meta(&self, channel: &Channel, package: &Package) -> Result<Meta, Failure> {
        let path = self.tree.pooled(&channel.name, &Place::of(package));
        let failed = |reason: String| Failure::Pool {
            file_name: package.file_name().to_string(),
            reason,
        };
        let file = File::open(path).map_err(|error| failed(error.to_string()))?;
        let stone = moss_format::package::Package::open(BufReader::new(file))
            .map_err(|error| failed(Chain(&error).to_string()))?;
        Ok(stone.meta().clone())
    }
}

fn unindexable(architecture: &Architecture) -> impl FnOnce(index::WriteError) -> Failure + use<> {
    let architecture = architecture.clone();
    move |source| Failure::Index {
        architecture,
        source: Box::new(source),
    }
}
