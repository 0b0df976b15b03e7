//! Faults from outside the services: requests that are held at a named point until released,
//! and answers that fail.
//!
//! A point is a method and a path pattern, and whether it lies before the forge does what is
//! asked or after it, when only the answer is missing. Between the two lie the cases that a
//! service must survive: killed before its request was heard, and killed before it heard that it
//! was.

mod outage;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::StatusCode;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::outage::Armament;

pub use self::outage::{NeverMet, Outage};

/// Where requests are held or fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    method: String,
    path: Vec<String>,
    query: Vec<(String, String)>,
    moment: Moment,
}

/// Whether the forge has done what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The request has come in, nothing has happened.
    Asked,
    /// It has happened, the answer has not left.
    Done,
}

impl Point {
    /// A REST route, such as `POST /repos/*/*/check-runs`: the path without `/api/v3`. `*` stands
    /// for one segment, `**` at the end for all that follow; the method `*` for any.
    #[must_use]
    pub fn rest(method: &str, path: &str) -> Self {
        Self {
            method: method.to_owned(),
            path: path
                .trim_start_matches('/')
                .split('/')
                .map(str::to_owned)
                .collect(),
            query: Vec::new(),
            moment: Moment::Asked,
        }
    }

    /// Every REST route. Git and webhooks pass.
    #[must_use]
    pub fn all_rest() -> Self {
        Self::rest("*", ALL)
    }

    /// The same point for requests alone whose query says so, such as `page=2`.
    #[must_use]
    pub fn with_query(mut self, name: &str, value: &str) -> Self {
        self.query.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A clone or fetch: the request for the pack.
    #[must_use]
    pub fn upload_pack() -> Self {
        Self::rest("POST", "/*/*/git-upload-pack")
    }

    /// The sending of a webhook of that event, such as `push`.
    #[must_use]
    pub fn webhook(event: &str) -> Self {
        Self::rest(WEBHOOK, &format!("/{event}"))
    }

    /// The same point after the effect, before the answer.
    #[must_use]
    pub fn done(mut self) -> Self {
        self.moment = Moment::Done;
        self
    }

    /// Whether a request is at this point. `target` is its path, and its query if it has one.
    fn matches(&self, method: &str, target: &str, moment: Moment) -> bool {
        if self.moment != moment || (self.method != "*" && self.method != method) {
            return false;
        }
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let asks = |(name, value): &(String, String)| {
            let mut pairs = url::form_urlencoded::parse(query.as_bytes());
            pairs.any(|pair| pair == (name.into(), value.into()))
        };
        if !self.query.iter().all(asks) {
            return false;
        }
        if self.path == [ALL] {
            return method != WEBHOOK && !is_git(path);
        }
        let mut segments = path.trim_start_matches('/').split('/');
        for pattern in &self.path {
            match (pattern.as_str(), segments.next()) {
                ("**", _) => return true,
                (_, None) => return false,
                ("*", Some(_)) => {}
                (literal, Some(segment)) if literal == segment => {}
                (_, Some(_)) => return false,
            }
        }
        segments.next().is_none()
    }
}

/// Stands for all REST routes.
const ALL: &str = "**";

/// Whether git asks at that path.
fn is_git(path: &str) -> bool {
    const GIT: [&str; 3] = ["/info/refs", "/git-upload-pack", "/git-receive-pack"];
    GIT.iter().any(|end| path.ends_with(end))
}

/// Stands in for a method in the points of webhooks.
const WEBHOOK: &str = "WEBHOOK";

/// How a request fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// With this status and an error in GitHub's shape.
    Status(u16),
    /// As GitHub's secondary limit: 403 or 429, with `retry-after` or without.
    SecondaryLimit {
        /// 403 or 429.
        status: u16,
        /// The seconds.
        retry_after: Option<u64>,
    },
    /// As the hourly limit: 403, nothing remaining, and when the hour is over.
    HourlyLimit {
        /// In how many seconds that is.
        resets_in: u64,
    },
    /// The connection ends in the middle of the answer's body: with [`Point::done`] of the answer
    /// that there would be, else of an error with the status 502.
    Reset,
    /// Not at all, only late by so much of real time.
    Slow(Duration),
}

impl Failure {
    /// The status of the answer, unless that is cut off.
    pub(crate) fn status(self) -> Option<StatusCode> {
        match self {
            Self::Status(status) | Self::SecondaryLimit { status, .. } => {
                let status = StatusCode::from_u16(status);
                Some(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
            }
            Self::HourlyLimit { .. } => Some(StatusCode::FORBIDDEN),
            Self::Reset | Self::Slow(_) => None,
        }
    }
}

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

/// No request came to a point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no request was held within {0:?}")]
pub struct NeverHeld(Duration);

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
        match self.take_failure(method, target, moment)? {
            Failure::Slow(by) => {
                tokio::select! {
                    () = tokio::time::sleep(by) => {}
                    () = stop.cancelled() => {}
                }
                None
            }
            failure => Some(failure),
        }
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

    #[test]
    fn a_point_matches_its_route_only() {
        let point = Point::rest("POST", "/repos/*/*/check-runs");
        assert!(point.matches("POST", "/repos/a/b/check-runs", Moment::Asked));
        assert!(!point.matches("PATCH", "/repos/a/b/check-runs", Moment::Asked));
        assert!(!point.matches("POST", "/repos/a/b/check-runs/1", Moment::Asked));
        assert!(!point.matches("POST", "/repos/a/b", Moment::Asked));
        assert!(!point.matches("POST", "/repos/a/b/check-runs", Moment::Done));
        assert!(Point::rest("*", "/app/**").matches("GET", "/app/hook/deliveries", Moment::Asked));
        let git = "/a/b.git/git-upload-pack";
        assert!(Point::upload_pack().matches("POST", git, Moment::Asked));
        let all = Point::all_rest();
        assert!(
            all.matches("GET", "/app", Moment::Asked) && all.matches("POST", "/", Moment::Asked)
        );
        assert!(!all.matches("POST", git, Moment::Asked), "no REST");
        assert!(!all.matches(WEBHOOK, "push", Moment::Asked), "no REST");
        let second = Point::rest("GET", "/app").with_query("page", "2");
        assert!(second.matches("GET", "/app?per_page=1&page=2", Moment::Asked));
        assert!(!second.matches("GET", "/app?page=20", Moment::Asked));
        assert!(!second.matches("GET", "/app", Moment::Asked));
    }

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
