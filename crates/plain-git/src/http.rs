//! libgit2's way to repositories over HTTP and HTTPS: the HTTP client that all services have, with
//! its certificate authorities and timeouts, in place of libgit2's own.
//!
//! libgit2 makes a transport for each fetch and gives it nothing but the URL. What the fetch may do
//! is therefore told to the thread that fetches: see [`Network::run`]. Outside of it nothing is
//! fetched over HTTP at all.

use std::cell::RefCell;
use std::error::Error as _;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reqwest::blocking::Client;
use reqwest::dns::Resolve;
use url::Url;

mod exchange;
mod stream;

pub(crate) use exchange::register;

/// How long a server is given to take a connection.
const CONNECT: Duration = Duration::from_secs(30);

/// How long a server may say nothing. git's own says every five seconds that it still counts.
const SILENCE: Duration = Duration::from_secs(120);

thread_local! {
    /// What the fetch that runs on this thread may do.
    static CURRENT: RefCell<Option<Network>> = const { RefCell::new(None) };
}

/// What fetches over HTTP may do. Cheap to clone; clones share connections and the budget.
#[derive(Clone)]
pub struct Network {
    client: Client,
    password: Option<Arc<str>>,
    redirects: Redirects,
    admit: Arc<Admit>,
    budget: Arc<Budget>,
}

/// Says why a URL may not be asked.
type Admit = dyn Fn(&Url) -> Result<(), String> + Send + Sync;

/// Whether a fetch goes where a server's first answer sends it. Later answers send it nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redirects {
    /// It fails, and says where it was sent.
    Refused,
    /// It goes there, but never from HTTPS to HTTP.
    Followed,
}

/// How many bytes servers may send, and how many they have sent.
#[derive(Debug)]
pub struct Budget {
    most: u64,
    received: AtomicU64,
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network")
            .field("redirects", &self.redirects)
            .field("budget", &self.budget)
            .finish_non_exhaustive()
    }
}

impl Network {
    /// A network without credentials, that goes wherever it is sent. `resolver` replaces the
    /// system's names.
    ///
    /// Must not be called on a thread that runs async tasks. The TLS provider of the process must
    /// be installed.
    ///
    /// # Errors
    /// When the client cannot be made, as without certificate authorities.
    pub fn new(resolver: Option<Arc<dyn Resolve>>) -> Result<Self, reqwest::Error> {
        Self::with_limits(resolver, CONNECT, SILENCE)
    }

    fn with_limits(
        resolver: Option<Arc<dyn Resolve>>,
        connect: Duration,
        silence: Duration,
    ) -> Result<Self, reqwest::Error> {
        let mut builder = Client::builder()
            // Servers answer what calls itself git.
            .user_agent(concat!("git/2 (snekbook ", env!("CARGO_PKG_VERSION"), ")"))
            .connect_timeout(connect)
            // Until the head of an answer, and for each of its parts.
            .timeout(silence)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy();
        if let Some(resolver) = resolver {
            builder = builder.dns_resolver(Arc::new(Shared(resolver)));
        }
        Ok(Self {
            client: builder.build()?,
            password: None,
            redirects: Redirects::Followed,
            admit: Arc::new(|_| Ok(())),
            budget: Arc::new(Budget::new(u64::MAX)),
        })
    }

    /// The network with a password, which only the origin of the repository's own URL is told.
    #[must_use]
    pub fn with_password(mut self, password: &str) -> Self {
        self.password = Some(password.into());
        self
    }

    /// The network with another rule for redirects.
    #[must_use]
    pub fn with_redirects(mut self, redirects: Redirects) -> Self {
        self.redirects = redirects;
        self
    }

    /// The network that asks `admit` before each request, also those that a redirect leads to.
    #[must_use]
    pub fn with_admission(
        mut self,
        admit: impl Fn(&Url) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        self.admit = Arc::new(admit);
        self
    }

