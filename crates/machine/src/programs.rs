//! Programs and headers, for the builds and for the forge.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::ask::ask;
use crate::need::{Missing, Remedy};

/// The folders that programs of builds are found in.
const BUILD_PATH: [&str; 4] = ["/usr/bin", "/usr/sbin", "/bin", "/sbin"];

/// All that is missing.
pub(crate) fn missing() -> Vec<Missing> {
    let mut missing = of_builds(&BUILD_PATH.map(PathBuf::from), Path::new("/usr/include"));
    missing.extend(git("git"));
    missing
}

/// What builds need in `folders`, and among the headers in `include`, and do not find.
pub(crate) fn of_builds(folders: &[PathBuf], include: &Path) -> Vec<Missing> {
    let has = |program: &str| folders.iter().any(|folder| folder.join(program).exists());
    let needs: [(&[&str], &str, &'static str); 5] = [
        (&["gcc", "clang"], "a C compiler for the recipes", "gcc"),
        (&["ld", "ld.lld"], "a linker for the recipes", "binutils"),
        (&["make"], "make for the recipes", "make"),
        (&["bash"], "bash, which runs the recipes' scripts", "bash"),
        (
            &["install"],
            "the basic programs for the recipes",
            "coreutils",
        ),
    ];
    let absent = needs
        .into_iter()
        .filter(|(programs, ..)| !programs.iter().any(|program| has(program)));
    let programs = absent.map(|(_, what, package)| Missing {
        what: format!("{what} (in {})", list(folders)),
        remedy: Remedy::Install(package),
    });
    let headers = (!include.join("stdio.h").exists()).then(|| Missing {
        what: format!("the C library's headers (in {})", include.display()),
        remedy: Remedy::Install("libc6-dev"),
    });
    programs.chain(headers).collect()
}

fn list(folders: &[PathBuf]) -> String {
    let folders: Vec<String> = folders
        .iter()
        .map(|folder| folder.display().to_string())
        .collect();
    folders.join(", ")
}

/// git, with the server for HTTP.
pub(crate) fn git(program: &str) -> Option<Missing> {
    let asked = ask(plain_git::program(program).arg("--exec-path"));
    let what = match asked {
        Ok(output) if output.status.success() => {
            let folder = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            let server = Path::new(&folder).join("git-http-backend");
            if server.is_file() {
                return None;
            }
            format!(
                "{}, by which the forge serves repositories",
                server.display()
            )
        }
        Err(error) if error.kind() == ErrorKind::TimedOut => {
            format!("a git that answers, by which the forge serves repositories ({error})")
        }
        Ok(_) | Err(_) => "git, by which the forge serves repositories".to_owned(),
    };
    Some(Missing {
        what,
        remedy: Remedy::Install("git"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_compiler_is_enough() {
        let folder = tempfile::tempdir().unwrap();
        for program in ["clang", "ld.lld", "make", "bash", "install", "stdio.h"] {
            std::fs::write(folder.path().join(program), "").unwrap();
        }
        assert_eq!(of_builds(&[folder.path().to_owned()], folder.path()), []);
    }
}
