//! The root of a sandbox: the host's own files, from an explicit list, under the stones of the
//! closure.

use std::io;
use std::path::{Path, PathBuf};

use super::spec::{Entry, Network};

/// What a sandbox takes from the host, and nothing else.
#[derive(Debug, Clone)]
pub struct HostPaths {
    /// Files and folders that every sandbox sees.
    pub always: Vec<PathBuf>,
    /// Those that a sandbox with the host's network sees too.
    pub networking: Vec<PathBuf>,
    /// The TCP ports, of whatever machine, to which the latter can connect.
    pub tcp_ports: Vec<u16>,
}

const PASSWD: &str = "root:x:0:0:root:/:/bin/sh\n\
    build:x:1000:1000:build:/avalanche/home:/bin/bash\n\
    nobody:x:65534:65534:nobody:/:/bin/false\n";
const GROUP: &str = "root:x:0:\nbuild:x:1000:\nnogroup:x:65534:\n";
const HOSTS: &str = "127.0.0.1 localhost build\n::1 localhost\n";

/// The entries of a root in which `stones`, a `/usr` tree, lies over the host's.
pub fn entries(paths: &HostPaths, stones: &Path, network: Network) -> io::Result<Vec<Entry>> {
    let networking = match network {
        Network::Loopback => &[][..],
        Network::Host => &paths.networking[..],
    };
    let listed: Vec<&PathBuf> = paths.always.iter().chain(networking).collect();
    let mut entries = vec![
        Entry::File {
            content: PASSWD.to_owned(),
            inside: "/etc/passwd".to_owned(),
        },
        Entry::File {
            content: GROUP.to_owned(),
            inside: "/etc/group".to_owned(),
        },
        Entry::File {
            content: HOSTS.to_owned(),
            inside: "/etc/hosts".to_owned(),
        },
    ];
    for path in &listed {
        if let Some(entry) = entry(path, stones, &listed)?
            && !entries.iter().any(|other| other.inside() == entry.inside())
        {
            entries.push(entry);
        }
    }
    Ok(entries)
}

fn entry(path: &Path, stones: &Path, listed: &[&PathBuf]) -> io::Result<Option<Entry>> {
    let metadata = match path.symlink_metadata() {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let inside = utf8(path)?.to_owned();
    if path == Path::new("/usr") {
        let layers = vec![stones.to_owned(), path.to_owned()];
        return Ok(Some(Entry::Overlay { layers, inside }));
    }
    if !metadata.is_symlink() {
        return Ok(Some(Entry::ReadOnly {
            host: path.to_owned(),
            inside,
        }));
    }
    let Ok(real) = path.canonicalize() else {
        return Ok(None); // A link to nowhere is nothing to take.
    };
    // A link into another listed folder stays a link; what a link elsewhere names is taken itself.
    if listed
        .iter()
        .any(|folder| folder.as_path() != path && real.starts_with(folder))
    {
        let target = utf8(&path.read_link()?)?.to_owned();
        return Ok(Some(Entry::Symlink { target, inside }));
    }
    Ok(Some(Entry::ReadOnly { host: real, inside }))
}

fn utf8(path: &Path) -> io::Result<&str> {
    path.to_str().ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("{} is not UTF-8", path.display()),
        )
    })
}
