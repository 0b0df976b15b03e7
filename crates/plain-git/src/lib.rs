//! git without the settings of the machine and of whoever runs it: neither `~/.gitconfig` nor
//! `/etc/gitconfig`, no hooks, templates, helpers, aliases, rewritten URLs or signing keys of theirs,
//! and no failure because one of these files cannot be read. What counts is the repository's own
//! configuration and the command line.
//!
//! [`command`] is for the program, [`isolate`] for libgit2, whose way over HTTP is [`http`].

use std::ffi::OsStr;
use std::process::Command;

#[cfg(feature = "libgit2")]
pub mod http;

/// A home that nobody has: what git would read there is not there.
const HOME: &str = "/nonexistent";

/// The program `git`, with nothing of the environment but the search path. It never asks anybody for
/// anything, and speaks English.
pub fn command() -> Command {
    program("git")
}

/// A program of git's, such as `git-http-backend`, in the same way.
pub fn program(path: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(path);
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("LC_ALL", "C.UTF-8")
        .env("HOME", HOME)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_ATTR_NOSYSTEM", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_ASKPASS", "false");
    command
}

/// Keeps libgit2 in this process from reading any settings but a repository's own, and lets it fetch
/// over HTTP by [`http`] alone. To be called before anything else of libgit2; again it does nothing.
#[cfg(feature = "libgit2")]
pub fn isolate() {
    use git2::ConfigLevel::{Global, ProgramData, System, XDG};
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        for level in [System, Global, XDG, ProgramData] {
            #[expect(
                unsafe_code,
                reason = "libgit2 has no other way to leave out the settings of a user"
            )]
            // SAFETY: the paths are global to libgit2 and not locked. They are written here only,
            // once, and whoever comes meanwhile waits; every user of libgit2 calls this first, so
            // nobody reads them earlier.
            let set = unsafe { git2::opts::set_search_path(level, "") };
            set.expect("an empty path can be copied, and the levels exist");
        }
        #[expect(unsafe_code, reason = "libgit2 has no HTTPS of its own here")]
        // SAFETY: as for the paths.
        unsafe {
            http::register();
        }
    });
}
