//! Faults from outside the services: requests that are held at a named point until released,
//! and answers that fail.
//!
//! A point is a method and a path pattern, and whether it lies before the forge does what is
//! asked or after it, when only the answer is missing. Between the two lie the cases that a
//! service must survive: killed before its request was heard, and killed before it heard that it
//! was.

mod failure;
mod point;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::point::WEBHOOK;

pub use self::failure::Failure;
pub use self::point::{Moment, Point};

/// The points now armed. A forge has its own; whoever stands in front of another service can have
/// one too.
#[derive(Debug, Default)]
pub struct Faults {
    armed: Mutex<Armed>,
}

#[derive(Debug, Default)]
struct Armed {
    last: u64,
    pauses: Vec<(u64, Point, Arc<Gate>)>,
    failures: Vec<(Point, Failure)>,
    outages: Vec<Armament>,
}

#[derive(Debug)]
struct Gate {
    held: watch::Sender<usize>,
    open: CancellationToken,
}

/// Requests are held at a point for as long as this lives.
#[derive(Debug)]
pub struct Pause {
    id: u64,
    gate: Arc<Gate>,
    faults: Arc<Faults>,
}

/// All requests fail at a point for as long as this lives.
#[derive(Debug)]
pub struct Outage {
    id: u64,
    met: watch::Sender<usize>,
    faults: Arc<Faults>,
}

/// No request came to a point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no request was held within {0:?}")]
pub struct NeverHeld(Duration);

/// Too few requests met an outage in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{met} requests instead of {wanted} met the outage within {limit:?}")]
pub struct NeverMet {
    wanted: usize,
    met: usize,
    limit: Duration,
}

impl Pause {
    /// Waits until a request is held.
    ///
    /// # Errors
    /// When none comes within the limit.
    pub async fn held(&self, limit: Duration) -> Result<(), NeverHeld> {
        let mut held = self.gate.held.subscribe();
        let arrived = held.wait_for(|count| *count > 0);
        match tokio::time::timeout(limit, arrived).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(NeverHeld(limit)),
        }
    }

    /// How many requests are held.
    #[must_use]
    pub fn count(&self) -> usize {
        *self.gate.held.borrow()
    }

    /// Lets the held requests go on, and those that come later pass.
    pub fn resume(self) {
        // Dropping does it.
    }
}

impl Drop for Pause {
    fn drop(&mut self) {
        self.faults
            .lock()
            .pauses
            .retain(|(id, _, _)| *id != self.id);
        self.gate.open.cancel();
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

/// An outage among what is armed.
#[derive(Debug)]
struct Armament {
    id: u64,
    point: Point,
    failure: Failure,
    met: watch::Sender<usize>,
}

impl Armament {
    /// The failure for a request, if it is at this point.
    fn meet(&self, method: &str, path: &str, moment: Moment) -> Option<Failure> {
        if !self.point.matches(method, path, moment) {
            return None;
        }
        self.met.send_modify(|count| *count += 1);
        Some(self.failure)
    }
}

impl Faults {
    fn lock(&self) -> MutexGuard<'_, Armed> {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds requests that come to a point for as long as the [`Pause`] lives.
    #[must_use = "dropping the pause ends it"]
    pub fn pause(self: &Arc<Self>, point: Point) -> Pause {
        let gate = Arc::new(Gate {
            held: watch::Sender::new(0),
            open: CancellationToken::new(),
        });
        let mut armed = self.lock();
        armed.last += 1;
        let id = armed.last;
        armed.pauses.push((id, point, Arc::clone(&gate)));
        Pause {
            id,
            gate,
            faults: Arc::clone(self),
        }
    }

    pub(crate) fn fail_next(&self, point: Point, failure: Failure) {
        self.lock().failures.push((point, failure));
    }

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

    pub(crate) fn armed_failures(&self) -> Vec<(Point, Failure)> {
        self.lock().failures.clone()
    }

    /// Waits where a pause holds this point, until it is released or `stop` is cancelled.
    pub async fn pass(&self, method: &str, path: &str, moment: Moment, stop: &CancellationToken) {
        let gate = {
            let armed = self.lock();
            armed
                .pauses
                .iter()
                .find(|(_, point, _)| point.matches(method, path, moment))
                .map(|(_, _, gate)| Arc::clone(gate))
        };
        let Some(gate) = gate else { return };
        let _held = Held::at(&gate);
        tokio::select! {
            () = gate.open.cancelled() => {}
            () = stop.cancelled() => {}
        }
    }

    pub(crate) async fn pass_webhook(&self, event: &str, stop: &CancellationToken) {
        self.pass(WEBHOOK, event, Moment::Asked, stop).await;
    }

    /// Waits where a pause holds this point or where requests are slow, and gives the failure of the
    /// request.
    pub(crate) async fn meet(
        &self,
        method: &str,
        target: &str,
        moment: Moment,
        stop: &CancellationToken,
    ) -> Option<Failure> {
        self.pass(method, target, moment, stop).await;
        let failure = self.take_failure(method, target, moment)?;
        let Failure::Slow(by) = failure else {
            return Some(failure);
        };
        tokio::select! {
            () = tokio::time::sleep(by) => {}
            () = stop.cancelled() => {}
        }
        None
    }

    /// The failure for this request, which it uses up, or that of an outage, which goes on.
    fn take_failure(&self, method: &str, path: &str, moment: Moment) -> Option<Failure> {
        let mut armed = self.lock();
        let position = armed
            .failures
            .iter()
            .position(|(point, _)| point.matches(method, path, moment));
        if let Some(position) = position {
            return Some(armed.failures.remove(position).1);
        }
        let mut outages = armed.outages.iter();
        outages.find_map(|outage| outage.meet(method, path, moment))
    }
}

/// Counts a held request, also one whose client goes away.
struct Held<'gate>(&'gate Gate);

impl<'gate> Held<'gate> {
    fn at(gate: &'gate Gate) -> Self {
        gate.held.send_modify(|count| *count += 1);
        Self(gate)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.held.send_modify(|count| *count -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_pause_holds_until_it_is_dropped() {
        let faults = Arc::new(Faults::default());
        let stop = CancellationToken::new();
        let pause = faults.pause(Point::rest("GET", "/app"));
        let mut held = Box::pin(faults.pass("GET", "/app", Moment::Asked, &stop));
        tokio::select! {
            () = &mut held => panic!("not held"),
            result = pause.held(Duration::from_secs(5)) => result.unwrap(),
        }
        assert_eq!(pause.count(), 1);
        pause.resume();
        held.await;
        faults.pass("GET", "/app", Moment::Asked, &stop).await;
    }

    #[test]
    fn a_failure_is_used_up() {
        let faults = Faults::default();
        faults.fail_next(Point::rest("GET", "/app"), Failure::Status(503));
        assert_eq!(faults.armed_failures().len(), 1);
        let take = || faults.take_failure("GET", "/app", Moment::Asked);
        assert_eq!((take(), take()), (Some(Failure::Status(503)), None));
        assert_eq!(faults.armed_failures(), []);
    }
}
