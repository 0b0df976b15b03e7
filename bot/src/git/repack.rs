//! Repacking a mirror. Each fetch adds a pack, and git searches every pack for each object, so a
//! mirror with many packs is slow.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Error, Mirror};

/// A mirror with this many packs is repacked.
pub(super) const MANY: usize = 50;

impl Mirror {
    /// Packs all reachable objects into one pack, if there are `MANY` packs. Other readers are
    /// not disturbed: the new pack exists before the old ones are deleted.
    ///
    /// # Errors
    /// When the mirror is broken or cannot be written. No object is lost then.
    pub fn repack(&self) -> Result<(), Error> {
        let folder = self.git.path().join("objects/pack");
        let old = packs(&folder)?;
        if old.len() < MANY {
            return Ok(());
        }
        let failed = |source| Error::Read {
            what: "all that its refs lead to".to_owned(),
            source,
        };
        let mut builder = self.git.packbuilder().map_err(failed)?;
        let mut walk = self.git.revwalk().map_err(failed)?;
        walk.push_glob("refs/*").map_err(failed)?;
        builder.insert_walk(&mut walk).map_err(failed)?;
        self.go_on()?;
        builder.write(&folder, 0).map_err(failed)?;
        let new = builder.name().map_err(failed)?.map(str::to_owned);
        let new = new.map(|name| folder.join(format!("pack-{name}.pack")));
        tracing::info!(mirror = %self.git.path().display(), packs = old.len(), "repacked a mirror");
        for pack in old.iter().filter(|old| Some(*old) != new.as_ref()) {
            // git ignores a pack without an index, so a crash between the two deletions is
            // harmless.
            for file in [pack.with_extension("idx"), pack.clone()] {
                fs::remove_file(&file).map_err(|error| unreadable(&file, &error))?;
            }
        }
        Ok(())
    }
}

fn packs(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |error| unreadable(folder, &error);
    let mut packs = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "pack")
        {
            packs.push(path);
        }
    }
    Ok(packs)
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    Error::Read {
        what: path.display().to_string(),
        source: git2::Error::from_str(&error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use git2::{Repository, Signature};
    use url::Url;

    use super::*;
    use crate::domain::name::RepositoryId;
    use crate::git::Mirrors;

    #[test]
    fn many_packs_become_one_that_has_all_that_refs_lead_to() {
        let folder = tempfile::tempdir().unwrap();
        let upstream = Repository::init_bare(folder.path().join("upstream.git")).unwrap();
        let url = Url::from_directory_path(folder.path().join("upstream.git")).unwrap();
        let mirror = Mirrors::new(folder.path().join("mirrors"))
            .open(RepositoryId::new(1))
            .unwrap();
        let packs = || {
            packs(&mirror.git.path().join("objects/pack"))
                .unwrap()
                .len()
        };
        let who = Signature::now("A", "a@example.org").unwrap();
        let mut heads = Vec::new();
        // Each push is a force push, so only kept commits stay reachable.
        for number in 0..MANY {
            let blob = upstream.blob(number.to_string().as_bytes()).unwrap();
            let mut tree = upstream.treebuilder(None).unwrap();
            tree.insert("file", blob, 0o100_644).unwrap();
            let tree = upstream.find_tree(tree.write().unwrap()).unwrap();
            let head = upstream.commit(None, &who, &who, "x", &tree, &[]).unwrap();
            upstream
                .reference("refs/heads/main", head, true, "")
                .unwrap();
            mirror
                .fetch(&url, None, &["refs/heads/main".to_owned()])
                .unwrap();
            let head = mirror.find_ref("refs/heads/main").unwrap().unwrap();
            if number % 2 == 0 {
                mirror.keep(&number.to_string(), head).unwrap();
            }
            heads.push(head);
            if number + 1 < MANY {
                mirror.repack().unwrap();
                assert_eq!(packs(), number + 1, "so few are left alone");
            }
        }
        mirror.repack().unwrap();
        assert_eq!(packs(), 1);
        let reopened = Mirrors::new(folder.path().join("mirrors"))
            .open(RepositoryId::new(1))
            .unwrap();
        let is_there: Vec<bool> = heads.iter().map(|head| reopened.has(*head)).collect();
        // The last head is the branch's.
        let led_to = (0..MANY).map(|number| number % 2 == 0 || number + 1 == MANY);
        assert_eq!(is_there, led_to.collect::<Vec<_>>());
        // The mirror that was open all the time still works.
        assert!(heads.iter().step_by(2).all(|head| mirror.has(*head)));
        mirror.repack().unwrap();
        assert_eq!(packs(), 1);
    }
}
