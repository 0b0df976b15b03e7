//! The hidden subcommands through which the executable starts itself anew.
//!
//! What must fork, or must be killable with all that it holds, runs in a process of its own: the
//! sandbox's two stages and git clones. A binary that contains avalanche calls
//! [`run_if_requested`] before anything else.

use std::process::ExitCode;

/// The first stage of the sandbox.
pub(crate) const SANDBOX_OUTER: &str = "__avalanche-sandbox";
/// The second stage of the sandbox.
pub(crate) const SANDBOX_INNER: &str = "__avalanche-sandbox-inner";
/// A git clone.
pub(crate) const GIT_CLONE: &str = "__avalanche-git-clone";

/// Becomes the helper that the command line asks for, and exits; returns if it asks for none.
///
/// Must be called first in `main`, before any thread is started: the sandbox forks.
pub fn run_if_requested() {
    let Some(name) = std::env::args().nth(1) else {
        return;
    };
    let code = match name.as_str() {
        SANDBOX_OUTER => crate::sandbox::outer::run(),
        SANDBOX_INNER => crate::sandbox::inner::run(),
        _ => return,
    };
    // `std::process::exit` takes a number; both codes that helpers use have one.
    std::process::exit(i32::from(code != ExitCode::SUCCESS));
}
