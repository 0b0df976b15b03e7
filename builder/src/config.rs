//! The configuration: one TOML file, unknown keys refused. `avalanche.example.toml` shows all of it.

use std::collections::BTreeMap;
use std::num::{NonZeroU16, NonZeroU32};
use std::path::{Path, PathBuf};

use api::id::ServiceName;
use serde::Deserialize;
use url::Url;

use crate::sandbox::limits::Limits;
use crate::sandbox::root::HostPaths;

mod sandbox;
mod sources;

pub use sandbox::{Networking, Sandbox};
pub use sources::Sources;

/// What avalanche is told.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The builder's name, as other services know it.
    pub name: ServiceName,
    /// The folder of everything that avalanche keeps.
    pub data: PathBuf,
    /// The folder that builds run in. By default `work` in `data` or, where the builds' user has
    /// no way there, a folder in `/var/tmp`.
    #[serde(default)]
    pub work: Option<PathBuf>,
    /// The file of the private key, made at the first start; by default `key.pem` in `data`.
    #[serde(default)]
    pub key: Option<PathBuf>,
    /// Where to listen.
    pub listen: service::listen::Config,
    /// Under which URL others reach the listener; by default its address.
    #[serde(default)]
    pub public_url: Option<Url>,
    /// The services that may give orders.
    #[serde(default)]
    pub peers: Vec<service::auth::Peer>,
    /// How many attempts run at once.
    #[serde(default = "one_slot")]
    pub slots: NonZeroU16,
    /// How many processes one build runs side by side; by default the processors by the slots.
    #[serde(default)]
    pub jobs: Option<NonZeroU32>,
    /// Where upstream archives are asked for first: URLs with `{sha256}` in them.
    #[serde(default)]
    pub mirrors: Vec<String>,
    /// Further certificate authorities, for cloning and fetching: a PEM file.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// How long a finished attempt is kept that nobody releases, in hours.
    #[serde(default = "two_weeks")]
    pub retention_hours: u32,
    /// How long a source or stone is kept that no attempt uses, in days.
    #[serde(default = "two_months")]
    pub cache_days: u32,
    /// How many bytes must be free on the disk; without, no order is taken, and failures of scripts
    /// are taken for those of the disk.
    #[serde(default = "one_gibibyte")]
    pub min_free_bytes: u64,
    /// The most bytes of log that an order may ask for.
    #[serde(default = "one_gibibyte")]
    pub max_log_bytes: u64,
    /// Where the sources of recipes may come from.
    #[serde(default)]
    pub sources: Sources,
    /// How builds are locked in.
    #[serde(default)]
    pub sandbox: Sandbox,
    /// What the host is good for.
    #[serde(default)]
    pub host: Host,
    /// How avalanche logs about itself.
    #[serde(default)]
    pub telemetry: service::telemetry::Config,
    /// The executable that is started anew for helpers; by default the running one.
    #[serde(default)]
    pub executable: Option<PathBuf>,
}

/// What the host is good for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Host {
    /// Package names that the host supplies when it has what they stand for; added to and
    /// replacing the built-in ones.
    pub packages: BTreeMap<String, String>,
}

/// A configuration that cannot work.
#[derive(Debug, thiserror::Error)]
pub enum Invalid {
    /// A build would see what it must not.
    #[error("`sandbox.paths` must not hold {}: {reason}", path.display())]
    HostPath {
        /// The path.
        path: PathBuf,
        /// Why not.
        reason: &'static str,
    },
    /// A mirror that is no URL, or without a place for the hash.
    #[error("the mirror {0:?} is no URL with `{{sha256}}` in it")]
    Mirror(String),
    /// A build could give itself orders.
    #[error("`sandbox.networking_ports` must not hold {0}, on which avalanche itself listens")]
    OwnPort(u16),
    /// Builds must not run as root or as the highest, reserved user.
    #[error("`sandbox.first_id` must be at least 1000, and all slots below 4294967294")]
    BuildId,
}

impl Config {
    /// A configuration with these, and the defaults for all else.
    pub fn new(
        name: ServiceName,
        data: PathBuf,
        listen: service::listen::Config,
        peers: Vec<service::auth::Peer>,
    ) -> Self {
        Self {
            name,
            data,
            work: None,
            key: None,
            listen,
            public_url: None,
            peers,
            slots: one_slot(),
            jobs: None,
            mirrors: Vec::new(),
            ca_file: None,
            retention_hours: two_weeks(),
            cache_days: two_months(),
            min_free_bytes: one_gibibyte(),
            max_log_bytes: one_gibibyte(),
            sources: Sources::default(),
            sandbox: Sandbox::default(),
            host: Host::default(),
            telemetry: service::telemetry::Config::default(),
            executable: None,
        }
    }

