//! Who may fetch at one time: so many in all, and so many from one host.

use std::collections::HashMap;
use std::num::NonZero;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use url::Url;

use crate::error::Error;

/// The places of a fetcher.
#[derive(Debug)]
pub(crate) struct Places {
    all: Arc<Semaphore>,
    each: NonZero<usize>,
    hosts: Mutex<HashMap<String, Arc<Semaphore>>>,
}

/// A place, given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    _all: OwnedSemaphorePermit,
    _host: OwnedSemaphorePermit,
}

impl Places {
    pub(crate) fn new(all: NonZero<usize>, each: NonZero<usize>) -> Self {
        Self {
            all: Arc::new(Semaphore::new(all.get())),
            each,
            hosts: Mutex::default(),
        }
    }

    /// Waits for a place to ask the host of `url`. Who waits for a host takes no place from others.
    pub(crate) async fn take(&self, url: Option<&Url>) -> Result<Place, Error> {
        let host = self.host(url.and_then(Url::host_str).unwrap_or_default());
        let host = host.acquire_owned().await.map_err(|_| Error::Cancelled)?;
        let all = Arc::clone(&self.all);
        let all = all.acquire_owned().await.map_err(|_| Error::Cancelled)?;
        Ok(Place {
            _all: all,
            _host: host,
        })
    }

    fn host(&self, name: &str) -> Arc<Semaphore> {
        // Every change of the map is a single call, so a panic elsewhere leaves it whole.
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody else has one that is not in use, or waited for.
        hosts.retain(|_, semaphore| {
            Arc::strong_count(semaphore) > 1 || semaphore.available_permits() < self.each.get()
        });
        let new = || Arc::new(Semaphore::new(self.each.get()));
        Arc::clone(hosts.entry(name.to_owned()).or_insert_with(new))
    }
}
