//! The real binaries, found beside the test executable.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, Result, bail, ensure};

/// Names another binary of summit: with that of an older commit, the tests of faults show what that
/// one did wrong.
const OTHER_SUMMIT: &str = "SNEKBOOK_SUMMIT";

/// The binary of that name.
///
/// # Errors
/// When it was not built, or one of its sources has changed since: then the suite would say
/// something of code that is not there any more.
pub fn find(name: &str) -> Result<PathBuf> {
    if name == "summit"
        && let Some(other) = std::env::var_os(OTHER_SUMMIT).map(PathBuf::from)
    {
        ensure!(
            other.is_file(),
            "{OTHER_SUMMIT} names {}, which is no file",
            other.display()
        );
        return Ok(other);
    }
    let own = std::env::current_exe().context("the test executable has no path")?;
    // target/debug/deps/suite-… lies beside target/debug/summit.
    let folder = own
        .parent()
        .and_then(Path::parent)
        .context("the test executable lies in no target folder")?;
    let path = folder.join(name);
    if !path.is_file() {
        bail!(
            "{} is missing: run `cargo build --workspace` first",
            path.display()
        );
    }
    if let Some(source) = find_newer_source(&path)? {
        bail!(
            "{} is older than {}: run `cargo build --workspace` first",
            path.display(),
            source.display()
        );
    }
    Ok(path)
}

/// A source of the binary that has changed since it was built, by the list that cargo writes.
fn find_newer_source(binary: &Path) -> Result<Option<PathBuf>> {
    let list = binary.with_extension("d");
    let Ok(text) = std::fs::read_to_string(&list) else {
        // Built in some other way, which is none of our business.
        return Ok(None);
    };
    let built = modified(binary).with_context(|| format!("cannot look at {}", binary.display()))?;
    let newer = sources(&text).into_iter().find(|source| {
        // A source that is gone was removed after the build, too.
        modified(source).is_none_or(|modified| modified > built)
    });
    Ok(newer)
}

fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata()
        .and_then(|metadata| metadata.modified())
        .ok()
}

/// The paths after the colon of a make rule; a space in a path is escaped.
fn sources(rule: &str) -> Vec<PathBuf> {
    let Some((_, list)) = rule.lines().next().and_then(|line| line.split_once(": ")) else {
        return Vec::new();
    };
    let mut paths = vec![String::new()];
    let mut escaped = false;
    for c in list.chars() {
        match c {
            '\\' if !escaped => {
                escaped = true;
                continue;
            }
            ' ' if !escaped => paths.push(String::new()),
            c => paths
                .last_mut()
                .expect("there is one from the start")
                .push(c),
        }
        escaped = false;
    }
    paths.retain(|path| !path.is_empty());
    paths.into_iter().map(PathBuf::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_read_from_a_rule() {
        let rule = "/t/debug/summit: /w/bot/src/main.rs /w/a\\ b/lib.rs\n";
        let expected = ["/w/bot/src/main.rs", "/w/a b/lib.rs"].map(PathBuf::from);
        assert_eq!(sources(rule), expected);
        assert_eq!(sources(""), Vec::<PathBuf>::new());
    }
}
