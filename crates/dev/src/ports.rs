//! The ports of a line. They are free ones at the first start, and kept with the data from then on,
//! so that addresses that people noted, and those in the services' own databases, stay true.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use service::listen;

use crate::file;

/// The name of the file in the data folder.
const FILE: &str = "ports.json";

/// The port of each service, on loopback; 0 takes a free one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ports {
    /// The forge's.
    pub forge: u16,
    /// summit's.
    pub summit: u16,
    /// avalanche's.
    pub avalanche: u16,
    /// vessel's, for its control API and its files.
    pub vessel: u16,
    /// That of the mirror of upstream archives.
    pub mirror: u16,
}

/// A service and the port that it cannot have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// Whose port it is.
    pub service: &'static str,
    /// The port.
    pub port: u16,
}

impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service, port } = self;
        write!(f, "port {port} of {service}")
    }
}

/// Ports that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read or written.
    #[error("cannot use {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is none of ours.
    #[error("{} does not hold the ports of a line: remove it, and new ones are taken", path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// Another program listens there.
    #[error(
        "another program has {}, as kept in {}: end it (`ss -ltnp` names it), or begin anew with \
         --fresh, which takes other ports and empties the data folder",
        list(.taken),
        path.display()
    )]
    Taken {
        /// Which ports.
        taken: Vec<Taken>,
        /// Where they are kept.
        path: PathBuf,
    },
}

fn list(taken: &[Taken]) -> String {
    let taken: Vec<String> = taken.iter().map(ToString::to_string).collect();
    taken.join(" and ")
}

impl Ports {
    /// The ports that are kept in the data folder `data`; free ones where none are. Looks whether
    /// they can be had before anything starts.
    ///
    /// # Errors
    /// When the file cannot be read, or another program listens on one of them.
    pub fn open(data: &Path) -> Result<Self, Error> {
        let path = data.join(FILE);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(source) => return Err(Error::File { path, source }),
        };
        let ports: Self = match serde_json::from_slice(&bytes) {
            Ok(ports) => ports,
            Err(source) => return Err(Error::Content { path, source }),
        };
        let taken = ports.taken();
        if taken.is_empty() {
            Ok(ports)
        } else {
            Err(Error::Taken { taken, path })
        }
    }

    /// Keeps the ports; to be called once all services listen.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn keep(&self, data: &Path) -> Result<(), Error> {
        let path = data.join(FILE);
        let written = serde_json::to_vec_pretty(self)
            .map_err(io::Error::from)
            .and_then(|mut json| {
                json.push(b'\n');
                file::write_private(&path, &json)
            });
        written.map_err(|source| Error::File { path, source })
    }

    fn taken(&self) -> Vec<Taken> {
        let Self {
            forge,
            summit,
            avalanche,
            vessel,
            mirror,
        } = *self;
        let all = [
            ("the forge", forge),
            ("summit", summit),
            ("avalanche", avalanche),
            ("vessel", vessel),
            ("the mirror of archives", mirror),
        ];
        let taken = all.into_iter().filter(|(_, port)| {
            // Any other refusal is told by the service itself.
            TcpListener::bind((Ipv4Addr::LOCALHOST, *port))
                .is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse)
        });
        taken
            .map(|(service, port)| Taken { service, port })
            .collect()
    }
}

/// A listener on loopback at `port`.
pub fn loopback(port: u16) -> listen::Config {
    listen::Config {
        address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        ..listen::Config::loopback()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_kept_and_those_that_are_taken_are_named() {
        let data = tempfile::tempdir().unwrap();
        assert_eq!(Ports::open(data.path()).unwrap(), Ports::default());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let ports = Ports {
            summit: port,
            ..Ports::default()
        };
        ports.keep(data.path()).unwrap();
        let error = Ports::open(data.path()).unwrap_err();
        let Error::Taken { taken, .. } = &error else {
            panic!("{error}")
        };
        let service = "summit";
        assert_eq!(*taken, [Taken { service, port }]);
        let said = error.to_string();
        assert!(said.contains(&format!("port {port} of summit")), "{said}");
        assert!(said.contains("--fresh"), "{said}");
        drop(listener);
        assert_eq!(Ports::open(data.path()).unwrap(), ports);
    }

    #[test]
    fn a_file_that_is_something_else_is_named() {
        let data = tempfile::tempdir().unwrap();
        std::fs::write(data.path().join(FILE), "{}").unwrap();
        let error = Ports::open(data.path()).unwrap_err();
        assert!(matches!(error, Error::Content { .. }), "{error}");
    }
}
