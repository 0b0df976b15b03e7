//! Which URLs may carry secrets and packages.

use url::{Host, Url};

/// True for HTTPS, and for plain HTTP to this machine: elsewhere anyone on the way could read
/// the token or answer with other bytes.
pub fn is_protected(url: &Url) -> bool {
    match url.scheme() {
        "https" => url.has_host(),
        "http" => match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_stays_on_the_machine() {
        let is_protected = |url: &str| is_protected(&url.parse().unwrap());
        for good in [
            "https://b.example/x",
            "http://127.0.0.1:1/x",
            "http://[::1]/x",
            "http://localhost/x",
        ] {
            assert!(is_protected(good), "{good}");
        }
        for bad in [
            "http://b.example/x",
            "http://10.0.0.1/x",
            "http://localhost.example/",
            "file:///etc/passwd",
            "ssh://git@b.example/x",
        ] {
            assert!(!is_protected(bad), "{bad}");
        }
    }
}
