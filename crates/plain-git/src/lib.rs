//! git without the settings of the machine and of whoever runs it: neither `~/.gitconfig` nor
//! `/etc/gitconfig`, no hooks, templates, helpers, aliases, rewritten URLs or signing keys of theirs,
//! and no failure because one of these files cannot be read. What counts is the repository's own
//! configuration and the command line.
//!
//! [`command`] is for the program, [`isolate`] for libgit2, whose way over HTTP is [`http`].

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
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
    let (name, search_path) = (path.as_ref(), std::env::var_os("PATH").unwrap_or_default());
    // A path, not a mere name: for a name under a changed environment the standard library forks this
    // whole process, which takes long when it is large.
    let found = find(name, &search_path);
    let mut command = Command::new(found.as_deref().map_or(name, |path| path.as_os_str()));
    command
        .env_clear()
        .env("PATH", search_path)
        .env("LC_ALL", "C.UTF-8")
        .env("HOME", HOME)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_ATTR_NOSYSTEM", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_ASKPASS", "false");
    command
}

/// The program of that name in the first absolute folder of the search path that has it. Relative
/// folders are passed over: git runs in folders that strangers fill.
fn find(name: &OsStr, search_path: &OsStr) -> Option<PathBuf> {
    if name.as_encoded_bytes().contains(&b'/') {
        return None;
    }
    let paths = std::env::split_paths(search_path).map(|folder| folder.join(name));
    let is_program = |path: &PathBuf| {
        let metadata = path.metadata();
        metadata.is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    };
    paths.filter(|path| path.is_absolute()).find(is_program)
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

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};

    use super::*;

    #[test]
    fn a_program_is_the_first_executable_file_of_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let [folders, texts, programs, others] =
            ["folders", "texts", "programs", "others"].map(|name| folder.path().join(name));
        fs::create_dir_all(folders.join("git")).unwrap();
        for (folder, mode) in [(&texts, 0o644), (&programs, 0o755), (&others, 0o755)] {
            fs::create_dir(folder).unwrap();
            fs::write(folder.join("git"), "").unwrap();
            fs::set_permissions(folder.join("git"), Permissions::from_mode(mode)).unwrap();
        }
        let relative = std::path::PathBuf::from("src");
        let path = [&relative, &folders, &texts, &programs, &others];
        let path = std::env::join_paths(path).unwrap();
        let find = |name: &str| find(OsStr::new(name), &path);
        assert_eq!(find("git"), Some(programs.join("git")));
        assert_eq!(find("git-none"), None);
        assert_eq!(find("./git"), None, "it is a path already");
    }
}
