//! The root index, and its compressed variants.
//!
//! Only this file has variants: it is JSON that grows by a line or two with every history. The
//! indexes are zstd inside already, payload by payload; compressing them again would cost time and
//! win next to nothing.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use api::id::ChannelName;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::{ROOT_FILE, Tree, TreeError, durable};

/// Good for a file that is written once per import and read by every client.
const ZSTD_LEVEL: i32 = 12;

impl Tree {
    /// The path of a channel's root index.
    pub(crate) fn root(&self, channel: &ChannelName) -> PathBuf {
        self.channel(channel).join(ROOT_FILE)
    }

    /// Writes a channel's root index, unless it is there already. From then on clients see it; the
    /// plain file, which every client can read, comes last.
    ///
    /// # Errors
    /// When a file cannot be written, synced or renamed.
    pub(crate) fn write_root(&self, channel: &ChannelName, json: &[u8]) -> Result<(), TreeError> {
        durable::create_folder(&self.channel(channel))?;
        let plain = self.root(channel);
        let compressing = |source| TreeError::of("compress", &plain)(source);
        let gzip = gzip(json).map_err(compressing)?;
        let compressing = |source| TreeError::of("compress", &plain)(source);
        let zstd = zstd::bulk::compress(json, ZSTD_LEVEL).map_err(compressing)?;
        self.replace(channel, &with_suffix(&plain, ".gz"), &gzip)?;
        self.replace(channel, &with_suffix(&plain, ".zst"), &zstd)?;
        self.replace(channel, &plain, json)
    }

    fn replace(&self, channel: &ChannelName, path: &Path, bytes: &[u8]) -> Result<(), TreeError> {
        if fs::read(path).is_ok_and(|found| found == bytes) {
            return Ok(());
        }
        let aside = self.aside(channel, "root");
        durable::write_file(&aside, bytes)?;
        durable::rename(&aside, path)
    }
}

fn gzip(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    encoder.finish()
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