    /// Checks what TOML cannot.
    pub fn check(&self) -> Result<(), Invalid> {
        self.mirror_origins()?;
        let last = u64::from(self.sandbox.first_id) + u64::from(self.slots.get());
        if self.sandbox.first_id < 1000 || last > u64::from(u32::MAX) - 1 {
            return Err(Invalid::BuildId);
        }
        let port = self.listen.address.port();
        if self.sandbox.networking_ports.contains(&port) {
            return Err(Invalid::OwnPort(port));
        }
        let key = self.key_file();
        for path in self
            .sandbox
            .paths
            .iter()
            .chain(&self.sandbox.networking_paths)
        {
            let invalid = |reason| {
                Err(Invalid::HostPath {
                    path: path.clone(),
                    reason,
                })
            };
            if !path.is_absolute() || path.components().any(|part| part.as_os_str() == "..") {
                return invalid("it is not absolute, or has `..` in it");
            }
            if ["/", "/etc", "/var", "/proc", "/dev", "/sys", "/tmp"]
                .iter()
                .any(|p| path == Path::new(p))
            {
                return invalid("it is more than a build needs; name what it needs of it");
            }
            if ["/home", "/root", "/run"]
                .iter()
                .any(|home| path.starts_with(home))
            {
                return invalid("it is somebody's home, or the system's running state");
            }
            if [&self.data, &key]
                .iter()
                .any(|own| own.starts_with(path) || path.starts_with(own))
            {
                return invalid("it holds avalanche's own data or key, or is a part of them");
            }
        }
        Ok(())
    }

    /// Each mirror, as a URL of some file there.
    ///
    /// # Errors
    /// When one is no URL with a place for the hash.
    pub fn mirror_origins(&self) -> Result<Vec<Url>, Invalid> {
        let parse = |mirror: &String| {
            Some(mirror)
                .filter(|mirror| mirror.contains("{sha256}"))
                .and_then(|mirror| Url::parse(&mirror.replace("{sha256}", "0")).ok())
                .ok_or_else(|| Invalid::Mirror(mirror.clone()))
        };
        self.mirrors.iter().map(parse).collect()
    }

    /// The file of the private key.
    pub fn key_file(&self) -> PathBuf {
        self.key
            .clone()
            .unwrap_or_else(|| self.data.join("key.pem"))
    }

    /// How many processes one build runs side by side.
    pub fn jobs(&self) -> NonZeroU32 {
        self.jobs.unwrap_or_else(|| {
            let processors = std::thread::available_parallelism().map_or(1, |count| count.get());
            let each = processors / usize::from(self.slots.get());
            u32::try_from(each)
                .ok()
                .and_then(NonZeroU32::new)
                .unwrap_or(NonZeroU32::MIN)
        })
    }

    /// What sandboxes take from the host.
    pub fn host_paths(&self) -> HostPaths {
        HostPaths {
            always: self.sandbox.paths.clone(),
            networking: self.sandbox.networking_paths.clone(),
            tcp_ports: self.sandbox.networking_ports.clone(),
        }
    }

    /// The most that one build may use.
    pub fn limits(&self) -> Limits {
        let sandbox = &self.sandbox;
        Limits {
            processes: sandbox.processes,
            memory_bytes: sandbox
                .memory_bytes
                .unwrap_or_else(|| memory() / 10 * 9 / u64::from(self.slots.get())),
            disk_bytes: sandbox.disk_bytes,
            file_bytes: sandbox.file_bytes,
            open_files: sandbox.open_files,
            address_space_bytes: sandbox.address_space_bytes,
        }
    }
}

/// The memory of this machine in bytes.
fn memory() -> u64 {
    let system = rustix::system::sysinfo();
    system.totalram * u64::from(system.mem_unit)
}

fn one_slot() -> NonZeroU16 {
    NonZeroU16::MIN
}

fn two_weeks() -> u32 {
    14 * 24
}

fn two_months() -> u32 {
    60
}

fn one_gibibyte() -> u64 {
    1 << 30
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Config {
        toml::from_str(include_str!("../avalanche.example.toml")).unwrap()
    }

    #[test]
    fn the_example_is_valid_and_shows_the_defaults() {
        let config = example();
        config.check().unwrap();
        let sandbox = Sandbox::default();
        assert_eq!(config.sandbox.paths, sandbox.paths);
        assert_eq!(config.sandbox.networking_paths, sandbox.networking_paths);
        assert_eq!(config.sandbox.first_id, sandbox.first_id);
        assert_eq!(config.sandbox.processes, sandbox.processes);
        assert_eq!(config.sandbox.disk_bytes, sandbox.disk_bytes);
        assert_eq!(config.sandbox.file_bytes, sandbox.file_bytes);
        assert_eq!(config.sandbox.open_files, sandbox.open_files);
        assert_eq!(config.sandbox.networking, sandbox.networking);
        assert_eq!(config.sandbox.networking_ports, sandbox.networking_ports);
        assert_eq!(config.retention_hours, two_weeks());
        assert_eq!(config.cache_days, two_months());
        assert_eq!(config.min_free_bytes, one_gibibyte());
        assert_eq!(config.max_log_bytes, one_gibibyte());
        assert_eq!(config.sources, Sources::default());
    }

    #[test]
    fn builds_never_see_homes_data_or_keys() {
        for bad in [
            "/",
            "/etc",
            "/home/me",
            "/root",
            "/var/lib/avalanche",
            "/var/lib",
            "usr",
            "/usr/..",
        ] {
            let mut config = example();
            config.sandbox.paths.push(PathBuf::from(bad));
            assert!(
                matches!(config.check(), Err(Invalid::HostPath { .. })),
                "{bad}"
            );
        }
    }

    #[test]
    fn builds_never_reach_the_port_that_orders_come_to() {
        let mut config = example();
        config.sandbox.networking_ports.push(8200);
        assert!(matches!(config.check(), Err(Invalid::OwnPort(8200))));
    }

    #[test]
    fn a_key_that_is_not_known_is_refused() {
        let text = include_str!("../avalanche.example.toml");
        let error = toml::from_str::<Config>(&format!("slot = 2\n{text}")).unwrap_err();
        assert!(error.to_string().contains("slot"), "{error}");
    }
}
