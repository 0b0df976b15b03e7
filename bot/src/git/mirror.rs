//! Fetching into a bare mirror.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use api::id::CommitSha;
use git2::{AutotagOption, ErrorCode, FetchOptions, Oid, RemoteCallbacks, RemoteHead, Repository};
use plain_git::http::Network;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::bounds::Stop;
use crate::domain::name::RepositoryId;

/// How long one fetch may take.
pub const FETCH_TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// Why an operation on a mirror failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The mirror's folder cannot be opened or created.
    #[error("cannot open the mirror {}", path.display())]
    Open {
        /// The folder.
        path: PathBuf,
        /// The cause.
        source: git2::Error,
    },
    /// The repository could not be fetched.
    #[error("cannot fetch {refs} of {url}")]
    Fetch {
        /// The repository's URL.
        url: String,
        /// The refs.
        refs: String,
        /// The cause.
        source: git2::Error,
    },
    /// The HTTP client cannot be made, so no fetch can work.
    #[error("cannot make a client for git over HTTP")]
    Client(#[from] reqwest::Error),
    /// The repository's server takes too long.
    #[error("reading {url} takes too long")]
    TimedOut {
        /// The repository's URL.
        url: String,
    },
    /// Nobody waits for the work any more.
    #[error("reading the mirror was stopped")]
    Stopped,
    /// An object is missing or broken.
    #[error("cannot read {what} in the mirror")]
    Read {
        /// The object.
        what: String,
        /// The cause.
        source: git2::Error,
    },
}

/// All mirrors, in one folder.
#[derive(Debug, Clone)]
pub struct Mirrors {
    folder: PathBuf,
    /// The first fetch creates it, because a fetch runs on a thread that may block.
    network: Arc<OnceLock<Network>>,
}

impl Mirrors {
    /// The mirrors in `folder`.
    pub fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            network: Arc::default(),
        }
    }

    /// Opens the mirror of a repository, or creates an empty one.
    ///
    /// # Errors
    /// When the folder cannot be read or written.
    pub fn open(&self, repository: RepositoryId) -> Result<Mirror, Error> {
        let path = self.folder.join(format!("{repository}.git"));
        let git = Repository::open_bare(&path)
            .or_else(|error| {
                if error.code() == ErrorCode::NotFound {
                    init(&path)
                } else {
                    Err(error)
                }
            })
            .map_err(|source| Error::Open {
                path: path.clone(),
                source,
            })?;
        Ok(Mirror {
            git,
            network: Arc::clone(&self.network),
            stop: Stop::default(),
        })
    }

    /// The folder of all mirrors.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// Creates an empty mirror. git syncs its objects to disk, because a planned commit is never
/// fetched again.
fn init(path: &Path) -> Result<Repository, git2::Error> {
    let git = Repository::init_bare(path)?;
    git.config()?.set_bool("core.fsyncObjectFiles", true)?;
    Ok(git)
}

/// One open mirror.
pub struct Mirror {
    pub(super) git: Repository,
    network: Arc<OnceLock<Network>>,
    stop: Stop,
}

impl Mirror {
    /// The same mirror, but its work ends with [`Error::Stopped`] once `stop` is set.
    #[must_use]
    pub fn until(self, stop: Stop) -> Self {
        Self { stop, ..self }
    }

    /// Checks whether the work may go on.
    ///
    /// # Errors
    /// When the work was asked to stop.
    pub(super) fn go_on(&self) -> Result<(), Error> {
        match self.stop.is_asked() {
            true => Err(Error::Stopped),
            false => Ok(()),
        }
    }

