//! The phases of one attempt, in their order.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use api::attempt::{Asset, AssetKind, Order, Phase, Reason};
use api::id::{AttemptId, Sha256};
use moss_format::recipe::{self, Diagnostic, Recipe};
use moss_format::script;
use secrecy::SecretString;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::disk;
use super::engine::Parts;
use super::failure::Halt;
use super::live::Live;
use super::prepare;
use super::scripts;
use super::tools::SandboxedTools;
use super::workspace::Workspace;
use crate::config::Networking;
use crate::domain::lifecycle::Event;
use crate::helper::Helper;
use crate::host::Snapshot;
use crate::log::Log;
use crate::package;
use crate::sandbox::spec::Network;
use crate::sandbox::{Outcome, Sandbox};

/// The most bytes that a build may install.
const MAX_INSTALLED: u64 = 64 << 30;

/// What came out of an attempt.
pub(super) struct Done {
    pub(super) assets: Vec<Asset>,
    pub(super) host: Sha256,
}

/// An attempt at work.
pub(super) struct Run<'a> {
    pub(super) parts: &'a Parts,
    pub(super) live: &'a Live,
    pub(super) id: AttemptId,
    pub(super) helper: Helper,
    pub(super) workspace: Arc<Workspace>,
    pub(super) log: Log,
}

