//! `[sandbox]`: how builds are locked in.

use std::path::PathBuf;

use serde::Deserialize;

/// How builds are locked in.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sandbox {
    /// When avalanche is root, the first of the users that builds run as, one for each slot.
    pub first_id: u32,
    /// How many processes and threads a build may have at once.
    pub processes: u64,
    /// How much memory a build may use, in bytes; by default nine tenths of the machine's by the
    /// slots.
    pub memory_bytes: Option<u64>,
    /// How much of the disk a build's folders may take, in bytes.
    pub disk_bytes: u64,
    /// How long a file of a build may be, in bytes.
    pub file_bytes: u64,
    /// How many files a process of a build may have open.
    pub open_files: u64,
    /// How many addresses a process of a build may reserve, in bytes; by default without limit.
    pub address_space_bytes: Option<u64>,
    /// A control group (v2) that is avalanche's alone; by default the one that the system has
    /// delegated to it, if any.
    pub cgroup: Option<PathBuf>,
    /// What becomes of recipes that ask for the network.
    pub networking: Networking,
    /// The TCP ports, of whatever machine, to which a build with `networking` can connect.
    pub networking_ports: Vec<u16>,
    /// What of the host every build sees, read-only.
    pub paths: Vec<PathBuf>,
    /// What of the host a build with `networking` sees too.
    pub networking_paths: Vec<PathBuf>,
}

/// What becomes of recipes that ask for the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Networking {
    /// They fail.
    Refuse,
    /// They get the host's network, its loopback interface too, but can connect to
    /// [`Sandbox::networking_ports`] only.
    Host,
}

impl Default for Sandbox {
    fn default() -> Self {
        Self {
            first_id: 64_800,
            processes: 16_384,
            memory_bytes: None,
            disk_bytes: 64 << 30,
            file_bytes: 16 << 30,
            open_files: 16_384,
            address_space_bytes: None,
            cgroup: None,
            networking: Networking::Refuse,
            networking_ports: vec![80, 443],
            paths: paths(&[
                "/usr",
                "/bin",
                "/sbin",
                "/lib",
                "/lib32",
                "/lib64",
                "/libx32",
                "/etc/alternatives",
                "/etc/ld.so.cache",
                "/etc/ld.so.conf",
                "/etc/ld.so.conf.d",
                "/etc/localtime",
                "/etc/magic",
                "/etc/mime.types",
                "/etc/perl",
                "/etc/protocols",
                "/etc/services",
                "/etc/sgml",
                "/etc/xml",
            ]),
            networking_paths: paths(&[
                "/etc/ca-certificates",
                "/etc/nsswitch.conf",
                "/etc/pki/tls/certs",
                "/etc/resolv.conf",
                "/etc/ssl/certs",
                "/etc/ssl/openssl.cnf",
            ]),
        }
    }
}

fn paths(list: &[&str]) -> Vec<PathBuf> {
    list.iter().map(PathBuf::from).collect()
}
