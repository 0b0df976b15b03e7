//! Tests that need what is not here. They are skipped, counted, and said to be: past the test
//! runner, which shows nothing of a test that passes.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

static SKIPPED: AtomicUsize = AtomicUsize::new(0);

/// The path in a variable of the environment. Where it is unset, a line says that something is
/// skipped, and how often that was said.
pub fn find_path(variable: &str) -> Option<PathBuf> {
    let path = std::env::var_os(variable).map(PathBuf::from);
    if path.is_none() {
        let count = SKIPPED.fetch_add(1, Ordering::Relaxed) + 1;
        say(&format!("skipped: {variable} is unset ({count} skipped)"));
    }
    path
}

/// Says something that is shown also when no test fails: the test runner captures what macros print,
/// and not what is written to the standard error itself.
pub(crate) fn say(text: &str) {
    // Without a standard error there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "{text}");
}
