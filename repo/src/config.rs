//! The configuration of vessel: one TOML file, see `vessel.example.toml`.

use std::collections::BTreeSet;
use std::num::NonZero;
use std::path::PathBuf;

use api::id::{Architecture, ChannelName, ServiceName};
use serde::Deserialize;
use service::auth::Peer;
use service::{listen, telemetry};
use url::Url;

/// How vessel is set up.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Its name in tokens.
    #[serde(default = "default_name")]
    pub name: ServiceName,
    /// Where everything lies: database, staging, and the public files.
    pub data: PathBuf,
    /// Its private key; made at the first start. `key.pem` in the data folder unless set.
    #[serde(default)]
    pub key_file: Option<PathBuf>,
    /// Where clients find the channels. The listener's own address unless set.
    #[serde(default)]
    pub public_url: Option<Url>,
    /// Where it listens: the control API, and the public files too unless `public_listen` is set.
    pub listen: listen::Config,
    /// Where it listens for clients, when that is to be apart from the control API.
    #[serde(default)]
    pub public_listen: Option<listen::Config>,
    /// The most that the database can hold, in GiB. 256 unless set; address space only.
    #[serde(default = "default_map_size")]
    pub database_gib: NonZero<u64>,
    /// How long an import whose stones cannot be fetched is tried before it is refused, in hours.
    /// 24 unless set.
    #[serde(default = "default_give_up")]
    pub give_up_hours: NonZero<u32>,
    /// The channels.
    pub channels: Vec<Channel>,
    /// The services that may use the control API.
    #[serde(default)]
    pub peers: Vec<Peer>,
    /// How logs are written.
    #[serde(default)]
    pub log: telemetry::Config,
}

/// A channel.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Channel {
    /// Its name in the paths of the repository.
    pub name: ChannelName,
    /// The architectures that it takes packages for.
    pub architectures: Vec<Architecture>,
}

/// A configuration that contradicts itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// There is nothing to serve.
    #[error("the configuration names no channel")]
    NoChannel,
    /// Two channels have one name.
    #[error("the configuration names the channel {0} twice")]
    ChannelTwice(ChannelName),
    /// The name is a path of vessel's own.
    #[error("a channel cannot be named {0}: the path belongs to vessel")]
    Reserved(ChannelName),
    /// A channel takes no packages at all.
    #[error("the channel {0} names no architecture")]
    NoArchitecture(ChannelName),
    /// The URL could not be a base of others.
    #[error("the public URL {0} does not end with a slash: what comes after it would be cut off")]
    NoSlash(Url),
}

/// The first components of vessel's own paths.
const RESERVED: [&str; 2] = ["api", "health"];

impl Config {
    /// A configuration with these, and the defaults for all else.
    pub fn new(
        data: PathBuf,
        listen: listen::Config,
        channels: Vec<Channel>,
        peers: Vec<Peer>,
    ) -> Self {
        Self {
            name: default_name(),
            data,
            key_file: None,
            public_url: None,
            listen,
            public_listen: None,
            database_gib: default_map_size(),
            give_up_hours: default_give_up(),
            channels,
            peers,
            log: telemetry::Config::default(),
        }
    }

    /// Looks for contradictions.
    ///
    /// # Errors
    /// The first one found.
    pub fn check(&self) -> Result<(), Contradiction> {
        if self.channels.is_empty() {
            return Err(Contradiction::NoChannel);
        }
        let mut seen = BTreeSet::new();
        for channel in &self.channels {
            let name = || channel.name.clone();
            if RESERVED.contains(&channel.name.as_str()) {
                return Err(Contradiction::Reserved(name()));
            }
            if !seen.insert(&channel.name) {
                return Err(Contradiction::ChannelTwice(name()));
            }
            if channel.architectures.is_empty() {
                return Err(Contradiction::NoArchitecture(name()));
            }
        }
        match &self.public_url {
            Some(url) if !url.path().ends_with('/') => Err(Contradiction::NoSlash(url.clone())),
            Some(_) | None => Ok(()),
        }
    }

    /// Where the private key lies.
    pub(crate) fn key_path(&self) -> PathBuf {
        self.key_file
            .clone()
            .unwrap_or_else(|| self.data.join("key.pem"))
    }
}

fn default_name() -> ServiceName {
    "vessel".parse().expect("the name is well-formed")
}

fn default_map_size() -> NonZero<u64> {
    const { NonZero::new(256).expect("256 is not 0") }
}

fn default_give_up() -> NonZero<u32> {
    const { NonZero::new(24).expect("24 is not 0") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("../vessel.example.toml");

    fn parse(text: &str) -> Config {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn the_example_is_valid() {
        let config = parse(EXAMPLE);
        assert_eq!(config.check(), Ok(()));
        assert_eq!(config.name.as_str(), "vessel");
        assert_eq!(config.channels.len(), 1);
        // Nobody's key is trusted because it stood in an example.
        assert!(config.peers.is_empty());
        let listen = listen::Config {
            address: "127.0.0.1:8300".parse().unwrap(),
            tls: None,
        };
        let made = Config::new(
            "/var/lib/vessel".into(),
            listen,
            config.channels.clone(),
            vec![],
        );
        assert_eq!(config, made, "the defaults are one and the same");
    }

    /// What the example shows as a comment works when it is taken out of the comment.
    #[test]
    fn the_examples_comments_are_valid_too() {
        let uncommented: Vec<_> = EXAMPLE
            .lines()
            .map(|line| {
                line.strip_prefix("#")
                    .filter(|rest| !rest.starts_with(' '))
                    .unwrap_or(line)
            })
            .collect();
        let config = parse(&uncommented.join("\n"));
        assert_eq!(config.check(), Ok(()));
        assert!(config.public_listen.is_some() && config.public_url.is_some());
        assert_eq!(config.peers.len(), 1);
    }

    #[test]
    fn an_unknown_key_is_refused() {
        let error = toml::from_str::<Config>(&format!("colour = 1\n{EXAMPLE}")).unwrap_err();
        assert!(
            error.to_string().contains("unknown field `colour`"),
            "{error}"
        );
    }

    #[test]
    fn contradictions_are_named() {
        let config = parse(EXAMPLE);
        let with = |change: fn(&mut Config)| {
            let mut config = config.clone();
            change(&mut config);
            config.check().unwrap_err().to_string()
        };
        let found = [
            with(|config| config.channels.clear()),
            with(|config| config.channels.push(config.channels[0].clone())),
            with(|config| config.channels[0].name = "api".parse().unwrap()),
            with(|config| config.channels[0].architectures.clear()),
            with(|config| config.public_url = Some("https://p.example/base".parse().unwrap())),
        ];
        insta::assert_snapshot!(found.join("\n"));
    }
}
