//! The pool: every stone that a channel ever published, each under a name of its own for ever.

use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use api::id::{ChannelName, Sha256};
use sha2::Digest as _;

use super::{Tree, TreeError, durable};
use crate::domain::pool::Place;

/// What became of a stone that should go into the pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pooled {
    /// It is there, now or since before.
    There,
    /// Other bytes have its name; they stay.
    Taken,
}

impl Tree {
    /// The path of a place in a channel's pool.
    pub(crate) fn pooled(&self, channel: &ChannelName, place: &Place) -> PathBuf {
        self.channel(channel).join(place.to_string())
    }

    /// Gives a staged stone, whose digest was checked, its place in the pool. Never overwrites.
    ///
    /// # Errors
    /// When a file or folder cannot be read, linked or synced.
    pub(crate) fn pool(
        &self,
        channel: &ChannelName,
        place: &Place,
        staged: &Path,
        sha256: Sha256,
    ) -> Result<Pooled, TreeError> {
        let path = self.pooled(channel, place);
        fs::set_permissions(staged, Permissions::from_mode(0o644))
            .map_err(TreeError::of("set the mode of", staged))?;
        durable::sync_file(staged)?;
        let folder = path.parent().expect("a place has folders above it");
        durable::create_folder(folder)?;
        // A link, unlike a rename, fails where something is; and the staged file stays for another
        // try, should a later step fail.
        match fs::hard_link(staged, &path) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                if hash(&path).map_err(TreeError::of("read", &path))? != sha256 {
                    return Ok(Pooled::Taken);
                }
            }
            Err(error) => return Err(TreeError::of("link a stone to", &path)(error)),
        }
        // Also for a stone and for folders that were there: who made them may have died before the
        // sync. Syncing a folder that is clean costs next to nothing.
        let channel = self.channel(channel);
        for folder in folder
            .ancestors()
            .take_while(|folder| folder.starts_with(&channel))
        {
            durable::sync_folder(folder)?;
        }
        Ok(Pooled::There)
    }

    /// Takes a stone out of the pool that was linked there from `staged`; one that came from
    /// elsewhere stays. Nobody may name it: it was never published.
    ///
    /// # Errors
    /// When the file cannot be removed or its folder not be synced.
    pub(crate) fn take_back(
        &self,
        channel: &ChannelName,
        place: &Place,
        staged: &Path,
    ) -> Result<(), TreeError> {
        let path = self.pooled(channel, place);
        let file = |path: &Path| fs::symlink_metadata(path).map(|file| (file.dev(), file.ino()));
        let (Ok(pooled), Ok(staged)) = (file(&path), file(staged)) else {
            return Ok(());
        };
        if pooled != staged {
            return Ok(());
        }
        durable::remove_folder(&path)?;
        durable::sync_folder(path.parent().expect("a place has folders above it"))
    }

    /// Takes a stone with these bytes out of the pool. Nobody may name it. True when it was there.
    ///
    /// # Errors
    /// When the file cannot be read or removed, or its folder not be synced.
    pub(crate) fn take_away(
        &self,
        channel: &ChannelName,
        place: &Place,
        sha256: Sha256,
    ) -> Result<bool, TreeError> {
        let path = self.pooled(channel, place);
        match hash(&path) {
            Ok(found) if found == sha256 => {}
            Ok(_) => return Ok(false),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(TreeError::of("read", &path)(error)),
        }
        durable::remove_folder(&path)?;
        durable::sync_folder(path.parent().expect("a place has folders above it"))?;
        Ok(true)
    }
}

fn hash(path: &Path) -> io::Result<Sha256> {
    let mut file = File::open(path)?;
    let mut hasher = sha2::Sha256::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            count => hasher.update(buffer.get(..count).unwrap_or_default()),
        }
    }
    Ok(Sha256::from_bytes(hasher.finalize().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_bytes_never_take_a_place() {
        let data = tempfile::tempdir().unwrap();
        let tree = Tree::open(data.path()).unwrap();
        let channel = "main".parse().unwrap();
        let file_name = "nano-8.3-33-1-x86_64.stone".parse().unwrap();
        let place = Place::new(&"nano".parse().unwrap(), &file_name);
        let staged = data.path().join("staged");
        let pool = |bytes: &[u8]| {
            fs::write(&staged, bytes).unwrap();
            let pooled = tree
                .pool(&channel, &place, &staged, Sha256::of(bytes))
                .unwrap();
            fs::remove_file(&staged).unwrap();
            pooled
        };
        assert_eq!(pool(b"first"), Pooled::There);
        assert_eq!(pool(b"first"), Pooled::There);
        assert_eq!(pool(b"other"), Pooled::Taken);
        assert_eq!(fs::read(tree.pooled(&channel, &place)).unwrap(), b"first");
        // The same bytes, but not from here: somebody may have published them.
        fs::write(&staged, b"first").unwrap();
        tree.take_back(&channel, &place, &staged).unwrap();
        assert_eq!(fs::read(tree.pooled(&channel, &place)).unwrap(), b"first");
    }
}
