//! The files that differ from where this branch left the main one.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

/// Where changes are counted from, unless the caller names something else: the first of these that
/// there is.
const BASES: [&str; 2] = ["origin/main", "main"];

/// What differs, and from what.
#[derive(Debug)]
pub(crate) struct Changes {
    /// The name of what it was compared with.
    pub(crate) base: String,
    /// Files that were added, changed, moved or deleted, in commits or not yet; below the root.
    pub(crate) files: BTreeSet<PathBuf>,
}

/// Compares the files of the checkout at `root` with the commit where it left `base`.
pub(crate) fn find(root: &Path, base: Option<&str>) -> Result<Changes> {
    let base = match base {
        Some(base) => base.to_owned(),
        None => choose_base(root)?,
    };
    let left = git(root, &["merge-base", "HEAD", &base])
        .with_context(|| format!("cannot tell where this branch left {base}"))?;
    let left = String::from_utf8(left).context("git names no commit")?;
    // A file that was moved counts at both places.
    let differ = git(
        root,
        &[
            "diff",
            "--name-only",
            "--no-renames",
            "--no-ext-diff",
            "-z",
            left.trim(),
        ],
    )?;
    let untracked = git(root, &["ls-files", "--others", "--exclude-standard", "-z"])?;
    let files = names(&differ).chain(names(&untracked)).collect();
    Ok(Changes { base, files })
}

fn choose_base(root: &Path) -> Result<String> {
    for base in BASES {
        let commit = format!("{base}^{{commit}}");
        if git(root, &["rev-parse", "--verify", "--quiet", &commit]).is_ok() {
            return Ok(base.to_owned());
        }
    }
    let [first, second] = BASES;
    bail!("there is neither {first} nor {second}: name what to compare with by `--base`")
}

fn names(listed: &[u8]) -> impl Iterator<Item = PathBuf> {
    use std::os::unix::ffi::OsStrExt as _;
    let names = listed
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty());
    names.map(|name| PathBuf::from(std::ffi::OsStr::from_bytes(name)))
}

/// The caller's own git, with the settings by which the checkout is theirs.
fn git(root: &Path, arguments: &[&str]) -> Result<Vec<u8>> {
    let output = Command::new("git")
        .current_dir(root)
        .args(arguments)
        .output()
        .context("cannot run git")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "`git {}` says: {}",
        arguments.join(" "),
        said.trim()
    );
    Ok(output.stdout)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(folder: &Path, arguments: &[&str]) {
        let output = testbed::git()
            .current_dir(folder)
            .args(["-c", "user.name=A", "-c", "user.email=a@example.org"])
            .args(arguments)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}");
    }

    fn write(folder: &Path, name: &str, text: &str) {
        let file = folder.join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }

    fn commit(folder: &Path) {
        run(folder, &["add", "."]);
        run(folder, &["commit", "--quiet", "--message", "Go on"]);
    }

    fn found(folder: &Path, base: Option<&str>) -> Vec<String> {
        let changes = find(folder, base).unwrap();
        let files = changes.files.iter();
        files.map(|file| file.display().to_string()).collect()
    }

    /// A branch `topic`, one commit ahead of where it left `main`, which went on without it.
    fn checkout() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        run(root, &["init", "--quiet", "--initial-branch", "main"]);
        for name in ["kept", "changed", "deleted", "moved", "staged", "edited"] {
            write(root, name, "as it was\n");
        }
        write(root, ".gitignore", "ignored\n");
        commit(root);
        run(root, &["branch", "topic"]);
        write(root, "of main", "later\n");
        commit(root);
        run(root, &["checkout", "--quiet", "topic"]);
        write(root, "changed", "otherwise\n");
        std::fs::remove_file(root.join("deleted")).unwrap();
        std::fs::rename(root.join("moved"), root.join("moved there")).unwrap();
        commit(root);
        folder
    }

    #[test]
    fn all_that_differs_from_where_the_branch_began_is_found() {
        let folder = checkout();
        let root = folder.path();
        let committed = ["changed", "deleted", "moved", "moved there"];
        assert_eq!(found(root, None), committed);
        write(root, "staged", "otherwise\n");
        run(root, &["add", "staged"]);
        write(root, "edited", "otherwise\n");
        write(root, "new/file", "new\n");
        write(root, "ignored", "of nobody\n");
        assert_eq!(
            found(root, None),
            [
                "changed",
                "deleted",
                "edited",
                "moved",
                "moved there",
                "new/file",
                "staged"
            ]
        );
    }

    #[test]
    fn the_base_is_what_others_have_unless_one_is_named() {
        let folder = checkout();
        let root = folder.path();
        assert_eq!(find(root, None).unwrap().base, "main");
        assert_eq!(found(root, Some("HEAD")), [""; 0]);
        run(root, &["update-ref", "refs/remotes/origin/main", "HEAD"]);
        let changes = find(root, None).unwrap();
        assert_eq!(changes.base, "origin/main");
        assert_eq!(changes.files, BTreeSet::new());
        let error = find(root, Some("nowhere")).unwrap_err().to_string();
        assert_eq!(error, "cannot tell where this branch left nowhere");
    }

    #[test]
    fn without_a_base_the_option_is_named() {
        let folder = checkout();
        run(folder.path(), &["branch", "--delete", "--force", "main"]);
        let error = find(folder.path(), None).unwrap_err().to_string();
        assert!(
            error.ends_with("name what to compare with by `--base`"),
            "{error}"
        );
    }
}
