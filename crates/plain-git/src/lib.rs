//! git without the settings of the machine and of whoever runs it: neither `~/.gitconfig` nor
//! `/etc/gitconfig`, no hooks, templates, helpers, aliases, rewritten URLs or signing keys of theirs,
//! and no failure because one of these files cannot be read. What counts is the repository's own
//! configuration and the command line.
//!
//! [`command`] is for the program, [`isolate`] for libgit2.

use std::ffi::OsStr;
use std::process::Command;
#[cfg(feature = "libgit2")]
use std::time::Duration;

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

/// How long a server is given to take a connection.
#[cfg(feature = "libgit2")]
const CONNECT: Duration = Duration::from_secs(30);

/// How long a server may say nothing. git's own says every five seconds that it still counts.
#[cfg(feature = "libgit2")]
const SILENCE: Duration = Duration::from_secs(120);

/// Keeps libgit2 in this process from reading any settings but a repository's own, and from waiting
/// for ever for a server that says nothing: such a fetch fails after two minutes. To be called
/// before anything else of libgit2; again it does nothing.
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
        bound(CONNECT, SILENCE);
    });
}

/// Bounds how long libgit2 waits for servers; without, it waits for ever.
#[cfg(feature = "libgit2")]
fn bound(connect: Duration, silence: Duration) {
    use git2::opts;
    let milliseconds = |time: Duration| i32::try_from(time.as_millis()).unwrap_or(i32::MAX);
    #[expect(
        unsafe_code,
        reason = "libgit2 has no other bound, and a blocked thread cannot be ended from outside"
    )]
    // SAFETY: as for the paths in `isolate`: two numbers that are global to libgit2 and not locked,
    // written before anybody connects anywhere.
    let set = unsafe {
        opts::set_server_connect_timeout_in_milliseconds(milliseconds(connect))
            .and_then(|()| opts::set_server_timeout_in_milliseconds(milliseconds(silence)))
    };
    set.expect("these options cannot fail");
}

#[cfg(all(test, feature = "libgit2"))]
mod tests {
    use std::net::TcpListener;
    use std::sync::mpsc;

    use super::*;

    /// A server that takes the connection and says nothing.
    #[test]
    fn a_silent_server_does_not_hold_a_thread_for_ever() {
        isolate();
        bound(Duration::from_secs(1), Duration::from_secs(1));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/silent.git", listener.local_addr().unwrap());
        let (taken, connections) = mpsc::channel();
        std::thread::spawn(move || {
            // Kept open by the receiver's end of the channel.
            while let Ok((stream, _)) = listener.accept() {
                if taken.send(stream).is_err() {
                    return;
                }
            }
        });
        let (done, outcome) = mpsc::channel();
        std::thread::spawn(move || {
            let folder = tempfile::tempdir().unwrap();
            let repository = git2::Repository::init_bare(folder.path()).unwrap();
            let mut remote = repository.remote_anonymous(&url).unwrap();
            let refs = ["+refs/heads/main:refs/heads/main"];
            done.send(remote.fetch(&refs, None, None).is_err())
        });
        let failed = outcome.recv_timeout(Duration::from_secs(30));
        assert_eq!(failed, Ok(true), "the fetch ends, and fails");
        assert!(connections.try_recv().is_ok(), "it was connected");
    }
}
