//! The channel's packages that plans compare with.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::id::Architecture;

use crate::usecase::Summit;
use crate::usecase::channel::{self, Known, Snapshot};

/// The channel at the time of the read, for each profile.
#[derive(Debug, Default)]
pub(super) struct Released(pub(super) BTreeMap<Architecture, OfProfile>);

/// The channel at the time of the read, for one profile.
#[derive(Debug, Default)]
pub(super) struct OfProfile {
    /// Its packages.
    pub(super) snapshot: Arc<Snapshot>,
    /// The time of the read.
    pub(super) read_at: jiff::Timestamp,
}

impl From<&Known> for OfProfile {
    fn from(known: &Known) -> Self {
        Self {
            snapshot: Arc::clone(&known.snapshot),
            read_at: known.read_at,
        }
    }
}

impl Summit {
    /// Reads the channel for each profile.
    ///
    /// # Errors
    /// When vessel does not answer and there is no last snapshot.
    pub(super) async fn released(&self) -> Result<Released, channel::Error> {
        let mut released = Released::default();
        for (profile, channel) in &self.channels {
            let known = channel.latest().await?;
            released.0.insert(profile.clone(), OfProfile::from(&known));
        }
        Ok(released)
    }
}
