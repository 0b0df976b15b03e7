//! Under strace: nobody is answered before the sync; and were there no sync, this would be seen.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use super::trace::{Findings, Violation};
use super::{load, trace};
use crate::child;

const SEED: u64 = 1;
const CALLERS: u64 = 24;
const EACH: u64 = 8;

/// Stands before the C library and leaves out a sync, as the program would without it.
const WITHOUT_SYNC: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>

#ifdef WITHOUT_PAGES
int fdatasync(int fd) { return 0; }
int fsync(int fd) { return 0; }
#endif

#ifdef WITHOUT_META
#define OPEN(name)                                                        \
    int name(const char *path, int flags, ...) {                          \
        va_list rest;                                                     \
        va_start(rest, flags);                                            \
        int mode = va_arg(rest, int);                                     \
        va_end(rest);                                                     \
        int (*open)(const char *, int, ...) = dlsym(RTLD_NEXT, #name);    \
        return open(path, flags & ~O_SYNC & ~O_DSYNC, mode);              \
    }
OPEN(open)
OPEN(open64)
#endif
"#;

#[test]
fn every_answer_follows_the_sync_of_its_pages_and_of_the_meta_page() {
    let Some(findings) = trace(None) else { return };
    assert_eq!(findings.violations, []);
    assert_eq!(findings.acknowledged as u64, CALLERS * EACH);
    // Else there would be no batch to speak of.
    assert!(
        findings.commits < findings.acknowledged,
        "{} commits",
        findings.commits
    );
}

#[test]
fn without_the_sync_of_the_pages_the_test_above_fails() {
    let Some(findings) = trace(Some("WITHOUT_PAGES")) else {
        return;
    };
    assert_eq!(findings.violations.len() as u64, CALLERS * EACH);
    for violation in &findings.violations {
        assert!(
            matches!(violation, Violation::PagesNotSynced { .. }),
            "{violation}"
        );
    }
}

#[test]
fn without_the_sync_of_the_meta_page_the_test_above_fails() {
    let Some(findings) = trace(Some("WITHOUT_META")) else {
        return;
    };
    assert!(!findings.violations.is_empty());
    for violation in &findings.violations {
        assert!(
            matches!(violation, Violation::BeforeMetaPage { .. }),
            "{violation}"
        );
    }
}

/// Looks at a load from outside. None, and a line that says so, where there is no strace.
fn trace(without: Option<&str>) -> Option<Findings> {
    let strace = testbed::skip::find_program("strace")?;
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let written = folder.path().join("trace");
    let options = [
        OsStr::new("-f"),
        // Whole pages: the names of the changes stand in them.
        OsStr::new("-s65536"),
        OsStr::new("-e"),
        OsStr::new(trace::CALLS),
        OsStr::new("-o"),
        written.as_os_str(),
    ];
    let mut command = child::wrapped(strace, &options);
    if let Some(without) = without {
        command.env("LD_PRELOAD", preload(folder.path(), without));
    }
    let database = folder.path().join("db");
    let output = child::start(command, load::RUN, &database, &[SEED, CALLERS, EACH])
        .stdout(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let made = load::examine(&database, SEED, CALLERS);
    assert!(made.iter().all(|made| *made == EACH), "{made:?}");
    let trace = std::fs::read_to_string(written).unwrap();
    let page_size = rustix::param::page_size() as u64;
    Some(trace::check(&trace, "/db/data.mdb", page_size))
}

fn preload(folder: &Path, without: &str) -> std::path::PathBuf {
    let (source, library) = (folder.join("without.c"), folder.join("without.so"));
    std::fs::write(&source, WITHOUT_SYNC).unwrap();
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-D", without, "-o"])
        .args([&library, &source])
        .arg("-ldl")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "{said}");
    library
}
