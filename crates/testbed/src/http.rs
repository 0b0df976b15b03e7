//! Questions that are not waited for without end.

use std::time::Duration;

use reqwest::Client;

/// How long a whole answer may take. Nothing that a test asks is a long poll.
const LIMIT: Duration = Duration::from_secs(10);

/// A client that says who it is, as GitHub and the forge want it, and that gives an answer up after ten seconds. Its connections belong to the
/// runtime that it is used on.
///
/// # Panics
/// When the system refuses what a client needs.
#[must_use]
pub fn client() -> Client {
    Client::builder()
        .timeout(LIMIT)
        .no_proxy()
        .user_agent("testbed")
        .build()
        .expect("a client without options of its own can be made")
}
