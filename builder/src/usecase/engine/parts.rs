//! What the engine works with.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use api::id::AttemptId;
use moss_db::Environment;
use service::{Clock, Supervisor};
use url::Url;

use super::super::fetch::Cache;
use super::super::live::Live;
use super::super::space::Floor;
use crate::config::{Networking, Sources};
use crate::db::Tables;
use crate::domain::lifecycle::{self, Event};
use crate::helper::Identity;
use crate::host::Host;
use crate::report::Reporter;
use crate::sandbox::cgroup::Delegation;
use crate::sandbox::limits::{Holder, Limits};
use crate::sandbox::root::HostPaths;

/// What the engine works with.
#[derive(Debug)]
pub struct Parts {
    /// The database.
    pub env: Environment,
    /// Its tables.
    pub tables: Tables,
    /// Tells the time.
    pub clock: Clock,
    /// Owns the attempts' tasks.
    pub supervisor: Supervisor,
    /// Fetches sources and stones.
    pub cache: Cache,
    /// What the host supplies.
    pub host: Arc<Host>,
    /// What sandboxes see of it.
    pub host_paths: HostPaths,
    /// The executable of helpers.
    pub executable: PathBuf,
    /// The first of the users that builds run as, where avalanche is root.
    pub first_id: Option<u32>,
    /// The folder of workspaces.
    pub work: PathBuf,
    /// The folder of logs.
    pub logs: PathBuf,
    /// The folder of assets.
    pub assets: PathBuf,
    /// The folder of assets that are being made; on the file system of the finished ones.
    pub emitting: PathBuf,
    /// Under which URL others reach this service; ends in a slash.
    pub public_url: Url,
    /// How many attempts run at once.
    pub slots: u16,
    /// How many processes one build runs side by side.
    pub jobs: NonZeroU32,
    /// The most that a build may use.
    pub limits: Limits,
    /// Where attempts get control groups, if avalanche has been given a place for them.
    pub delegation: Option<Delegation>,
    /// What becomes of recipes that ask for the network.
    pub networking: Networking,
    /// The room that attempts need.
    pub floor: Floor,
    /// Where sources may come from.
    pub sources: Sources,
    /// Certificate authorities for cloning, in PEM.
    pub ca_certificates: Option<Vec<u8>>,
    /// The most bytes of log that an order may ask for.
    pub max_log_bytes: u64,
    /// How long finished attempts are kept.
    pub retention: Duration,
    /// Tells those who ordered how it goes.
    pub reporter: Reporter,
}

/// A state that could not be written.
#[derive(Debug, thiserror::Error)]
pub(in crate::usecase) enum AdvanceError {
    /// The database fails.
    #[error("cannot write the state of an attempt")]
    Database(#[from] moss_db::Error),
    /// A fault of ours.
    #[error(transparent)]
    Illegal(#[from] lifecycle::IllegalTransition),
}

impl Parts {
    /// Changes an attempt's state: in the database, then for everyone to see.
    pub(in crate::usecase) async fn advance(
        &self,
        live: &Live,
        event: Event,
    ) -> Result<(), AdvanceError> {
        let next = lifecycle::apply(&live.attempt(), event, self.clock.now())?;
        let (tables, written) = (self.tables.clone(), next.clone());
        self.env
            .submit(move |txn| {
                if let Some(mut record) = tables.find(txn, &written.id)? {
                    record.attempt = written;
                    tables.put(txn, &record)?;
                }
                Ok::<_, moss_db::Error>(())
            })
            .await?;
        live.show(next);
        Ok(())
    }

    /// What holds a build's memory within its limit.
    pub(in crate::usecase) fn memory_holder(&self) -> Holder {
        match self.delegation {
            Some(_) => Holder::ControlGroup,
            None => Holder::Measured,
        }
    }

    /// As whom builds run in a slot.
    pub(in crate::usecase) fn identity(&self, slot: u16) -> Identity {
        match self.first_id {
            Some(first) => Identity::Dropped {
                id: first + u32::from(slot),
            },
            None => Identity::Own,
        }
    }

    /// Where anyone can fetch an asset.
    pub(in crate::usecase) fn asset_uri(&self, id: AttemptId, file_name: &str) -> Url {
        let mut uri = self.public_url.clone();
        if let Ok(mut path) = uri.path_segments_mut() {
            path.pop_if_empty()
                .push("assets")
                .push(&id.to_string())
                .push(file_name);
        }
        uri
    }
}
