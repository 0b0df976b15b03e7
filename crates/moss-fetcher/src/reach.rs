//! Which machines may be asked for a file.
//!
//! Where URLs are written by strangers, a service that fetches them and tells what came is a way
//! into its own network. So names are resolved here, and what they resolve to decides: there is no
//! second look-up that could answer otherwise. Each redirect is looked at like the first URL.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;

use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// Which machines may be asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Reach {
    /// All. For URLs of those who are trusted.
    #[default]
    Any,
    /// Those with public addresses, and the exceptions.
    Public(Exceptions),
}

/// Machines that may be asked although their addresses are not public.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exceptions {
    /// All with such an address.
    pub networks: Vec<IpNet>,
    /// What is asked by a URL of the same scheme, host and port as one of these.
    pub origins: Vec<Url>,
}

/// A machine that may not be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{host}` has no public address")]
pub struct NotPublic {
    host: String,
}

impl Reach {
    /// Whether the machine with this address may be asked, whatever its URL.
    pub fn admits(&self, address: IpAddr) -> bool {
        match self {
            Self::Any => true,
            Self::Public(exceptions) => {
                let address = address.to_canonical();
                let listed = |network: &IpNet| network.contains(&address);
                is_public(address) || exceptions.networks.iter().any(listed)
            }
        }
    }

    /// Whether this URL may be asked whatever its host's address is.
    pub fn excepts(&self, url: &Url) -> bool {
        match self {
            Self::Any => true,
            Self::Public(exceptions) => exceptions
                .origins
                .iter()
                .any(|origin| origin.origin() == url.origin()),
        }
    }

    /// Checks a URL as far as it can be without resolving a name.
    ///
    /// # Errors
    ///
    /// When its host is an address that may not be asked.
    pub fn check(&self, url: &Url) -> Result<(), NotPublic> {
        let address = match url.host() {
            Some(Host::Ipv4(address)) => IpAddr::from(address),
            Some(Host::Ipv6(address)) => IpAddr::from(address),
            Some(Host::Domain(_)) | None => return Ok(()),
        };
        if self.excepts(url) || self.admits(address) {
            return Ok(());
        }
        Err(NotPublic {
            host: url.host_str().unwrap_or_default().to_owned(),
        })
    }

    /// Resolves a name, or an address as text, to those of its addresses that may be asked. Blocks.
    ///
    /// # Errors
    ///
    /// When it cannot be resolved or, with [`NotPublic`] as the cause, none of them may.
    pub fn resolve(&self, host: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
        let found = (host.trim_matches(['[', ']']), port).to_socket_addrs()?;
        self.admitted(host, found).map_err(std::io::Error::other)
    }

    /// Resolves names for an HTTP client, to addresses that may be asked. Addresses as text are not
    /// asked of it: see [`Self::check`].
    pub fn resolver(&self) -> Arc<dyn Resolve> {
        Arc::new(Resolver(Arc::new(self.clone())))
    }

    fn admitted(
        &self,
        host: &str,
        found: impl Iterator<Item = SocketAddr>,
    ) -> Result<Vec<SocketAddr>, NotPublic> {
        let admitted: Vec<_> = found.filter(|found| self.admits(found.ip())).collect();
        if admitted.is_empty() {
            let host = host.to_owned();
            return Err(NotPublic { host });
        }
        Ok(admitted)
    }
}

/// Resolves names for an HTTP client.
pub(crate) struct Resolver(pub(crate) Arc<Reach>);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = Arc::clone(&self.0);
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let admitted = reach.admitted(name.as_str(), found)?;
            let addresses: Addrs = Box::new(admitted.into_iter());
            Ok(addresses)
        })
    }
}

/// Whether an address is one of the public network, by IANA's registries of special purposes.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let special = match address.octets() {
        // This network, private use, loopback.
        [0 | 10 | 127, ..] => true,
        // Shared by carriers, link-local, private use.
        [100, 64..=127, ..] | [169, 254, ..] | [172, 16..=31, ..] | [192, 168, ..] => true,
        // Protocol assignments, relays, benchmarks, documentation.
        [192, 0, 0 | 2, _] | [192, 88, 99, _] | [198, 18..=19, ..] => true,
        [198, 51, 100, _] | [203, 0, 113, _] => true,
        // Multicast, reserved, broadcast.
        [224..=255, ..] => true,
        _ => false,
    };
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let embedded = |high: u16, low: u16| {
        let bits = u32::from(high) << 16 | u32::from(low);
        is_public_v4(Ipv4Addr::from_bits(bits))
    };
    match segments {
        // What networks without IPv4 write for an IPv4 address.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => embedded(high, low),
        // Protocol assignments with Teredo, documentation, 6to4, documentation.
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x2002, ..] | [0x3fff, 0..=0xfff, ..] => false,
        // Global unicast; all else is loopback, local, mapped, multicast or unassigned.
        [0x2000..=0x3fff, ..] => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn public() -> Reach {
        Reach::Public(Exceptions::default())
    }

    #[test]
    fn only_public_addresses_are_admitted() {
        for refused in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.31.255.255",
            "192.0.0.170",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "fe80::1",
            "fec0::1",
            "fd00::1",
            "ff02::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
        ] {
            assert!(!public().admits(refused.parse().unwrap()), "{refused}");
            assert!(Reach::Any.admits(refused.parse().unwrap()), "{refused}");
        }
        for admitted in [
            "1.1.1.1",
            "100.63.255.255",
            "100.128.0.1",
            "172.32.0.1",
            "::ffff:1.1.1.1",
            "64:ff9b::101:101",
            "2606:4700::1111",
        ] {
            assert!(public().admits(admitted.parse().unwrap()), "{admitted}");
        }
    }

    #[test]
    fn however_a_url_writes_an_address_it_is_the_same() {
        for host in [
            "127.0.0.1",
            "127.1",
            "0x7f.1",
            "2130706433",
            "017700000001",
            "[::1]",
            "[::ffff:7f00:1]",
            "1\u{ff12}7.0.0.1",
        ] {
            let url = Url::parse(&format!("http://{host}/x")).unwrap();
            assert!(public().check(&url).is_err(), "{host}");
        }
        assert!(public().resolve("localhost", 80).is_err());
        assert!(public().resolve("127.0.0.1", 80).is_err());
        assert!(public().resolve("[::1]", 80).is_err());
    }

    #[test]
    fn exceptions_are_of_a_network_or_of_one_origin() {
        let reach = Reach::Public(Exceptions {
            networks: vec!["10.1.0.0/16".parse().unwrap()],
            origins: vec!["http://127.0.0.1:8000/mirror".parse().unwrap()],
        });
        let check = |url: &str| reach.check(&url.parse().unwrap()).is_ok();
        assert!(check("https://10.1.2.3/x") && check("https://[::ffff:10.1.2.3]/x"));
        assert!(check("http://127.0.0.1:8000/other"));
        assert!(!check("http://127.0.0.1:8001/mirror"));
        assert!(!check("https://127.0.0.1:8000/mirror") && !check("https://10.2.0.1/"));
    }
}
