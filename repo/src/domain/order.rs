//! Which orders can be taken at all. What the stones themselves decide comes later, as a refusal.

use api::import::{Order, Stone};

/// The most stones of one import: more than any cycle of recipes has, and few enough to keep one
/// import's record and progress small.
pub(crate) const MAX_STONES: usize = 4096;

/// An order that makes no sense, whatever the stones are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Invalid {
    /// There is nothing to import.
    #[error("the order names no stones")]
    Empty,
    /// It is too much at once.
    #[error("the order names {0} stones; at most {MAX_STONES} can be imported as one")]
    TooMany(usize),
    /// A stone cannot be fetched from where the order says.
    #[error(
        "the stone {file_name} cannot be fetched from {scheme}: it takes https, or http from this machine"
    )]
    Scheme {
        /// Which stone.
        file_name: String,
        /// The scheme and host of its URI; the rest may hold secrets.
        scheme: String,
    },
}

/// The stones of an order, build by build.
pub(crate) fn stones(order: &Order) -> impl Iterator<Item = &Stone> {
    order.builds.iter().flat_map(|build| &build.stones)
}

/// Checks what can be checked before anything is fetched.
///
/// # Errors
/// Why the order cannot be taken.
pub(crate) fn check(order: &Order) -> Result<(), Invalid> {
    match stones(order).count() {
        0 => return Err(Invalid::Empty),
        1..=MAX_STONES => {}
        count => return Err(Invalid::TooMany(count)),
    }
    match stones(order).find(|stone| !api::transport::is_protected(&stone.uri)) {
        None => Ok(()),
        Some(stone) => Err(Invalid::Scheme {
            file_name: stone.file_name.to_string(),
            scheme: format!(
                "{}://{}",
                stone.uri.scheme(),
                stone.uri.host_str().unwrap_or("")
            ),
        }),
    }
}

#[cfg(test)]
mod tests {
    use api::id::{BuildId, CommitSha, Sha256};
    use api::import::BuildStones;

    use super::*;

    fn order(uris: &[&str]) -> Order {
        let stone = |uri: &&str| Stone {
            file_name: "nano-8.3-33-1-x86_64.stone".parse().unwrap(),
            uri: uri.parse().unwrap(),
            sha256: Sha256::of(b""),
            size: 0,
        };
        Order {
            channel: "main".parse().unwrap(),
            builds: vec![BuildStones {
                build: BuildId::new(),
                recipe: "nano".parse().unwrap(),
                commit: CommitSha::from_bytes([7; 20]),
                stones: uris.iter().map(stone).collect(),
            }],
        }
    }

    #[test]
    fn only_stones_that_can_be_fetched_safely() {
        for uri in [
            "https://b.example/x",
            "http://127.0.0.1:1/x",
            "http://[::1]/x",
            "http://localhost/x",
        ] {
            assert_eq!(check(&order(&[uri])), Ok(()), "{uri}");
        }
        for uri in [
            "http://b.example/x",
            "http://10.0.0.1/x",
            "file:///etc/passwd",
            "data:x",
            "ftp://b/x",
        ] {
            assert!(check(&order(&[uri])).is_err(), "{uri}");
        }
    }

    #[test]
    fn not_nothing_and_not_too_much() {
        assert_eq!(check(&order(&[])), Err(Invalid::Empty));
        let many = vec!["https://b.example/x"; MAX_STONES + 1];
        assert_eq!(check(&order(&many)), Err(Invalid::TooMany(MAX_STONES + 1)));
        assert_eq!(check(&order(&many[1..])), Ok(()));
    }
}
