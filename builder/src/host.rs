//! What the host supplies to builds, beside the stones of the closure.
//!
//! A [`Snapshot`] lists what can be depended on by kind, found in the folders that a sandbox sees
//! and searches, and a fingerprint over all that a build could read of the host. Both belong
//! together: the fingerprint goes into the identity of a build that the host supplied anything to.
//!
//! One task looks, and whoever asks gets what it saw last: a look at a host that nobody read before
//! can take longer than those who ask would wait. The task looks when it starts, every five minutes,
//! and soon after folders and files of the host show that something was installed or removed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use service::Clock;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};

mod fingerprint;
mod inventory;
mod packages;
mod signs;
mod snapshot;

pub use packages::{InvalidSupply, Packages};
use signs::Signs;
pub use snapshot::Snapshot;

/// How often something is done about the host.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// How long a snapshot is good before the host is looked at again.
    pub look: Duration,
    /// How long until it is seen that something was installed or removed.
    pub signs: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            look: Duration::from_secs(300),
            signs: Duration::from_secs(10),
        }
    }
}

/// The host, looked at by one task and asked by many.
#[derive(Debug)]
pub struct Host {
    paths: Vec<PathBuf>,
    packages: Packages,
    clock: Clock,
    latest: watch::Sender<Option<Arc<Snapshot>>>,
}

impl Host {
    /// The host as far as a sandbox sees it: `paths`. `packages` are the configured additions to
    /// the built-in package names. It is looked at by [`Self::watch`] only.
    ///
    /// # Errors
    /// When what stands for a package is no dependency and no path.
    pub fn new(
        paths: Vec<PathBuf>,
        packages: &BTreeMap<String, String>,
        clock: Clock,
    ) -> Result<Self, InvalidSupply> {
        let packages = Packages::new(packages)?;
        Ok(Self {
            paths,
            packages,
            clock,
            latest: watch::Sender::new(None),
        })
    }

    /// What was seen last; nothing before the first look is done.
    pub fn find_latest(&self) -> Option<Arc<Snapshot>> {
        self.latest.borrow().clone()
    }

    /// What was seen last, once there is something.
    pub async fn latest(&self) -> Arc<Snapshot> {
        let mut snapshots = self.latest.subscribe();
        let found = snapshots.wait_for(Option::is_some).await;
        let latest = found.expect("the sender is a part of what we borrow");
        Arc::clone(latest.as_ref().expect("this was waited for"))
    }

    /// Looks at the host, again and again; never returns.
    pub async fn watch(&self, pace: Pace) {
        loop {
            let due = Instant::now() + pace.look;
            // They are read first: what changes during the look shows against them afterwards.
            let signs = self.signs().await;
            self.look().await;
            let changed = self.changed(signs, pace.signs);
            if tokio::time::timeout_at(due, changed).await.is_ok() {
                tracing::debug!("something was installed on the host or removed from it");
            }
        }
    }

    /// Looks once, and lets everyone see what came of it.
    async fn look(&self) {
        let begun = Instant::now();
        let (paths, packages) = (self.paths.clone(), self.packages.clone());
        let now = self.clock.now();
        let look = tokio::task::spawn_blocking(move || Snapshot::take(&paths, packages, now));
        let Ok(snapshot) = look.await else {
            // It panicked, or the runtime ends; the last snapshot, if there is one, stays.
            tracing::error!("a look at the host was broken off");
            return;
        };
        let seconds = begun.elapsed().as_secs_f64();
        let fingerprint = snapshot.fingerprint();
        let before = self.latest.send_replace(Some(Arc::new(snapshot)));
        match before.map(|before| before.fingerprint()) {
            None => {
                tracing::info!(host.fingerprint = %fingerprint, host.seconds = seconds, "looked at the host");
            }
            Some(before) if before != fingerprint => {
                tracing::info!(host.fingerprint = %fingerprint, host.seconds = seconds, "the host has changed");
            }
            Some(_) => tracing::debug!(host.seconds = seconds, "the host is what it was"),
        }
    }

