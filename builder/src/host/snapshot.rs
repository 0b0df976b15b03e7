//! What one look at the host found.

use std::path::PathBuf;

use api::host::LookupAnswer;
use api::id::Sha256;
use jiff::Timestamp;

use super::fingerprint;
use super::inventory::Inventory;
use super::packages::Packages;

/// What the host supplied at one time.
#[derive(Debug)]
pub struct Snapshot {
    inventory: Inventory,
    packages: Packages,
    fingerprint: Sha256,
    begun_at: Timestamp,
}

impl Snapshot {
    /// Looks at the host, beginning at `begun_at`. Blocks, on a slow disk for many seconds.
    pub(super) fn take(paths: &[PathBuf], packages: Packages, begun_at: Timestamp) -> Self {
        Self {
            inventory: Inventory::take(),
            fingerprint: fingerprint::fingerprint(paths, &packages),
            packages,
            begun_at,
        }
    }

    /// The digest over everything that the host supplies.
    pub fn fingerprint(&self) -> Sha256 {
        self.fingerprint
    }

    /// When the look began: what came later may not be in it.
    pub fn begun_at(&self) -> Timestamp {
        self.begun_at
    }

    /// Which of `dependencies` the host lacks, in the order given. What cannot be read as a
    /// dependency is lacking.
    pub fn lacks<'a>(&self, dependencies: impl IntoIterator<Item = &'a str>) -> Vec<String> {
        dependencies
            .into_iter()
            .filter(|text| !self.supplies(text))
            .map(ToOwned::to_owned)
            .collect()
    }

    /// The answer to a lookup.
    pub fn answer(&self, dependencies: &[String]) -> LookupAnswer {
        LookupAnswer {
            host: self.fingerprint,
            missing: self.lacks(dependencies.iter().map(String::as_str)),
        }
    }

    fn supplies(&self, text: &str) -> bool {
        text.parse().is_ok_and(|dependency| {
            self.inventory.has(&dependency) || self.packages.supplied(&dependency, &self.inventory)
        })
    }
}
