//! What a user does with what is published: installs a program with all that it needs, and runs it.
//!
//! It is installed as a client would (see `moss-root`), and runs in avalanche's sandbox with what was
//! installed as its whole `/usr`: nothing of this machine is there to help out, not even a shell.

mod run;

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use avalanche::helper::Identity;
use avalanche::sandbox;
use moss_format::dependency::Kind;
use moss_format::{Dependency, Meta};
use serde::Serialize;
use tempfile::TempDir;
use url::Url;

use run::{LIMIT, identity, make};

/// The program of the samples.
pub const SAMPLE: &str = "sneksay";

/// Where programs are installed that the user they run as could not get to otherwise.
const ELSEWHERE: &str = "/var/tmp";

/// A program that was installed and has run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Installed {
    /// The program, by the path that it has in the folder.
    pub program: String,
    /// The packages that were installed: what was asked for, and what that depends on.
    pub packages: Vec<String>,
    /// The folder.
    pub folder: PathBuf,
    /// What it printed.
    pub said: String,
}

/// What is published cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be installed.
    #[error("{name} cannot be installed")]
    Install {
        /// What was to be installed.
        name: String,
        /// Why.
        source: Box<moss_root::Error>,
    },
    /// Two of the packages have the same file.
    #[error("the packages do not go together: {0}")]
    Conflict(moss_root::Conflict),
    /// The sandbox that it is to run in cannot be made.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It cannot be run; what was printed is in `said`.
    #[error("{program} cannot be run ({said})")]
    Run {
        /// The program.
        program: String,
        /// What the sandbox's log says.
        said: String,
        /// Why.
        source: Box<sandbox::Error>,
    },
    /// It does not end.
    #[error("{program} did not end within {} s", LIMIT.as_secs())]
    Endless {
        /// The program.
        program: String,
    },
    /// It ended with a failure, or was killed.
    #[error("{program} failed ({outcome}): {said}")]
    Failed {
        /// The program.
        program: String,
        /// How it ended.
        outcome: String,
        /// What it printed.
        said: String,
    },
    /// The process ends.
    #[error("installing was stopped because the process ends")]
    Cancelled,
}

/// The folder in which programs are installed.
#[derive(Debug)]
pub enum Folder {
    /// It is kept with the data.
    Kept(PathBuf),
    /// The user that the program runs as cannot get to the data. It goes when this is dropped.
    Temporary(TempDir),
}

impl Folder {
    /// A folder for a line whose data lie in `data`.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn choose(data: &Path) -> Result<Self, Error> {
        let kept = data.join("installed");
        let Identity::Dropped { id } = identity() else {
            return Ok(Self::Kept(kept));
        };
        match sandbox::find_barrier(data, id).map_err(file("look at", data))? {
            None => Ok(Self::Kept(kept)),
            // Where builds go too, see `avalanche`.
            Some(_) => tempfile::Builder::new()
                .prefix("snekbook-installed-")
                .permissions(Permissions::from_mode(0o711))
                .tempdir_in(ELSEWHERE)
                .map(Self::Temporary)
                .map_err(file("write to", Path::new(ELSEWHERE))),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        match self {
            Self::Kept(path) => path,
            Self::Temporary(folder) => folder.path(),
        }
    }
}

/// Installs the sample program from `index` into `root` in `folder`, and runs it there. What an
/// earlier start left in `folder` goes. `executable` is that of the sandbox's helpers.
///
/// # Errors
/// When it cannot be installed, or does not run to a good end.
pub async fn install_and_run(
    index: &Url,
    folder: &Path,
    executable: PathBuf,
) -> Result<Installed, Error> {
    let root = folder.join("root");
    let bench = folder.join("run");
    let (above, before) = (folder.to_owned(), [root.clone(), bench.clone()]);
    blocking(move || {
        make(&above, None)?;
        before.iter().try_for_each(|folder| remove(folder))
    })
    .await?;
    let order = moss_root::Order {
        index: index.clone(),
        wanted: vec![Dependency::new(Kind::PackageName, SAMPLE).expect("a valid name")],
        folder: root.clone(),
    };
    let installed = moss_root::install(&order).await;
    let installed = installed.map_err(|source| Error::Install {
        name: SAMPLE.to_owned(),
        source: Box::new(source),
    })?;
    if let Some(conflict) = installed.conflicts.into_iter().next() {
        return Err(Error::Conflict(conflict));
    }
    let program = format!("/usr/bin/{SAMPLE}");
    let said = run::run(&program, &root, bench, executable).await?;
    Ok(Installed {
        program,
        packages: installed.packages.iter().map(full_name).collect(),
        folder: root,
        said,
    })
}

/// A package, as its file is named.
fn full_name(meta: &Meta) -> String {
    format!("{}-{}-{}", meta.name, meta.version, meta.release)
}

fn remove(folder: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(folder) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(file("remove", folder)(source))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::File {
        action,
        path,
        source,
    }
}

/// Does what blocks off the async threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| Error::Cancelled)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_one_that_the_programs_user_can_get_to() {
        let above = tempfile::tempdir().unwrap();
        let data = above.path().join("data");
        fs::create_dir(&data).unwrap();
        let set_mode = |mode| {
            fs::set_permissions(above.path(), Permissions::from_mode(mode)).unwrap();
        };
        let is_kept = || match Folder::choose(&data).unwrap() {
            Folder::Kept(path) => path == data.join("installed"),
            Folder::Temporary(folder) => {
                let mode = folder.path().metadata().unwrap().permissions().mode();
                assert_eq!(mode & 0o777, 0o711);
                assert!(!folder.path().starts_with(&data));
                false
            }
        };
        set_mode(0o711);
        assert!(is_kept());
        // Only root runs programs as somebody else.
        set_mode(0o700);
        assert_eq!(is_kept(), matches!(identity(), Identity::Own));
    }
}
