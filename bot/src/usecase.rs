//! What summit does. A use case reads, lets the domain decide, commits state and effects together,
//! and acts only then. It can be interrupted anywhere; the next start finishes it.
//!
//! Each worker waits on a [`Wake`]. After a wake it looks at the database, or at the builds under
//! way, a copy in memory that follows the database. A lost wake only costs time, since every worker
//! also looks at regular intervals.

mod advance;
pub mod answer;
pub mod attend;
mod builder;
pub mod channel;
mod command;
mod delivery;
mod desk;
pub mod dispatch;
#[cfg(test)]
pub(crate) mod example;
mod keyed;
pub mod look;
mod manifest;
pub mod outbox;
pub mod press;
pub mod publish;
pub mod read;
pub mod rebuild;
pub mod receive;
pub mod reconcile;
mod reconsider;
pub mod retention;
pub mod schedule;
mod silent;
mod standstill;
mod summit;
pub mod sweep;
mod unread;
pub mod view;
mod wake;
mod worker;
mod writes;

use std::sync::Arc;

use service::Supervisor;

pub use builder::Builder;
pub use silent::SilentBuilder;
pub use standstill::RETRY;
pub use summit::{AskError, Standstill, Summit};
pub(crate) use wake::{Backoff, locked};
pub use wake::{Wake, Wakes};

impl Summit {
    /// Starts all workers.
    pub fn work(self: &Arc<Self>, supervisor: &Supervisor) {
        let summit = || Arc::clone(self);
        for builder in self.builders.values() {
            let (builder, wakes) = (Arc::clone(builder), Arc::clone(&self.wakes));
            let attend = async move { builder.attend(&wakes.schedule).await };
            supervisor.spawn_until_shutdown("builder", attend);
        }
        for channel in self.channels.values() {
            let (channel, wakes) = (Arc::clone(channel), Arc::clone(&self.wakes));
            let attend = async move { channel.attend(&wakes.schedule).await };
            supervisor.spawn_until_shutdown("channel", attend);
        }
        supervisor.spawn("looks", look::work(summit(), supervisor.token()));
        supervisor.spawn_until_shutdown("schedule", schedule::work(summit()));
        supervisor.spawn_until_shutdown("attend", attend::work(summit()));
        supervisor.spawn_until_shutdown("publish", publish::work(summit()));
        supervisor.spawn_until_shutdown("reconcile", reconcile::work(summit()));
        supervisor.spawn_until_shutdown("outbox", outbox::work(summit()));
        supervisor.spawn_until_shutdown("commands", answer::work(summit()));
        supervisor.spawn_until_shutdown("presses", press::work(summit()));
        supervisor.spawn_until_shutdown("sweep", sweep::work(summit()));
        supervisor.spawn("writes", writes::work(summit(), supervisor.token()));
        supervisor.spawn_until_shutdown("retention", retention::work(summit()));
    }
}
