//! Tries the sandbox at the start, so that an operator learns of a host that refuses it before the
//! first order does.

use std::io;
use std::sync::Arc;

use api::id::{AttemptId, BuildId};

use super::engine::Parts;
use super::scripts;
use super::workspace::Workspace;
use crate::helper::Helper;
use crate::log::Log;
use crate::sandbox::spec::Network;
use crate::sandbox::{Error, Outcome, Sandbox};

/// The name of the script, the log and the folders.
const NAME: &str = "probe";

/// Runs an empty script as an attempt would; says in avalanche's own log what is wrong.
pub(super) async fn run(parts: &Parts) {
    match probe(parts).await {
        Ok(Outcome::Ended(0)) => tracing::debug!("the sandbox works"),
        Ok(Outcome::Stopped) => tracing::debug!("the sandbox was not tried to the end"),
        Ok(outcome) => tracing::error!(?outcome, "the sandbox does not work as it should"),
        Err(error) => {
            let error = service::error::Chain(&error).to_string();
            tracing::error!(error, "no attempt can succeed: the sandbox does not work");
        }
    }
}

async fn probe(parts: &Parts) -> Result<Outcome, Error> {
    // No build has this id: those of builds carry a time and a version.
    let id = AttemptId::new(BuildId::from_bytes([0; 16]), 0);
    let identity = parts.identity(0);
    let (work, host) = (parts.work.clone(), parts.host_paths.clone());
    let limits = parts.limits.clone();
    let made = tokio::task::spawn_blocking(move || {
        let workspace = Arc::new(Workspace::create(&work, id, identity)?);
        workspace.write(&format!("scripts/{NAME}"), b"true\n")?;
        let spec = scripts::spec(&workspace, &host, Network::Loopback, NAME, &limits)?;
        let log = Log::create(&workspace.path(&format!("{NAME}.log")), 1 << 16)?;
        io::Result::Ok((workspace, spec, log))
    });
    let (workspace, spec, log) = made
        .await
        .map_err(io::Error::other)
        .and_then(|made| made)
        .map_err(Error::Log)?;
    let sandbox = Sandbox::new(Helper::new(parts.executable.clone(), identity));
    let outcome = sandbox.run(&spec, &log, &parts.supervisor.token()).await;
    let _ = tokio::task::spawn_blocking(move || drop(workspace)).await;
    outcome
}