    /// The network that ends a fetch once the servers of all fetches that share the budget have
    /// sent more than it has.
    #[must_use]
    pub fn with_budget(mut self, budget: Arc<Budget>) -> Self {
        self.budget = budget;
        self
    }

    /// Runs `work`, whose fetches over HTTP on this thread may do this.
    pub fn run<T>(&self, work: impl FnOnce() -> T) -> T {
        let _restored = Restored(CURRENT.replace(Some(self.clone())));
        work()
    }

    /// What the running fetch may do.
    fn current() -> Option<Self> {
        CURRENT.with_borrow(Clone::clone)
    }
}

/// Puts back what was in force before, also when the work panics.
struct Restored(Option<Network>);

impl Drop for Restored {
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
    }
}

impl Budget {
    /// A budget of so many bytes.
    pub fn new(most: u64) -> Self {
        Self {
            most,
            received: AtomicU64::new(0),
        }
    }

    /// How many bytes were received, once these are more than there may be.
    pub fn find_excess(&self) -> Option<u64> {
        let received = self.received.load(Ordering::Relaxed);
        (received > self.most).then_some(received)
    }

    fn spend(&self, bytes: usize) -> Result<(), Fault> {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
        match self.find_excess() {
            None => Ok(()),
            Some(_) => Err(Fault::Excess(self.most)),
        }
    }
}

/// A resolver that several clients can have.
struct Shared(Arc<dyn Resolve>);

impl Resolve for Shared {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        self.0.resolve(name)
    }
}

/// Why a repository cannot be fetched over HTTP.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("nothing may be fetched over HTTP here")]
    NoNetwork,
    #[error("only fetching is possible over HTTP")]
    Push,
    #[error("`{0}` is no URL")]
    Url(String),
    #[error("{0}")]
    NotAdmitted(String),
    #[error("{}", causes(.0))]
    Request(reqwest::Error),
    #[error("the repository asks for credentials")]
    NoPassword,
    #[error("the repository refuses the token")]
    Password,
    #[error("the server answers {0}")]
    Status(reqwest::StatusCode),
    #[error("the server sends to {0}, where this fetch does not follow")]
    Redirected(String),
    #[error("the server sends to {0}, to an address that is not that of a repository's refs")]
    Elsewhere(String),
    #[error("the server sends from HTTPS to {0}")]
    Downgraded(String),
    #[error("the server sends from place to place, more than {0} times")]
    Restless(usize),
    #[error("the server answers `{0}`, which is not git's protocol")]
    NoGit(String),
    #[error("the server sends more than {0} bytes")]
    Excess(u64),
}

impl From<Fault> for git2::Error {
    fn from(fault: Fault) -> Self {
        let code = match fault {
            Fault::NoPassword | Fault::Password => git2::ErrorCode::Auth,
            Fault::NoNetwork
            | Fault::Push
            | Fault::Url(_)
            | Fault::NotAdmitted(_)
            | Fault::Request(_)
            | Fault::Status(_)
            | Fault::Redirected(_)
            | Fault::Elsewhere(_)
            | Fault::Downgraded(_)
            | Fault::Restless(_)
            | Fault::NoGit(_)
            | Fault::Excess(_) => git2::ErrorCode::GenericError,
        };
        Self::new(code, git2::ErrorClass::Http, speak(&fault))
    }
}

/// Its words, without what git2 cannot pass on.
fn speak(fault: &Fault) -> String {
    fault.to_string().replace('\0', " ")
}

/// The causes of a failed request. Its own words only repeat the URL.
fn causes(error: &reqwest::Error) -> String {
    if error.is_timeout() && !error.is_connect() {
        return "the server says nothing".to_owned();
    }
    let mut words = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        // The client's own layer only says that there are causes.
        if words.last() != Some(&said) && !said.starts_with("client error (") {
            words.push(said);
        }
        cause = error.source();
    }
    match words.is_empty() {
        true => error.to_string(),
        false => words.join(": "),
    }
}

#[cfg(test)]
mod tests;