    /// Fetches the present state of `refs`, also after a force push. A ref that upstream no longer
    /// has is deleted here.
    ///
    /// # Errors
    /// When the repository cannot be fetched.
    pub fn fetch(
        &self,
        url: &Url,
        token: Option<&SecretString>,
        refs: &[String],
    ) -> Result<(), Error> {
        let failed = |source| Error::Fetch {
            url: url.to_string(),
            refs: refs.join(", "),
            source,
        };
        let mut callbacks = RemoteCallbacks::new();
        let begun = Instant::now();
        let stop = self.stop.clone();
        callbacks.transfer_progress(move |_| begun.elapsed() < FETCH_TIMEOUT && !stop.is_asked());
        // This ends a fetch from a server that sends only progress messages. The timeout of the
        // network ends one from a silent server.
        let stop = self.stop.clone();
        callbacks.sideband_progress(move |_| begun.elapsed() < FETCH_TIMEOUT && !stop.is_asked());
        let mut options = FetchOptions::new();
        options
            .remote_callbacks(callbacks)
            .download_tags(AutotagOption::None);
        let specs: Vec<String> = refs.iter().map(|name| format!("+{name}:{name}")).collect();
        let mut remote = self.git.remote_anonymous(url.as_str()).map_err(failed)?;
        let mut fetch = || remote.fetch(&specs, Some(&mut options), None);
        match self.network(url, token)? {
            Some(network) => network.run(fetch),
            None => fetch(),
        }
        .map_err(failed)?;
        let there = remote.list().map_err(failed)?;
        let there: HashSet<&str> = there.iter().map(RemoteHead::name).collect();
        for name in refs.iter().filter(|name| !there.contains(name.as_str())) {
            if let Ok(mut stale) = self.git.find_reference(name) {
                stale.delete().map_err(failed)?;
            }
        }
        Ok(())
    }

    /// The HTTP transport for a URL; none for other schemes.
    fn network(&self, url: &Url, token: Option<&SecretString>) -> Result<Option<Network>, Error> {
        if !matches!(url.scheme(), "http" | "https") {
            return Ok(None);
        }
        let network = match self.network.get() {
            Some(network) => network.clone(),
            None => {
                let made = Network::new(None)?;
                self.network.get_or_init(|| made).clone()
            }
        };
        Ok(Some(match token {
            Some(token) => network.with_password(token.expose_secret()),
            None => network,
        }))
    }

    /// The commit of a ref; none when there is no such ref.
    ///
    /// # Errors
    /// When the mirror is broken.
    pub fn find_ref(&self, name: &str) -> Result<Option<CommitSha>, Error> {
        match self.git.refname_to_id(name) {
            Ok(oid) => Ok(Some(commit_sha(oid))),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(source) => Err(Error::Read {
                what: name.to_owned(),
                source,
            }),
        }
    }

    /// True when the mirror has the commit.
    pub fn has(&self, commit: CommitSha) -> bool {
        self.git.find_commit(oid(commit)).is_ok()
    }

    /// Keeps a commit reachable by a ref of our own, so that neither a repack nor git's garbage
    /// collection removes it.
    ///
    /// # Errors
    /// When the mirror cannot be written.
    pub fn keep(&self, name: &str, commit: CommitSha) -> Result<(), Error> {
        let name = format!("refs/summit/{name}");
        match self.git.reference(&name, oid(commit), true, "planned") {
            Ok(_) => Ok(()),
            Err(source) => Err(Error::Read { what: name, source }),
        }
    }

    /// The merge base of two commits; none when they have no common ancestor.
    ///
    /// # Errors
    /// When a commit is missing.
    pub fn find_merge_base(&self, a: CommitSha, b: CommitSha) -> Result<Option<CommitSha>, Error> {
        match self.git.merge_base(oid(a), oid(b)) {
            Ok(base) => Ok(Some(commit_sha(base))),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(source) => Err(Error::Read {
                what: format!("{a} and {b}"),
                source,
            }),
        }
    }

    /// The author time of a commit, in Unix seconds.
    ///
    /// # Errors
    /// When the commit is missing.
    pub fn author_time(&self, commit: CommitSha) -> Result<i64, Error> {
        let found = self
            .git
            .find_commit(oid(commit))
            .map_err(|source| Error::Read {
                what: commit.to_string(),
                source,
            })?;
        Ok(found.author().when().seconds())
    }
}

pub(super) fn oid(commit: CommitSha) -> Oid {
    Oid::from_bytes(commit.as_bytes()).expect("a commit's name has the length of an object id")
}

pub(super) fn commit_sha(oid: Oid) -> CommitSha {
    let mut bytes = [0; 20];
    bytes.copy_from_slice(oid.as_bytes());
    CommitSha::from_bytes(bytes)
}
