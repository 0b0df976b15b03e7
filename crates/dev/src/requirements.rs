//! What the line needs of the machine, beside itself.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The folders that programs of builds are found in.
const BUILD_PATH: [&str; 4] = ["/usr/bin", "/usr/sbin", "/bin", "/sbin"];

/// Something that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// What it is.
    pub what: String,
    /// The package that has it, as Debian calls it.
    pub package: &'static str,
}

/// The machine lacks something.
#[derive(Debug, thiserror::Error)]
#[error("{}", text(.0))]
pub struct Unmet(pub Vec<Missing>);

fn text(missing: &[Missing]) -> String {
    let mut text = String::from("this machine lacks what the line needs; install:\n");
    for Missing { what, package } in missing {
        text.push_str(&format!("  {package:<9} {what}\n"));
    }
    text.push_str("for example with: apt-get install gcc libc6-dev make git");
    text
}

/// Looks for what is needed.
///
/// # Errors
/// Names all that is missing, and what to install.
pub fn check() -> Result<(), Unmet> {
    let mut missing = missing(&BUILD_PATH.map(PathBuf::from), Path::new("/usr/include"));
    missing.extend(git());
    if missing.is_empty() {
        Ok(())
    } else {
        Err(Unmet(missing))
    }
}

/// What builds need in `folders`, and among the headers in `include`, and do not find.
fn missing(folders: &[PathBuf], include: &Path) -> Vec<Missing> {
    let has = |program: &str| folders.iter().any(|folder| folder.join(program).exists());
    let needs: [(&[&str], &str, &'static str); 5] = [
        (&["gcc", "clang"], "a C compiler for the recipes", "gcc"),
        (&["ld", "ld.lld"], "a linker for the recipes", "gcc"),
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
        package,
    });
    let headers = (!include.join("stdio.h").exists()).then(|| Missing {
        what: format!("the C library's headers (in {})", include.display()),
        package: "libc6-dev",
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
fn git() -> Option<Missing> {
    let asked = Command::new("git").arg("--exec-path").output();
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
        Ok(_) | Err(_) => "git, by which the forge serves repositories".to_owned(),
    };
    Some(Missing {
        what,
        package: "git",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_machine_lacks_everything_and_is_told_what() {
        let unmet = Unmet(missing(&[PathBuf::from("/nowhere")], Path::new("/nowhere")));
        insta::assert_snapshot!(unmet);
    }

    #[test]
    fn one_compiler_is_enough() {
        let folder = tempfile::tempdir().unwrap();
        for program in ["clang", "ld.lld", "make", "bash", "install", "stdio.h"] {
            std::fs::write(folder.path().join(program), "").unwrap();
        }
        assert_eq!(missing(&[folder.path().to_owned()], folder.path()), []);
    }
}
