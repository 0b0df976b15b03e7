//! The paths a package installs: modes, link texts and content digests.
//!
//! Targets are relative to `/usr`. They are claims: [`Entry::path`] says
//! whether one stays below it.

mod record;

use serde::{Deserialize, Serialize};

use crate::{Digest, Limits};

pub use record::{EncodeError, Error, decode, encode};

/// One path of a package.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Entry {
    /// The owner; 0 in what we write.
    pub uid: u32,
    /// The group; 0 in what we write.
    pub gid: u32,
    /// The full `st_mode`: file type and permissions.
    pub mode: u32,
    /// A number that every known writer leaves at 0; it is kept as it is.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub tag: u32,
    /// What stands at the path.
    pub kind: Kind,
    /// The path below `/usr`, without a leading slash.
    pub target: String,
}

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A file with the content of this digest. Hard links are files that share
    /// one.
    Regular(Digest),
    /// A symbolic link with this text.
    Symlink(String),
    /// A directory; recorded when empty or not of mode 0755.
    Directory,
    /// A character device.
    CharDevice,
    /// A block device.
    BlockDevice,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A type this library does not know; it is kept as it is.
    Other {
        /// The number of the type.
        number: u8,
        /// The record's source.
        source: Vec<u8>,
    },
}

/// Most bytes of one name in a path that Linux takes.
const NAME: usize = 255;

/// A target that cannot be the place of a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnsafePath {
    /// It has an empty component, `.`, `..` or a NUL.
    #[error("the path {target:?} does not name a place below /usr")]
    Elsewhere {
        /// The target.
        target: String,
    },
    /// It is longer than the [limit](Limits::path).
    #[error("the path {target:?} has {length} bytes, more than the limit of {limit}")]
    TooLong {
        /// The target.
        target: String,
        /// Its bytes.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// A component is longer than any system takes.
    #[error("the path {target:?} has a component of {length} bytes, more than {NAME}")]
    NameTooLong {
        /// The target.
        target: String,
        /// Bytes of the component.
        length: usize,
    },
}

impl Entry {
    /// The components of the target, within the default limits.
    ///
    /// # Errors
    ///
    /// When there are none, one is empty, `.`, `..`, too long or holds a NUL,
    /// or the target is too long.
    pub fn path(&self) -> Result<Vec<&str>, UnsafePath> {
        self.path_within(&Limits::DEFAULT)
    }

    /// As [`Entry::path`], within these limits.
    ///
    /// # Errors
    ///
    /// As [`Entry::path`].
    pub fn path_within(&self, limits: &Limits) -> Result<Vec<&str>, UnsafePath> {
        let target = || self.target.clone();
        if self.target.len() > limits.path {
            return Err(UnsafePath::TooLong {
                target: target(),
                length: self.target.len(),
                limit: limits.path,
            });
        }
        let components: Vec<&str> = self.target.split('/').collect();
        if let Some(long) = components.iter().find(|part| part.len() > NAME) {
            return Err(UnsafePath::NameTooLong {
                target: target(),
                length: long.len(),
            });
        }
        let odd = |part: &&str| matches!(*part, "" | "." | "..") || part.contains('\0');
        if components.iter().any(odd) {
            return Err(UnsafePath::Elsewhere { target: target() });
        }
        Ok(components)
    }

    /// The digest, when this is a file.
    #[must_use]
    pub fn digest(&self) -> Option<Digest> {
        match self.kind {
            Kind::Regular(digest) => Some(digest),
            Kind::Symlink(_)
            | Kind::Directory
            | Kind::CharDevice
            | Kind::BlockDevice
            | Kind::Fifo
            | Kind::Socket
            | Kind::Other { .. } => None,
        }
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes what it asks about by reference"
)]
fn is_zero(tag: &u32) -> bool {
    *tag == 0
}

#[cfg(test)]
mod tests;
