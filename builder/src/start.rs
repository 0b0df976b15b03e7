//! Puts a builder together and sets it to work.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use moss_db::{Environment, OpenError};
use moss_fetcher::{Exceptions, Fetcher, Reach};
use service::auth::{KeyError, PublicKey, ServiceKey, Verifier};
use service::listen::{ListenError, Listener};
use service::{Clock, Supervisor};
use tokio::time::Instant;
use url::Url;

use crate::config::{Config, Invalid};
use crate::db::Tables;
use crate::host::{Host, InvalidSupply, Pace};
use crate::http::{self, App};
use crate::report::Reporter;
use crate::sandbox;
use crate::sandbox::cgroup::{Delegation, Lack};
use crate::usecase::{Cache, Engine, Fetchers, Floor, Parts, RecoverError};

/// How long the process that had the database before may take to end.
const ENDING: Duration = Duration::from_secs(5);

/// A builder at work.
#[derive(Debug)]
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    /// What other services pin.
    pub public_key: PublicKey,
    /// Under which URL others reach it; ends in a slash.
    pub public_url: Url,
    /// Where builds run, when that cannot be the data folder.
    pub elsewhere: Option<Elsewhere>,
}

/// Builds run outside of the data folder, as their user cannot reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elsewhere {
    /// The folder in which they run.
    pub work: PathBuf,
    /// The user that they run as.
    pub user: u32,
    /// The first folder on the way to the data folder that this user cannot pass.
    pub barrier: PathBuf,
}

