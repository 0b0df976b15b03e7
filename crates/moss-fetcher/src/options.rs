//! How to fetch.

use std::num::NonZero;
use std::time::Duration;

use crate::reach::Reach;

/// How a [`crate::Fetcher`] behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// The most fetches at one time; the others wait. 4 unless told otherwise.
    pub parallel: NonZero<usize>,
    /// The most fetches from one host at one time, so that a slow one leaves places to others. 2
    /// unless told otherwise.
    pub parallel_per_host: NonZero<usize>,
    /// What servers are told who asks.
    pub user_agent: String,
    /// How long connecting may take. 15 seconds unless told otherwise.
    pub connect_timeout: Duration,
    /// How long a server may send nothing. 30 seconds unless told otherwise.
    pub stall_timeout: Duration,
    /// How many bytes per second a server must send on average once [`Self::grace`] is over. 4 KiB
    /// unless told otherwise.
    pub least_rate: NonZero<u32>,
    /// For how long a server may send slower than that, in each answer. 60 seconds unless told
    /// otherwise.
    pub grace: Duration,
    /// How often one URL is tried when the connection breaks or the server is overloaded.
    /// 4 times unless told otherwise.
    pub attempts: NonZero<u32>,
    /// The pause before the second attempt; it doubles with each further one. Half a second
    /// unless told otherwise.
    pub backoff: Duration,
    /// The longest pause between attempts, also when a server asks for a longer one. 20 seconds
    /// unless told otherwise.
    pub longest_pause: Duration,
    /// The most redirects that are followed, never from HTTPS to HTTP. 10 unless told otherwise.
    pub redirects: usize,
    /// Whether `file` URLs may be read. Refused unless told otherwise.
    pub file_urls: FileUrls,
    /// Which machines may be asked. All, unless told otherwise: say so where strangers write URLs.
    pub reach: Reach,
    /// Further certificate authorities.
    pub certificates: Vec<reqwest::Certificate>,
}

/// Whether `file` URLs may be read. Where URLs come from others, they would show them any file
/// that the service can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileUrls {
    /// They are an error.
    Refused,
    /// They are read.
    Allowed,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            parallel: NonZero::new(4).unwrap_or(NonZero::<usize>::MIN),
            parallel_per_host: NonZero::new(2).unwrap_or(NonZero::<usize>::MIN),
            user_agent: concat!("moss-fetcher/", env!("CARGO_PKG_VERSION")).to_owned(),
            connect_timeout: Duration::from_secs(15),
            stall_timeout: Duration::from_secs(30),
            least_rate: NonZero::new(4 << 10).unwrap_or(NonZero::<u32>::MIN),
            grace: Duration::from_secs(60),
            attempts: NonZero::new(4).unwrap_or(NonZero::<u32>::MIN),
            backoff: Duration::from_millis(500),
            longest_pause: Duration::from_secs(20),
            redirects: 10,
            file_urls: FileUrls::Refused,
            reach: Reach::Any,
            certificates: Vec::new(),
        }
    }
}