impl Run<'_> {
    /// Runs all phases.
    pub(super) async fn all(
        &self,
        order: &Order,
        token: Option<SecretString>,
    ) -> Result<Done, Halt> {
        self.enter(Phase::Clone).await?;
        let recipe = prepare::recipe(self, order, token).await?;
        let network = self.network(&recipe)?;
        self.enter(Phase::Fetch).await?;
        let host = self.look_at_host(order).await?;
        let sources = prepare::fetch(self, order, &recipe).await?;
        self.enter(Phase::Prepare).await?;
        let provided = prepare::unpack(self, sources).await?;
        self.weigh().await?;
        self.tell_limits();
        self.tell_network(network).await?;
        self.run_scripts(order, &recipe, network).await?;
        self.weigh().await?;
        self.enter(Phase::Package).await?;
        let assets = self.package(order, recipe, provided).await?;
        Ok(Done {
            assets,
            host: host.fingerprint(),
        })
    }

    /// Is cancelled when the attempt is to stop.
    pub(super) fn stop(&self) -> &CancellationToken {
        self.live.stopping()
    }

    async fn enter(&self, phase: Phase) -> Result<(), Halt> {
        if self.stop().is_cancelled() {
            return Err(Halt::Stopped);
        }
        let now = self
            .parts
            .clock
            .now()
            .strftime("%Y-%m-%d %H:%M:%S UTC")
            .to_string();
        self.log.say(&format!("==> {phase} ({now})"));
        self.parts
            .advance(self.live, Event::Entered(phase))
            .await
            .map_err(|error| Halt::internal("note the phase of an attempt", &error))
    }

    async fn look_at_host(&self, order: &Order) -> Result<Arc<Snapshot>, Halt> {
        let look = self.parts.host.latest();
        let snapshot = self
            .stop()
            .run_until_cancelled(look)
            .await
            .ok_or(Halt::Stopped)?;
        let missing = snapshot.lacks(order.host_needs.iter().map(String::as_str));
        if missing.is_empty() {
            return Ok(snapshot);
        }
        let message = format!("the host does not supply {}", missing.join(", "));
        Err(Halt::new(Reason::HostLacks { missing }, message))
    }

    /// What the recipe's scripts can reach, if this builder gives what it asks for.
    fn network(&self, recipe: &Recipe) -> Result<Network, Halt> {
        match (*recipe.options.networking, self.parts.networking) {
            (false, _) => Ok(Network::Loopback),
            (true, Networking::Host) => Ok(Network::Host),
            (true, Networking::Refuse) => Err(Halt::new(
                Reason::HostLacks {
                    missing: vec!["networking".to_owned()],
                },
                "the recipe asks for networking, and this builder gives none \
                 (`sandbox.networking` of its configuration)",
            )),
        }
    }

    /// Writes down that the scripts have a network, before they have it.
    async fn tell_network(&self, network: Network) -> Result<(), Halt> {
        let network = match network {
            Network::Loopback => return Ok(()),
            Network::Host => api::attempt::Network::Host,
        };
        self.log.say("network: the recipe's scripts get the host's");
        self.parts
            .advance(self.live, Event::Networked(network))
            .await
            .map_err(|error| Halt::internal("note the network of an attempt", &error))
    }

    /// Finds what grew too large between two looks at the disk, before more is built on it.
    async fn weigh(&self) -> Result<(), Halt> {
        let workspace = Arc::clone(&self.workspace);
        let most = self.parts.limits.disk_bytes;
        let excess = self
            .blocking("measure the workspace", move || {
                Ok(disk::find_excess(&workspace.path(""), most))
            })
            .await?;
        excess.map_or(Ok(()), |excess| Err(Halt::excess(&excess)))
    }

    fn tell_limits(&self) {
        self.log
            .say(&self.parts.limits.line(self.parts.memory_holder()));
    }

    async fn run_scripts(
        &self,
        order: &Order,
        recipe: &Recipe,
        network: Network,
    ) -> Result<(), Halt> {
        let workspace = &self.workspace;
        let (tools, remark) =
            scripts::toolchain(recipe, |name| scripts::has_program(workspace, name));
        if let Some(remark) = remark {
            self.log.say(&remark);
        }
        let context = scripts::context(recipe, order, self.parts.jobs, tools)?;
        // All are expanded first: a macro that is wrong in the last should not cost a build.
        let mut expanded = Vec::new();
        for phase in recipe::Phase::ALL {
            let text = script::assemble(recipe, phase, &context)
                .map_err(|error| Halt::recipe(&Diagnostic::from(error)))?;
            if let Some(text) = text {
                expanded.push((phase, text));
            }
        }
        for (phase, text) in expanded {
            self.enter(wire(phase)).await?;
            self.script(order, phase, &text, network).await?;
        }
        Ok(())
    }

    async fn script(
        &self,
        order: &Order,
        phase: recipe::Phase,
        text: &str,
        network: Network,
    ) -> Result<(), Halt> {
        let name = phase.as_str();
        let host = &self.parts.host_paths;
        let made = self
            .workspace
            .write(&format!("scripts/{name}"), text.as_bytes())
            .and_then(|_| scripts::spec(&self.workspace, host, network, name, &self.parts.limits));
        let mut spec = made.map_err(|error| Halt::internal("lay out a sandbox", &error))?;
        spec.entries
            .push(scripts::recipe_entry(&self.workspace, order));
        let sandbox = Sandbox::new(self.helper.clone());
        match sandbox
            .run(&spec, &self.log, self.stop())
            .await
            .map_err(|e| Halt::sandbox(&e))?
        {
            Outcome::Ended(0) => Ok(()),
            Outcome::Ended(status) => Err(script_failed(name, status)),
            Outcome::Stopped => Err(Halt::Stopped),
            Outcome::LogFull => Err(Halt::new(
                Reason::LimitReached {
                    limit: "log_bytes".to_owned(),
                },
                format!(
                    "the log is longer than the {} bytes it may have",
                    self.log.limit()
                ),
            )),
            Outcome::Exceeded(excess) => Err(Halt::excess(&excess)),
        }
    }

    async fn package(
        &self,
        order: &Order,
        recipe: Recipe,
        provided: Vec<String>,
    ) -> Result<Vec<Asset>, Halt> {
        let partial = self.parts.emitting.join(self.id.to_string());
        let last = self.parts.assets.join(self.id.to_string());
        let (workspace, log) = (Arc::clone(&self.workspace), self.log.clone());
        let (helper, host) = (self.helper.clone(), self.parts.host_paths.clone());
        let limits = self.parts.limits.clone();
        let (stop, runtime) = (self.stop().clone(), Handle::current());
        let (build_release, architecture) = (order.build_release, order.architecture.clone());
        let emitted = self
            .blocking("package", move || {
                let scratch = workspace.path("scratch");
                super::workspace::remove(&partial)?;
                fs::create_dir_all(&partial)?;
                let tools = SandboxedTools {
                    sandbox: &Sandbox::new(helper),
                    workspace: &workspace,
                    host: &host,
                    runtime,
                    stop,
                    limits: &limits,
                    calls: AtomicU32::new(0),
                };
                let input = package::Input {
                    recipe: &recipe,
                    install_root: &workspace.path("install"),
                    build_release,
                    architecture: architecture.as_str(),
                    available: &provided
                        .iter()
                        .filter_map(|text| text.parse().ok())
                        .collect(),
                    limit: MAX_INSTALLED,
                    tools: &tools,
                    scratch: &scratch,
                    output: &partial,
                };
                let emitted = package::emit(input, &mut |line| log.say(line));
                if emitted.is_ok() {
                    keep(&partial, &last)?;
                }
                Ok(emitted)
            })
            .await?;
        if self.stop().is_cancelled() {
            return Err(Halt::Stopped);
        }
        let output = emitted.map_err(|error| {
            Halt::new(
                Reason::PackagingFailed,
                service::error::Chain(&error).to_string(),
            )
        })?;
        self.assets(&output)
    }

    fn assets(&self, output: &package::Output) -> Result<Vec<Asset>, Halt> {
        let stones = output
            .stones
            .iter()
            .map(|stone| (AssetKind::Stone, &stone.file_name, stone.sha256, stone.size));
        let manifests = [
            (AssetKind::Manifest, &output.manifest_bin),
            (AssetKind::ManifestText, &output.manifest_jsonc),
        ]
        .map(|(kind, file)| (kind, &file.file_name, file.sha256, file.size));
        stones
            .chain(manifests)
            .map(|(kind, name, sha256, size)| {
                let file_name = name
                    .parse()
                    .map_err(|error| Halt::internal("name", &error))?;
                self.log
                    .say(&format!("{name}: {size} bytes, SHA-256 {sha256}"));
                let uri = self.parts.asset_uri(self.id, name);
                Ok(Asset {
                    kind,
                    file_name,
                    uri,
                    sha256,
                    size,
                })
            })
            .collect()
    }

    /// The certificate authorities for git, where its helper can read them.
    pub(super) fn ca_file(&self) -> Result<Option<String>, Halt> {
        let Some(certificates) = &self.parts.ca_certificates else {
            return Ok(None);
        };
        let path = self
            .workspace
            .write("ca.pem", certificates)
            .map_err(|error| Halt::internal("write certificates", &error))?;
        Ok(path.to_str().map(ToOwned::to_owned))
    }

    /// Copies a file of the cache into the workspace.
    pub(super) async fn copy(&self, from: PathBuf, to: String) -> Result<PathBuf, Halt> {
        let workspace = Arc::clone(&self.workspace);
        self.blocking("copy a file", move || workspace.copy(&from, &to))
            .await
    }

    /// Does `work` on a thread where it may block.
    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        action: &str,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Result<T, Halt> {
        match tokio::task::spawn_blocking(work).await {
            Ok(result) => result.map_err(|error| Halt::internal(action, &error)),
            Err(error) => Err(Halt::internal(action, &error)),
        }
    }
}

fn wire(phase: recipe::Phase) -> Phase {
    match phase {
        recipe::Phase::Setup => Phase::Setup,
        recipe::Phase::Build => Phase::Build,
        recipe::Phase::Install => Phase::Install,
        recipe::Phase::Check => Phase::Check,
    }
}

fn script_failed(name: &str, status: i32) -> Halt {
    let (exit_status, how) = match status {
        // What a shell says of a child that a signal ended.
        129..=192 => (None, format!("was ended by signal {}", status - 128)),
        status => (Some(status), format!("ended with exit status {status}")),
    };
    Halt::new(
        Reason::ScriptFailed { exit_status },
        format!("the {name} script {how}"),
    )
}

/// Makes finished assets durable and gives their folder its name.
fn keep(partial: &Path, last: &Path) -> io::Result<()> {
    for entry in fs::read_dir(partial)? {
        fs::File::open(entry?.path())?.sync_all()?;
    }
    fs::File::open(partial)?.sync_all()?;
    super::workspace::remove(last)?;
    fs::rename(partial, last)?;
    match last.parent() {
        Some(folder) => fs::File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}