/// A builder that could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration cannot work.
    #[error("the configuration cannot work")]
    Config(#[from] Invalid),
    /// A package name that the host supplies is configured wrongly.
    #[error("the configuration cannot work")]
    Supply(#[from] InvalidSupply),
    /// The key cannot be read or made.
    #[error("the builder has no key")]
    Key(#[from] KeyError),
    /// A folder or file cannot be used.
    #[error("cannot use {}", path.display())]
    Path {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The folder for builds cannot be reached by the user that they run as.
    #[error(
        "builds run as user {id}, who cannot pass {}: give `work` a folder that this user can reach",
        barrier.display()
    )]
    Barrier {
        /// The user.
        id: u32,
        /// The folder that is closed to it.
        barrier: PathBuf,
    },
    /// The folder for builds has a name that mounts cannot carry.
    #[error(
        "{0:?} cannot be the folder for builds: its path holds one of `:`, `,`, `\\`, or is not UTF-8"
    )]
    WorkName(PathBuf),
    /// The configured control group is no use.
    #[error("cannot use the control group of `sandbox.cgroup`")]
    ControlGroup(#[from] Lack),
    /// The builds' users do not exist here.
    #[error(
        "builds cannot run as user {id}: this user namespace has no such {kind}; set \
         `sandbox.first_id` to one that it has, start avalanche as another user than root, or give \
         the namespace more than the {kind}s it has ({map})"
    )]
    Unmapped {
        /// The first user that is not there.
        id: u32,
        /// What is not there: a user or a group.
        kind: &'static str,
        /// What is, as ranges.
        map: String,
    },
    /// The database cannot be opened.
    #[error("cannot open the database")]
    Database(#[from] OpenError),
    /// What a former process left cannot be put in order.
    #[error("cannot go on where the last process ended")]
    Recover(#[from] RecoverError),
    /// The further certificate authorities are no use.
    #[error("cannot use the certificates of `ca_file`")]
    Certificates(#[source] reqwest::Error),
    /// Nothing can be fetched.
    #[error("cannot fetch files")]
    Fetcher(#[from] moss_fetcher::Error),
    /// The listener cannot be made.
    #[error("cannot listen")]
    Listen(#[from] ListenError),
    /// The address makes no URL.
    #[error("the address of the listener makes no URL")]
    Url(#[from] url::ParseError),
}

/// Starts a builder; its tasks belong to `supervisor`.
///
/// # Errors
/// See [`StartError`].
pub async fn start(config: Config, supervisor: &Supervisor) -> Result<Running, StartError> {
    service::install_tls_provider();
    config.check()?;
    check_ids(&config)?;
    let key = ServiceKey::load_or_create(config.name.clone(), &config.key_file())?;
    let public_key = *key.public();
    let folders = Folders::make(&config)?;
    let host = Arc::new(Host::new(
        config.sandbox.paths.clone(),
        &config.host.packages,
        Clock::system(),
    )?);
    let listener = Listener::bind(&config.listen).await?;
    let address = listener.address();
    let public_url = match &config.public_url {
        Some(url) => url.clone(),
        None => {
            let scheme = if config.listen.tls.is_some() {
                "https"
            } else {
                "http"
            };
            Url::parse(&format!("{scheme}://{address}/"))?
        }
    };
    let (env, tables) = open(&folders.database).await?;
    let ca_certificates = config.ca_file.as_deref().map(read).transpose()?;
    let floor = Floor {
        folders: vec![folders.work.clone(), folders.assets.clone()],
        bytes: config.min_free_bytes,
    };
    let parts = Parts {
        env,
        tables,
        clock: Clock::system(),
        supervisor: supervisor.clone(),
        cache: Cache::new(
            folders.cache,
            fetchers(&config, ca_certificates.as_deref())?,
            config.mirrors.clone(),
            config.sources.max_bytes,
            Duration::from_secs(u64::from(config.cache_days) * 24 * 3600),
        ),
        host: Arc::clone(&host),
        host_paths: config.host_paths(),
        executable: executable(&config)?,
        first_id: first_id(&config),
        work: folders.work,
        logs: folders.logs,
        assets: folders.assets,
        emitting: folders.emitting,
        public_url: public_url.clone(),
        slots: config.slots.get(),
        jobs: config.jobs(),
        limits: config.limits(),
        delegation: delegation(&config)?,
        networking: config.sandbox.networking,
        floor,
        sources: config.sources.clone(),
        ca_certificates,
        max_log_bytes: config.max_log_bytes,
        retention: Duration::from_secs(u64::from(config.retention_hours) * 3600),
        reporter: Reporter::new(key),
    };
    let engine = Engine::start(parts)?;
    let verifier = Verifier::new(config.name.clone(), config.peers);
    let app = App {
        engine,
        host: Arc::clone(&host),
        name: config.name,
        slots: u32::from(config.slots.get()),
    };
    supervisor.spawn_until_shutdown("look at the host", async move {
        host.watch(Pace::default()).await;
    });
    listener.serve(supervisor, "avalanche", http::router(app, &verifier));
    tracing::info!(%address, %public_key, url = %public_url, "avalanche is up");
    Ok(Running {
        address,
        public_key,
        public_url,
        elsewhere: folders.elsewhere,
    })
}

/// Opens the database; waits for a process or a connection that has it and is just ending.
async fn open(folder: &Path) -> Result<(Environment, Tables), OpenError> {
    let end = Instant::now() + ENDING;
    loop {
        match Environment::open::<Tables>(folder, &moss_db::Options::default()) {
            Err(OpenError::AlreadyOpen { .. }) if Instant::now() < end => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            result => return result,
        }
    }
}

/// Fetches over the system's certificate authorities and further ones.
fn fetchers(config: &Config, ca_certificates: Option<&[u8]>) -> Result<Fetchers, StartError> {
    let certificates = ca_certificates
        .map(reqwest::Certificate::from_pem_bundle)
        .transpose()
        .map_err(StartError::Certificates)?;
    let defaults = moss_fetcher::Options {
        certificates: certificates.unwrap_or_default(),
        ..moss_fetcher::Options::default()
    };
    // All stones are on one or two hosts, which are the line's own.
    let any = moss_fetcher::Options {
        parallel_per_host: defaults.parallel,
        ..defaults.clone()
    };
    let public = moss_fetcher::Options {
        reach: Reach::Public(Exceptions {
            networks: config.sources.allow_private.clone(),
            origins: config.mirror_origins()?,
        }),
        ..defaults
    };
    Ok(Fetchers {
        sources: Fetcher::new(public)?,
        stones: Fetcher::new(any)?,
    })
}

/// Where things are kept.
struct Folders {
    database: PathBuf,
    logs: PathBuf,
    assets: PathBuf,
    emitting: PathBuf,
    cache: PathBuf,
    work: PathBuf,
    elsewhere: Option<Elsewhere>,
}

impl Folders {
    fn make(config: &Config) -> Result<Self, StartError> {
        let below = |name: &str| -> Result<PathBuf, StartError> {
            let path = config.data.join(name);
            make(&path, 0o755)?;
            canonical(&path)
        };
        let (work, elsewhere) = work(config)?;
        Ok(Self {
            database: below("database")?,
            logs: below("logs")?,
            assets: below("assets")?,
            emitting: below("emitting")?,
            cache: below("cache")?,
            work,
            elsewhere,
        })
    }
}

/// The folder for builds: as configured, else in the data folder, else in /var/tmp.
fn work(config: &Config) -> Result<(PathBuf, Option<Elsewhere>), StartError> {
    let path = config
        .work
        .clone()
        .unwrap_or_else(|| config.data.join("work"));
    make(&path, 0o755)?;
    let mut path = canonical(&path)?;
    let mut elsewhere = None;
    if let Some(id) = first_id(config)
        && let Some(barrier) = barrier(&path, id)?
    {
        if config.work.is_some() {
            return Err(StartError::Barrier { id, barrier });
        }
        // One of our own for each data folder; the name does not matter, only that it stays.
        let digest = api::id::Sha256::of(path.as_os_str().as_encoded_bytes()).to_string();
        path = PathBuf::from(format!("/var/tmp/avalanche-{}", &digest[..16]));
        make(&path, 0o755)?;
        own(&path)?;
        tracing::info!(
            barrier = %barrier.display(), work = %path.display(),
            "builds run elsewhere, as their user cannot pass the way to the data folder"
        );
        if let Some(barrier) = self::barrier(&path, id)? {
            return Err(StartError::Barrier { id, barrier });
        }
        elsewhere = Some(Elsewhere {
            work: path.clone(),
            user: id,
            barrier,
        });
    }
    match path.to_str() {
        Some(text) if !text.contains([':', ',', '\\']) => Ok((path, elsewhere)),
        Some(_) | None => Err(StartError::WorkName(path)),
    }
}

/// In a folder where anyone can write, somebody else may have made it, or a link.
fn own(path: &Path) -> Result<(), StartError> {
    let failed = |source| StartError::Path {
        path: path.to_owned(),
        source,
    };
    let metadata = path.symlink_metadata().map_err(failed)?;
    if metadata.is_dir() && metadata.uid() == rustix::process::getuid().as_raw() {
        return Ok(());
    }
    Err(failed(io::Error::new(
        io::ErrorKind::PermissionDenied,
        "it belongs to somebody else",
    )))
}

fn barrier(path: &Path, id: u32) -> Result<Option<PathBuf>, StartError> {
    sandbox::find_barrier(path, id).map_err(|source| StartError::Path {
        path: path.to_owned(),
        source,
    })
}

fn make(path: &Path, mode: u32) -> Result<(), StartError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(path)
        .map_err(|source| StartError::Path {
            path: path.to_owned(),
            source,
        })
}

fn canonical(path: &Path) -> Result<PathBuf, StartError> {
    path.canonicalize().map_err(|source| StartError::Path {
        path: path.to_owned(),
        source,
    })
}

fn read(path: &Path) -> Result<Vec<u8>, StartError> {
    fs::read(path).map_err(|source| StartError::Path {
        path: path.to_owned(),
        source,
    })
}

/// The part of the tree of control groups that attempts get theirs in.
fn delegation(config: &Config) -> Result<Option<Delegation>, StartError> {
    if let Some(folder) = &config.sandbox.cgroup {
        return Ok(Some(Delegation::claim(folder)?));
    }
    match Delegation::find() {
        Ok(delegation) => Ok(Some(delegation)),
        Err(lack) => {
            let reason = service::error::Chain(&lack).to_string();
            tracing::info!(reason, "the memory of builds is measured at intervals only");
            Ok(None)
        }
    }
}

fn executable(config: &Config) -> Result<PathBuf, StartError> {
    match &config.executable {
        Some(path) => Ok(path.clone()),
        None => std::env::current_exe().map_err(|source| StartError::Path {
            path: PathBuf::from("/proc/self/exe"),
            source,
        }),
    }
}

/// Checks that the users that builds are to run as exist in this user namespace.
fn check_ids(config: &Config) -> Result<(), StartError> {
    let Some(first) = first_id(config) else {
        return Ok(());
    };
    for (kind, path) in [
        ("user", "/proc/self/uid_map"),
        ("group", "/proc/self/gid_map"),
    ] {
        let path = Path::new(path);
        let map = String::from_utf8_lossy(&read(path)?).into_owned();
        let wanted = first..first + u32::from(config.slots.get());
        if let Some(id) = find_unmapped(&map, wanted) {
            let map = describe(&map);
            return Err(StartError::Unmapped { id, kind, map });
        }
    }
    Ok(())
}

/// The ranges of a map of user_namespaces(7): first and last number in here.
fn ranges(map: &str) -> impl Iterator<Item = (u32, u32)> {
    map.lines().filter_map(|line| {
        let mut numbers = line.split_whitespace().map(str::parse::<u32>);
        let (first, length) = (numbers.next()?.ok()?, numbers.nth(1)?.ok()?);
        Some((first, first.checked_add(length.checked_sub(1)?)?))
    })
}

fn find_unmapped(map: &str, mut wanted: std::ops::Range<u32>) -> Option<u32> {
    wanted.find(|id| !ranges(map).any(|(first, last)| (first..=last).contains(id)))
}

fn describe(map: &str) -> String {
    let ranges: Vec<String> = ranges(map)
        .map(|(first, last)| format!("{first}-{last}"))
        .collect();
    ranges.join(", ")
}

/// Builds must not run as root; other users have no way to be anyone else.
fn first_id(config: &Config) -> Option<u32> {
    rustix::process::getuid()
        .is_root()
        .then_some(config.sandbox.first_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_that_the_namespace_lacks_is_found() {
        let whole = "         0          0 4294967295\n";
        assert_eq!(find_unmapped(whole, 64_800..64_816), None);
        let single = "         0       1000          1\n";
        assert_eq!(find_unmapped(single, 64_800..64_801), Some(64_800));
        assert_eq!(describe(single), "0-0");
        let podman = "0 1000 1\n1 100000 65536\n";
        assert_eq!(find_unmapped(podman, 65_530..65_540), Some(65_537));
        assert_eq!(describe(podman), "0-0, 1-65536");
    }
}
