//! What tests do to a forge: lose and reorder webhooks, hold and fail requests, move the clock,
//! read what passed.

use std::time::Duration;

use crate::config::SecondaryLimits;
use crate::fault::{Failure, Outage, Pause, Point};
use crate::forge::Forge;
use crate::id::DeliveryId;
use crate::people::Refused;
use crate::traffic::Exchange;
use crate::webhook::log::Delivery;
use crate::webhook::{Event, Mode, Order, Redelivery, send};

impl Forge {
    /// Says what happens to webhooks from now on.
    pub fn set_webhooks(&self, mode: Mode) {
        self.shared.lock().deliveries.mode = mode;
    }

    /// The webhooks held back by [`Mode::Hold`], oldest first.
    #[must_use]
    pub fn held_webhooks(&self) -> Vec<Event> {
        self.shared.lock().deliveries.held.clone()
    }

    /// Sends the webhooks held back, one after the other in that order, each once the one before
    /// it has ended, and holds no more. Gives how many there were.
    pub async fn release_webhooks(&self, order: Order) -> usize {
        let mut held = {
            let mut state = self.shared.lock();
            state.deliveries.mode = Mode::Deliver;
            std::mem::take(&mut state.deliveries.held)
        };
        match order {
            Order::Made => {}
            Order::Reversed => held.reverse(),
        }
        let count = held.len();
        for event in held {
            send::now(&self.shared, event, Redelivery::First).await;
        }
        count
    }

    /// Sends an event again under its GUID.
    ///
    /// # Errors
    /// When there is no such delivery.
    pub fn redeliver(&self, id: DeliveryId) -> Result<(), Refused> {
        let now = self.shared.clock.now();
        let mut state = self.shared.lock();
        let row = state.deliveries.find(id, now);
        let event = row.ok_or_else(|| Refused::missing("delivery", id))?.event();
        send::spawn(&self.shared, &mut state, event, Redelivery::Again);
        Ok(())
    }

    /// The delivery log, newest first.
    #[must_use]
    pub fn deliveries(&self) -> Vec<Delivery> {
        let now = self.shared.clock.now();
        self.shared
            .lock()
            .deliveries
            .newest_first(now)
            .cloned()
            .collect()
    }

    /// Holds requests that come to a point for as long as the [`Pause`] lives.
    #[must_use = "dropping the pause ends it"]
    pub fn pause(&self, point: Point) -> Pause {
        self.shared.faults.pause(point)
    }

    /// Makes the next request that comes to a point fail. Called twice, the next two.
    pub fn fail_next(&self, point: Point, failure: Failure) {
        self.shared.faults.fail_next(point, failure);
    }

    /// Makes the next requests that come to a point fail, so many of them.
    pub fn fail_times(&self, point: &Point, failure: Failure, times: usize) {
        for _ in 0..times {
            self.fail_next(point.clone(), failure);
        }
    }

    /// Makes all requests that come to a point fail for as long as the [`Outage`] lives.
    #[must_use = "dropping the outage ends it"]
    pub fn fail_all(&self, point: Point, failure: Failure) -> Outage {
        self.shared.faults.fail_all(point, failure)
    }

    /// Refuses callers that are beyond a secondary limit from now on, or no more.
    pub fn set_secondary_limits(&self, limits: Option<SecondaryLimits>) {
        self.shared.secondary.enforce(limits);
    }

    /// The failures that no request has met yet, oldest first.
    #[must_use]
    pub fn armed_failures(&self) -> Vec<(Point, Failure)> {
        self.shared.faults.armed_failures()
    }

    /// Moves the forge's clock forward: tokens expire, deliveries are forgotten, check runs turn
    /// stale.
    pub fn advance_clock(&self, by: Duration) {
        self.shared.clock.advance(by);
        let now = self.shared.clock.now();
        self.shared.lock().end_overdue_runs(now);
        self.shared.changed();
    }

    /// Ends all installation tokens at once.
    pub fn revoke_tokens(&self) {
        self.shared.lock().tokens.revoke_installations();
    }

    /// The last 10,000 REST requests with their answers, oldest first.
    #[must_use]
    pub fn traffic(&self) -> Vec<Exchange> {
        self.shared.traffic.exchanges()
    }

    /// The last 10,000 webhooks sent, oldest first.
    #[must_use]
    pub fn sent_webhooks(&self) -> Vec<Event> {
        self.shared.traffic.webhooks()
    }

    /// Forgets what passed.
    pub fn clear_traffic(&self) {
        self.shared.traffic.clear();
    }
}
