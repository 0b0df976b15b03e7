//! Failures that go on: an outage of minutes instead of one failed request.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::{Failure, Faults, Moment, Point};

/// All requests fail at a point for as long as this lives.
#[derive(Debug)]
pub struct Outage {
    id: u64,
    met: watch::Sender<usize>,
    faults: Arc<Faults>,
}

/// Too few requests met an outage in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{met} requests instead of {wanted} met the outage within {limit:?}")]
pub struct NeverMet {
    wanted: usize,
    met: usize,
    limit: Duration,
}

/// An outage among what is armed.
#[derive(Debug)]
pub(super) struct Armament {
    id: u64,
    point: Point,
    failure: Failure,
    met: watch::Sender<usize>,
}

impl Armament {
    /// The failure for a request, if it is at this point.
    pub(super) fn meet(&self, method: &str, path: &str, moment: Moment) -> Option<Failure> {
        if !self.point.matches(method, path, moment) {
            return None;
        }
        self.met.send_modify(|count| *count += 1);
        Some(self.failure)
    }
}

impl Faults {
    pub(crate) fn fail_all(self: &Arc<Self>, point: Point, failure: Failure) -> Outage {
        let met = watch::Sender::new(0);
        let mut armed = self.lock();
        armed.last += 1;
        let id = armed.last;
        armed.outages.push(Armament {
            id,
            point,
            failure,
            met: met.clone(),
        });
        Outage {
            id,
            met,
            faults: Arc::clone(self),
        }
    }
}

impl Outage {
    /// How many requests met it.
    #[must_use]
    pub fn count(&self) -> usize {
        *self.met.borrow()
    }

    /// Waits until so many requests met it.
    ///
    /// # Errors
    /// When they do not come within the limit.
    pub async fn met(&self, wanted: usize, limit: Duration) -> Result<(), NeverMet> {
        let mut met = self.met.subscribe();
        let enough = met.wait_for(|count| *count >= wanted);
        match tokio::time::timeout(limit, enough).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(NeverMet {
                wanted,
                met: self.count(),
                limit,
            }),
        }
    }

    /// Ends it: requests are answered again.
    pub fn end(self) {
        // Dropping does it.
    }
}

impl Drop for Outage {
    fn drop(&mut self) {
        self.faults
            .lock()
            .outages
            .retain(|outage| outage.id != self.id);
    }
}
