//! The indexes: those of histories, which never change, and those of streams, which are links.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use api::id::{Architecture, ChannelName, HistoryId, StreamName};

use super::{INDEX_FILE, Tree, TreeError, durable};

impl Tree {
    /// The path of a history's index.
    pub(crate) fn index(
        &self,
        channel: &ChannelName,
        history: &HistoryId,
        architecture: &Architecture,
    ) -> PathBuf {
        self.histories(channel)
            .join(history.as_str())
            .join(architecture.as_str())
            .join(INDEX_FILE)
    }

    /// Writes the indexes of a history that the database does not know yet. They appear all at
    /// once; what a failed try left under the same id goes.
    ///
    /// # Errors
    /// When a file or folder cannot be written, synced or renamed.
    pub(crate) fn write_history(
        &self,
        channel: &ChannelName,
        history: &HistoryId,
        indexes: &BTreeMap<Architecture, Vec<u8>>,
    ) -> Result<(), TreeError> {
        let aside = self.aside(channel, "history");
        durable::remove_folder(&aside)?;
        durable::create_folder(&aside)?;
        for (architecture, bytes) in indexes {
            let folder = aside.join(architecture.as_str());
            durable::create_folder(&folder)?;
            durable::write_file(&folder.join(INDEX_FILE), bytes)?;
            durable::sync_folder(&folder)?;
        }
        let histories = self.histories(channel);
        durable::create_folder(&histories)?;
        let place = histories.join(history.as_str());
        durable::remove_folder(&place)?;
        durable::rename(&aside, &place)
    }

    /// Removes the histories that are none of these: what a crash left between writing the files
    /// and telling the database.
    ///
    /// # Errors
    /// When a folder cannot be read or removed.
    pub(crate) fn keep_histories(
        &self,
        channel: &ChannelName,
        known: &BTreeSet<&HistoryId>,
    ) -> Result<(), TreeError> {
        let folder = self.histories(channel);
        for name in durable::names(&folder)? {
            if !known.iter().any(|id| id.as_str() == name) {
                tracing::info!(channel = %channel, history = %name, "removing a history never published");
                durable::remove_folder(&folder.join(&name))?;
            }
        }
        Ok(())
    }

    /// Makes a stream's indexes those of a history.
    ///
    /// # Errors
    /// When the history's files cannot be read, or the stream's not be linked or removed.
    pub(crate) fn point_stream(
        &self,
        channel: &ChannelName,
        stream: &StreamName,
        history: &HistoryId,
    ) -> Result<(), TreeError> {
        let source = self.histories(channel).join(history.as_str());
        let target = self.channel(channel).join("stream").join(stream.as_str());
        let architectures = durable::names(&source)?;
        if architectures.is_empty() {
            // Following on would empty the stream.
            let missing = std::io::Error::from(ErrorKind::NotFound);
            return Err(TreeError::of("read the indexes in", &source)(missing));
        }
        for architecture in &architectures {
            let folder = target.join(architecture);
            durable::create_folder(&folder)?;
            let aside = self.aside(channel, "stream");
            link(
                &source.join(architecture).join(INDEX_FILE),
                &folder.join(INDEX_FILE),
                &aside,
            )?;
        }
        for stale in durable::names(&target)? {
            if !architectures.contains(&stale) {
                durable::remove_folder(&target.join(stale))?;
            }
        }
        Ok(())
    }

    fn histories(&self, channel: &ChannelName) -> PathBuf {
        self.channel(channel).join("history")
    }
}

/// Makes `to` a link to the file `from`, replacing what is there at one stroke.
fn link(from: &Path, to: &Path, aside: &Path) -> Result<(), TreeError> {
    let wanted = fs::metadata(from).map_err(TreeError::of("read", from))?;
    if fs::symlink_metadata(to).is_ok_and(|found| found.ino() == wanted.ino()) {
        // A rename between two links to one file would do nothing, and leave both.
        return Ok(());
    }
    durable::remove_folder(aside)?;
    fs::hard_link(from, aside).map_err(TreeError::of("link", from))?;
    durable::rename(aside, to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_moves_to_and_fro() {
        let data = tempfile::tempdir().unwrap();
        let tree = Tree::open(data.path()).unwrap();
        let channel: ChannelName = "main".parse().unwrap();
        let stable: StreamName = "stable".parse().unwrap();
        let architecture = |name: &str| name.parse::<Architecture>().unwrap();
        let (old, new): (HistoryId, HistoryId) = ("a".parse().unwrap(), "b".parse().unwrap());
        let write = |id, indexes: &[(&str, &[u8])]| {
            let indexes = indexes
                .iter()
                .map(|(name, bytes)| (architecture(name), bytes.to_vec()));
            tree.write_history(&channel, id, &indexes.collect())
                .unwrap();
        };
        write(&old, &[("x86_64", b"old")]);
        write(&new, &[("x86_64", b"new"), ("aarch64", b"arm")]);
        let stream = data.path().join("public/main/stream/stable");
        let read = |name: &str| fs::read_to_string(stream.join(name).join(INDEX_FILE)).ok();
        for _ in 0..2 {
            tree.point_stream(&channel, &stable, &old).unwrap();
            assert_eq!(read("x86_64").as_deref(), Some("old"));
            assert_eq!(read("aarch64"), None);
            tree.point_stream(&channel, &stable, &new).unwrap();
            tree.point_stream(&channel, &stable, &new).unwrap();
            assert_eq!(read("x86_64").as_deref(), Some("new"));
            assert_eq!(read("aarch64").as_deref(), Some("arm"));
        }
        let gone = "gone".parse().unwrap();
        assert!(tree.point_stream(&channel, &stable, &gone).is_err());
        assert_eq!(read("x86_64").as_deref(), Some("new"));
        assert!(
            durable::names(&data.path().join("aside"))
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn a_history_replaces_what_a_failed_try_left() {
        let data = tempfile::tempdir().unwrap();
        let tree = Tree::open(data.path()).unwrap();
        let channel: ChannelName = "main".parse().unwrap();
        let id: HistoryId = "a".parse().unwrap();
        let x86: Architecture = "x86_64".parse().unwrap();
        for bytes in [b"one".to_vec(), b"two".to_vec()] {
            let indexes = [(x86.clone(), bytes.clone())].into();
            tree.write_history(&channel, &id, &indexes).unwrap();
            assert_eq!(fs::read(tree.index(&channel, &id, &x86)).unwrap(), bytes);
        }
        tree.keep_histories(&channel, &[&id].into()).unwrap();
        assert!(tree.index(&channel, &id, &x86).exists());
        tree.keep_histories(&channel, &BTreeSet::new()).unwrap();
        assert!(!tree.index(&channel, &id, &x86).exists());
    }
}