    /// Returns when the host's signs are others than `before`.
    async fn changed(&self, before: Option<Signs>, every: Duration) {
        let mut ticks = tokio::time::interval_at(Instant::now() + every, every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if self.signs().await != before {
                return;
            }
        }
    }

    /// The signs that the host shows now; none when they could not be read.
    async fn signs(&self) -> Option<Signs> {
        let (paths, packages) = (self.paths.clone(), self.packages.clone());
        let read = tokio::task::spawn_blocking(move || Signs::read(&paths, &packages));
        read.await.ok()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use service::Supervisor;

    use super::*;

    /// So long that it never comes in a test.
    const NEVER: Duration = Duration::from_secs(24 * 3600);
    const SOON: Duration = Duration::from_millis(20);
    /// The longest that anything here takes.
    const LIMIT: Duration = Duration::from_secs(60);

    /// A host of one folder, which a task looks at.
    fn watched(folder: &Path, pace: Pace) -> (Arc<Host>, Supervisor) {
        let paths = vec![folder.to_owned()];
        let host = Arc::new(Host::new(paths, &BTreeMap::new(), Clock::system()).unwrap());
        let (supervisor, looking) = (Supervisor::new(), Arc::clone(&host));
        supervisor.spawn_until_shutdown("look", async move { looking.watch(pace).await });
        (host, supervisor)
    }

    /// The first snapshot that differs from `before`.
    async fn other(host: &Host, before: &Snapshot) -> Arc<Snapshot> {
        let mut snapshots = host.latest.subscribe();
        let differs = |snapshot: &Option<Arc<Snapshot>>| {
            let snapshot = snapshot.as_ref();
            snapshot.is_some_and(|snapshot| snapshot.fingerprint() != before.fingerprint())
        };
        let found = tokio::time::timeout(LIMIT, snapshots.wait_for(differs)).await;
        let found = found.expect("the change is not seen").unwrap();
        Arc::clone(found.as_ref().unwrap())
    }

    #[tokio::test]
    async fn the_host_has_what_building_this_project_needs_and_not_what_nobody_has() {
        let pace = Pace {
            look: NEVER,
            signs: NEVER,
        };
        let (host, _looking) = watched(Path::new("/usr/bin"), pace);
        let snapshot = host.latest().await;
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
        assert!(Arc::ptr_eq(&snapshot, &host.latest().await));
        assert!(Arc::ptr_eq(&snapshot, &host.find_latest().unwrap()));
    }

    #[tokio::test]
    async fn what_is_installed_is_seen_before_the_next_look_is_due() {
        let folder = tempfile::tempdir().unwrap();
        let pace = Pace {
            look: NEVER,
            signs: SOON,
        };
        let (host, _looking) = watched(folder.path(), pace);
        let before = host.latest().await;
        fs::write(folder.path().join("tool"), "").unwrap();
        let after = other(&host, &before).await;
        assert!(after.begun_at() > before.begun_at());
        fs::remove_file(folder.path().join("tool")).unwrap();
        let again = other(&host, &after).await;
        assert_eq!(again.fingerprint(), before.fingerprint());
    }

    #[tokio::test]
    async fn what_shows_no_sign_is_seen_when_the_next_look_is_due() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("share/tool");
        fs::create_dir_all(&deep).unwrap();
        let pace = Pace {
            look: SOON,
            signs: NEVER,
        };
        let (host, _looking) = watched(folder.path(), pace);
        let before = host.latest().await;
        fs::write(deep.join("data"), "").unwrap();
        other(&host, &before).await;
    }

    #[tokio::test]
    async fn before_the_first_look_there_is_nothing_to_tell() {
        let host = Host::new(Vec::new(), &BTreeMap::new(), Clock::system()).unwrap();
        assert!(host.find_latest().is_none());
        let wait = tokio::time::timeout(SOON, host.latest()).await;
        assert!(wait.is_err(), "nobody has looked");
        host.look().await;
        assert!(host.find_latest().is_some());
    }
}
