//! The packages of npm that the walk takes, each at the version and with the hash of the lock file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

const LOCK: &str = "package-lock.json";
const FILES: [&str; 2] = ["package.json", LOCK];

/// Installs what `scripts` names into `folder`, unless it is there, and gives the folder.
pub(crate) fn install(scripts: &Path, folder: &Path) -> Result<PathBuf> {
    if !is_installed(scripts, folder)? {
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        for file in FILES {
            let (from, to) = (scripts.join(file), folder.join(file));
            fs::copy(&from, &to)
                .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
        }
        // Nothing of a package is run while it is installed.
        let status = Command::new("npm")
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
            .current_dir(folder)
            .status()
            .context("cannot run npm")?;
        ensure!(
            status.success(),
            "`npm ci` cannot install playwright-core into {}: it says why above",
            folder.display()
        );
    }
    Ok(folder.to_owned())
}

/// True where `npm ci` has come to its end with this lock file. It writes a lock file of its own,
/// last, among what it installs.
fn is_installed(scripts: &Path, folder: &Path) -> Result<bool> {
    let wanted = scripts.join(LOCK);
    let wanted = fs::read(&wanted).with_context(|| format!("cannot read {}", wanted.display()))?;
    let has_ended = folder.join("node_modules/.package-lock.json").is_file();
    Ok(has_ended && fs::read(folder.join(LOCK)).is_ok_and(|found| found == wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_installed_is_not_installed_again_until_the_lock_file_changes() {
        let folder = tempfile::tempdir().unwrap();
        let (scripts, target) = (folder.path().join("scripts"), folder.path().join("target"));
        fs::create_dir_all(target.join("node_modules")).unwrap();
        fs::create_dir(&scripts).unwrap();
        fs::write(scripts.join(LOCK), "1").unwrap();
        assert!(!is_installed(&scripts, &target).unwrap());
        fs::write(target.join(LOCK), "1").unwrap();
        assert!(!is_installed(&scripts, &target).unwrap(), "it broke off");
        fs::write(target.join("node_modules/.package-lock.json"), "").unwrap();
        assert!(is_installed(&scripts, &target).unwrap());
        fs::write(scripts.join(LOCK), "2").unwrap();
        assert!(!is_installed(&scripts, &target).unwrap());
    }

    /// Where a package comes from is npm's setting, and not one machine's.
    #[test]
    fn the_lock_file_has_hashes_and_names_no_host() {
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/browser");
        let text = fs::read_to_string(scripts.join(LOCK)).unwrap();
        assert!(!text.contains("://"), "{text}");
        let lock: serde_json::Value = serde_json::from_str(&text).unwrap();
        let packages = lock["packages"].as_object().unwrap();
        let installed = packages.iter().filter(|(path, _)| !path.is_empty());
        for (path, package) in installed {
            let hash = package["integrity"].as_str().unwrap_or_default();
            assert!(hash.starts_with("sha512-"), "{path}");
        }
    }
}
