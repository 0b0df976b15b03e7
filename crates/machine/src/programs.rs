//! Programs and headers, for the builds and for the forge.

use std::path::{Path, PathBuf};

use crate::ask::{Unheard, ask};
use crate::need::{Missing, Remedy};

/// The folders that programs of builds are found in.
const BUILD_PATH: [&str; 4] = ["/usr/bin", "/usr/sbin", "/bin", "/sbin"];

/// What builds need of this machine and do not find.
pub(crate) fn of_builds_here() -> Vec<Missing> {
    of_builds(&BUILD_PATH.map(PathBuf::from), Path::new("/usr/include"))
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
    let silent = |why: &dyn std::fmt::Display| Missing {
        what: format!("a git that answers, by which the forge serves repositories ({why})"),
        remedy: Remedy::Change(format!("see why `{program} --exec-path` fails")),
    };
    let absent = |what| Missing {
        what,
        remedy: Remedy::Install("git"),
    };
    match ask(plain_git::program(program).arg("--exec-path")) {
        Ok(output) if output.status.success() => {
            let folder = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            let server = Path::new(&folder).join("git-http-backend");
            (!server.is_file()).then(|| {
                let server = server.display();
                absent(format!("{server}, by which the forge serves repositories"))
            })
        }
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            Some(silent(&format!("{}: {}", output.status, said.trim())))
        }
        Err(Unheard::Absent) => Some(absent(
            "git, by which the forge serves repositories".to_owned(),
        )),
        Err(error @ (Unheard::Start(_) | Unheard::Late { .. } | Unheard::Words(_))) => {
            Some(silent(&error))
        }
    }
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

    /// A git that fails is there: to install it would change nothing.
    #[test]
    fn a_git_that_fails_is_told_from_one_that_is_not_there() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("git");
        std::fs::write(&program, "#!/bin/sh\necho it is broken >&2\nexit 7\n").unwrap();
        let closed = git(program.to_str().unwrap()).unwrap();
        assert!(closed.what.contains("cannot be started"), "{closed:?}");
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&program, open).unwrap();
        let failing = git(program.to_str().unwrap()).unwrap();
        assert!(failing.what.contains("it is broken"), "{failing:?}");
        for missing in [closed, failing] {
            assert!(matches!(missing.remedy, Remedy::Change(_)), "{missing:?}");
        }
        let absent = git("/nowhere/git").unwrap();
        assert_eq!(absent.remedy, Remedy::Install("git"));
    }
}
