//! What a sandbox is made of, in the form in which it travels to the helper process.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::limits::Limits;

/// One sandbox: a root made of mounts, and what runs in it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// An empty folder of the host on which the root is put together.
    pub root: PathBuf,
    /// What the root consists of. No two entries may name one place.
    pub entries: Vec<Entry>,
    /// What the script can reach.
    pub network: Network,
    /// With the host's network: the TCP ports, of whatever machine, that it can connect to.
    pub tcp_ports: Vec<u16>,
    /// What runs.
    pub run: Run,
    /// The folder in which it starts: a path inside the sandbox.
    pub folder: String,
    /// The whole environment of what runs.
    pub environment: BTreeMap<String, String>,
    /// The most that it may use.
    pub limits: Limits,
}

/// What runs in a sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Run {
    /// A bash script, by the root's own `/bin/bash`.
    Script {
        /// Where it is: a path inside the sandbox.
        path: String,
    },
    /// A program, with nothing before it, so that the root needs no shell. It is process 1, for which
    /// signals without a handler mean nothing.
    Program {
        /// Where it is: a path inside the sandbox.
        path: String,
        /// Its arguments.
        arguments: Vec<String>,
    },
}

/// What a script can reach over the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Network {
    /// A loopback interface of its own and nothing else.
    Loopback,
    /// The host's network.
    Host,
}

/// A part of the root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Entry {
    /// A file or folder of the host that can only be read.
    ReadOnly {
        /// Where it is on the host.
        host: PathBuf,
        /// Where it appears.
        inside: String,
    },
    /// A folder of the host that can be written.
    Writable {
        /// Where it is on the host.
        host: PathBuf,
        /// Where it appears.
        inside: String,
    },
    /// Folders of the host laid over each other, read-only; the first one wins.
    Overlay {
        /// The folders, topmost first; at least two.
        layers: Vec<PathBuf>,
        /// Where they appear.
        inside: String,
    },
    /// A symbolic link.
    Symlink {
        /// The text of the link.
        target: String,
        /// Where it appears.
        inside: String,
    },
    /// A small text file.
    File {
        /// What it holds.
        content: String,
        /// Where it appears.
        inside: String,
    },
}

impl Entry {
    /// Where the entry appears inside the sandbox.
    pub fn inside(&self) -> &str {
        match self {
            Self::ReadOnly { inside, .. }
            | Self::Writable { inside, .. }
            | Self::Overlay { inside, .. }
            | Self::Symlink { inside, .. }
            | Self::File { inside, .. } => inside,
        }
    }
}

/// What the helper says at its end, as one line of JSON on its standard error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "report", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Report {
    /// The script ended with this exit status; 128 and the signal's number when it was killed.
    Ended {
        /// The exit status.
        status: i32,
    },
    /// The host does not let the sandbox be made.
    Refused {
        /// What the kernel said.
        detail: String,
    },
}
