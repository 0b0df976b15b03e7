//! What the host supplies to builds, beside the stones of the closure.
//!
//! A [`Snapshot`] lists what can be depended on by kind, found in the folders that a sandbox sees
//! and searches, and a fingerprint over all that a build could read of the host. Both belong
//! together: the fingerprint goes into the identity of a build that the host supplied anything to.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use api::host::LookupAnswer;
use api::id::Sha256;
use tokio::sync::Mutex;
use tokio::time::Instant;

mod fingerprint;
mod inventory;
mod packages;

use inventory::Inventory;
pub use packages::{InvalidSupply, Packages};

/// How long a snapshot is good before the host is looked at again.
const FRESH: Duration = Duration::from_secs(300);

/// The host, looked at when asked and not long ago.
#[derive(Debug)]
pub struct Host {
    paths: Vec<PathBuf>,
    packages: Packages,
    /// Held while looking, so that many askers look once.
    latest: Mutex<Option<(Instant, Arc<Snapshot>)>>,
}

/// What the host supplied at one time.
#[derive(Debug)]
pub struct Snapshot {
    inventory: Inventory,
    packages: Packages,
    fingerprint: Sha256,
}

/// The host could not be looked at.
#[derive(Debug, thiserror::Error)]
#[error("the look at the host was broken off")]
pub struct LookError;

impl Host {
    /// The host as far as a sandbox sees it: `paths`. `packages` are the configured additions to
    /// the built-in package names.
    pub fn new(
        paths: Vec<PathBuf>,
        packages: &BTreeMap<String, String>,
    ) -> Result<Self, InvalidSupply> {
        let packages = Packages::new(packages)?;
        Ok(Self {
            paths,
            packages,
            latest: Mutex::new(None),
        })
    }

    /// A snapshot of at most five minutes ago.
    pub async fn look(&self) -> Result<Arc<Snapshot>, LookError> {
        let mut latest = self.latest.lock().await;
        if let Some((taken, snapshot)) = &*latest
            && taken.elapsed() < FRESH
        {
            return Ok(Arc::clone(snapshot));
        }
        let (paths, packages) = (self.paths.clone(), self.packages.clone());
        let look = tokio::task::spawn_blocking(move || Snapshot::take(&paths, packages));
        let snapshot = Arc::new(look.await.map_err(|_| LookError)?);
        *latest = Some((Instant::now(), Arc::clone(&snapshot)));
        Ok(snapshot)
    }
}

impl Snapshot {
    fn take(paths: &[PathBuf], packages: Packages) -> Self {
        Self {
            inventory: Inventory::take(),
            fingerprint: fingerprint::fingerprint(paths, &packages),
            packages,
        }
    }

    /// The digest over everything that the host supplies.
    pub fn fingerprint(&self) -> Sha256 {
        self.fingerprint
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_host_has_what_building_this_project_needs_and_not_what_nobody_has() {
        let host = Host::new(vec![PathBuf::from("/usr/bin")], &BTreeMap::new()).unwrap();
        let snapshot = host.look().await.unwrap();
        let asked = [
            "binary(gcc)",
            "nothing-has-this-name",
            "make",
            "soname(libc.so.6(x86_64))",
            "soname(libc.so.6(386))",
            "pkgconfig(no-such-module)",
            "interpreter(/lib64/ld-linux-x86-64.so.2(x86_64))",
            "not a ( dependency",
        ];
        let missing = snapshot.lacks(asked);
        for absent in [
            "nothing-has-this-name",
            "pkgconfig(no-such-module)",
            "not a ( dependency",
        ] {
            assert!(missing.contains(&absent.to_owned()), "{missing:?}");
        }
        for present in ["binary(gcc)", "make", "soname(libc.so.6(x86_64))"] {
            assert!(!missing.contains(&present.to_owned()), "{missing:?}");
        }
        // One look serves many.
        let again = host.look().await.unwrap();
        assert!(Arc::ptr_eq(&snapshot, &again));
    }
}
