//! The programs that the walk takes, found on the search path or installed.

use std::env;
use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

/// The oldest Node.js that playwright-core runs on.
const NODE: u32 = 20;

/// A program, and Debian's packages that make it work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Tool {
    program: &'static str,
    packages: &'static [&'static str],
}

const TOOLS: [Tool; 4] = [
    Tool {
        program: "chromium",
        // The fonts are for pictures: a page looks the same wherever they are made.
        packages: &["chromium", "fonts-dejavu-core", "fonts-noto-color-emoji"],
    },
    Tool {
        program: "node",
        packages: &["nodejs"],
    },
    Tool {
        program: "npm",
        packages: &["npm"],
    },
    Tool {
        program: "git",
        packages: &["git"],
    },
];

/// Where the programs are.
#[derive(Debug)]
pub(crate) struct Tools {
    pub(crate) chromium: PathBuf,
    node: PathBuf,
}

impl Tools {
    /// Finds them; installs those that are missing where that takes no password.
    pub(crate) fn find_or_install() -> Result<Self> {
        let path = env::var_os("PATH").unwrap_or_default();
        let missing = find_missing(&path);
        if !missing.is_empty() {
            install(&path, &missing)?;
        }
        let missing = find_missing(&path);
        ensure!(missing.is_empty(), "{}", explain(&missing));
        let named = |program| find(&path, program).with_context(|| format!("{program} is gone"));
        let tools = Self {
            chromium: named("chromium")?,
            node: named("node")?,
        };
        let output = tools.node().arg("--version").output();
        let output = output.context("cannot run `node --version`")?;
        check_node(&String::from_utf8_lossy(&output.stdout))?;
        Ok(tools)
    }

    /// Node.js, with nothing to run yet.
    pub(crate) fn node(&self) -> Command {
        Command::new(&self.node)
    }
}

fn find(path: &OsStr, program: &str) -> Option<PathBuf> {
    let is_program = |file: &PathBuf| {
        let metadata = file.metadata();
        metadata.is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
    };
    env::split_paths(path)
        .map(|folder| folder.join(program))
        .find(is_program)
}

fn find_missing(path: &OsStr) -> Vec<Tool> {
    let is_missing = |tool: &Tool| find(path, tool.program).is_none();
    TOOLS.into_iter().filter(is_missing).collect()
}

fn packages_of(missing: &[Tool]) -> Vec<&'static str> {
    let packages = missing.iter().flat_map(|tool| tool.packages);
    packages.copied().collect()
}

/// What is missing, and what to do.
fn explain(missing: &[Tool]) -> String {
    let programs: Vec<_> = missing.iter().map(|tool| tool.program).collect();
    let programs = programs.join(" and ");
    let verb = if missing.len() == 1 { "is" } else { "are" };
    let packages = packages_of(missing).join(" ");
    format!(
        "{programs} {verb} missing: on Debian, `apt-get install {packages}` installs what is needed"
    )
}

/// Installs packages of Debian's, as root or by sudo where it asks for nothing.
fn install(path: &OsStr, missing: &[Tool]) -> Result<()> {
    let Some(apt) = find(path, "apt-get") else {
        bail!("{}", explain(missing));
    };
    let prefix: &[&str] = match (is_root()?, find(path, "sudo")) {
        (true, _) => &[],
        (false, Some(_)) => &["sudo", "--non-interactive"],
        (false, None) => bail!("{}", explain(missing)),
    };
    let packages = packages_of(missing);
    crate::say(format_args!("installing {}", packages.join(", ")));
    let update = apt_get(prefix, &apt, &["update", "--quiet"])?;
    let install = ["install", "--yes", "--quiet", "--no-install-recommends"];
    let installed = update && apt_get(prefix, &apt, &[&install[..], &packages].concat())?;
    ensure!(installed, "{}", explain(missing));
    Ok(())
}

fn apt_get(prefix: &[&str], apt: &Path, arguments: &[&str]) -> Result<bool> {
    let mut words = prefix.iter().map(OsStr::new).chain([apt.as_os_str()]);
    let program = words.next().unwrap_or(apt.as_os_str());
    let status = Command::new(program)
        .args(words)
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        // Standard output is for what was measured.
        .stdout(std::io::stderr())
        .status()
        .context("cannot run apt-get")?;
    Ok(status.success())
}

fn is_root() -> Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    let own = Path::new("/proc/self").metadata();
    Ok(own.context("cannot read /proc/self")?.uid() == 0)
}

/// Refuses a Node.js that is too old; `said` is what `node --version` prints.
fn check_node(said: &str) -> Result<()> {
    let said = said.trim();
    let major = said.trim_start_matches('v').split('.').next();
    let major: Option<u32> = major.and_then(|major| major.parse().ok());
    ensure!(
        major.is_some_and(|major| major >= NODE),
        "node {said} is too old: playwright-core runs on Node.js {NODE} or newer, and Debian 12 has an \
         older one: https://nodejs.org/en/download"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn all_that_is_missing_is_named_with_what_installs_it() {
        let folder = tempfile::tempdir().unwrap();
        let add = |name: &str, mode: u32| {
            let file = folder.path().join(name);
            fs::write(&file, "").unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        };
        let path = folder.path().as_os_str();
        assert_eq!(find_missing(path), TOOLS);
        add("git", 0o755);
        add("npm", 0o755);
        add("node", 0o644);
        assert_eq!(
            explain(&find_missing(path)),
            "chromium and node are missing: on Debian, `apt-get install chromium \
             fonts-dejavu-core fonts-noto-color-emoji nodejs` installs what is needed"
        );
        // Nothing here could install it.
        let error = install(path, &find_missing(path)).unwrap_err();
        assert!(
            error.to_string().starts_with("chromium and node are"),
            "{error}"
        );
        add("node", 0o755);
        add("chromium", 0o755);
        assert_eq!(find_missing(path), []);
    }

    #[test]
    fn a_node_that_is_too_old_is_refused() {
        check_node("v20.20.2\n").unwrap();
        check_node("v104.0.0").unwrap();
        for old in ["v18.20.4\n", "v2", "", "node"] {
            let error = check_node(old).unwrap_err().to_string();
            assert!(error.contains("Node.js 20 or newer"), "{error}");
        }
    }
}
