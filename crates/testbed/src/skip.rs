//! Tests that need what is not here. They are skipped, counted, and said to be: past the test
//! runner, which shows nothing of a test that passes.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

static SKIPPED: AtomicUsize = AtomicUsize::new(0);

/// Where input lies that all checkouts share: the folder `shared` beside this one.
const SHARED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared");

/// The path in a variable of the environment; where that is unset, `beside` in the folder `shared`
/// beside the checkout, if it is there. Else a line says that something is skipped, and how often
/// that was said.
pub fn find_path(variable: &str, beside: &str) -> Option<PathBuf> {
    let named = std::env::var_os(variable).map(PathBuf::from);
    let path = choose(named, &Path::new(SHARED).join(beside));
    if path.is_none() {
        skipped(&format!(
            "{variable} is unset, and there is no shared/{beside} beside the checkout"
        ));
    }
    path
}

/// What is named counts, there or not: a misspelt path must not pass for none. What was not named is
/// taken only where it is.
fn choose(named: Option<PathBuf>, beside: &Path) -> Option<PathBuf> {
    named.or_else(|| beside.canonicalize().ok())
}

/// The variable of the environment that forbids to skip what a program on this machine would
/// allow to run. `.ci/run`, which installs them all, sets it.
pub const COMPLETE: &str = "SNEKBOOK_COMPLETE";

/// A program of the machine that only some tests need, and that Debian has a package of the same
/// name for. None where it is not there, and a line that says so and what to install.
///
/// # Panics
/// Instead of that, when [`COMPLETE`] is set.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| Path::is_file(file));
    if found.is_none() {
        lacks(&format!("{name} is not installed: apt-get install {name}"));
    }
    found
}

/// Says that the machine lacks what a test needs, which is then skipped.
///
/// # Panics
/// Instead of that, when [`COMPLETE`] is set.
pub fn lacks(what: &str) {
    assert!(std::env::var_os(COMPLETE).is_none(), "{what}");
    skipped(what);
}

fn skipped(why: &str) {
    let count = SKIPPED.fetch_add(1, Ordering::Relaxed) + 1;
    say(&format!("skipped: {why} ({count} skipped)"));
}

/// Says something that is shown also when no test fails: the test runner captures what macros print,
/// and not what is written to the standard error itself.
pub(crate) fn say(text: &str) {
    // Without a standard error there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_goes_before_what_lies_beside() {
        let beside = tempfile::tempdir().unwrap();
        let lies = beside.path().canonicalize().unwrap();
        let absent = lies.join("absent");
        assert_eq!(choose(None, &lies), Some(lies.clone()));
        assert_eq!(choose(None, &absent), None);
        assert_eq!(choose(Some(absent.clone()), &lies), Some(absent));
    }

    #[test]
    fn the_shared_folder_lies_beside_the_workspace() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let root = root.canonicalize().unwrap();
        assert!(root.join("Cargo.lock").is_file(), "{}", root.display());
        let parent = Path::new(SHARED).parent().unwrap();
        assert_eq!(parent.canonicalize().unwrap(), root.parent().unwrap());
    }
}
