//! What the channel has, as plans compare with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::id::Architecture;

use crate::usecase::Summit;
use crate::usecase::channel::{self, Known, Snapshot};

/// What the channel had when it was read, for each profile.
#[derive(Debug, Default)]
pub(super) struct Released(pub(super) BTreeMap<Architecture, OfProfile>);

/// What the channel had for one profile.
#[derive(Debug, Default)]
pub(super) struct OfProfile {
    /// Its packages.
    pub(super) snapshot: Arc<Snapshot>,
    /// When it was read.
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
    /// What the channel has for each profile.
    ///
    /// # Errors
    /// When vessel does not answer and never did.
    pub(super) async fn released(&self) -> Result<Released, channel::Error> {
        let mut released = Released::default();
        for (profile, channel) in &self.channels {
            let known = channel.latest().await?;
            released.0.insert(profile.clone(), OfProfile::from(&known));
        }
        Ok(released)
    }
}
