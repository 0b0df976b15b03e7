//! summit's configuration: one TOML file, shown with all its keys in `summit.example.toml`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use api::id::{Architecture, ChannelName, ServiceName};
use serde::Deserialize;
use service::auth::Peer;
use service::{listen, telemetry};
use url::Url;

/// All of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// summit's own name in tokens.
    #[serde(default = "default_name")]
    pub name: ServiceName,
    /// The folder for the database, mirrors and logs.
    pub data: PathBuf,
    /// summit's private key; made at the first start.
    pub key: PathBuf,
    /// Where webhooks, reports and pages are served.
    pub listen: listen::Config,
    /// The address under which people and builders reach summit; by default the listener's.
    #[serde(default)]
    pub public_url: Option<Url>,
    /// GitHub and the App.
    pub github: GitHub,
    /// The builders.
    pub builders: Vec<Builder>,
    /// Where stones are published.
    pub vessel: Vessel,
    /// What is built for; see [`Config::profiles`].
    #[serde(default)]
    pub profiles: Vec<Profile>,
    /// What attempts may use.
    #[serde(default)]
    pub limits: Limits,
    /// How much a pull request may change.
    #[serde(default)]
    pub pulls: Pulls,
    /// How long things are kept.
    #[serde(default)]
    pub retention: Retention,
    /// Logs.
    #[serde(default)]
    pub telemetry: telemetry::Config,
}

/// GitHub and the App.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GitHub {
    /// The REST API's base, such as `https://api.github.com/`.
    pub api_url: Url,
    /// The App's id.
    pub app_id: u64,
    /// The App's private key, in a PEM file.
    pub private_key: PathBuf,
    /// The file that holds the webhook secret; white space around it does not count.
    pub webhook_secret: PathBuf,
    /// The organisation whose recipes are built.
    pub organisation: String,
    /// How often GitHub is asked for what webhooks may have failed to tell, in seconds.
    #[serde(default = "default_sweep")]
    pub sweep_seconds: u64,
}

/// A builder.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Builder {
    /// Its name and pinned key.
    #[serde(flatten)]
    pub peer: BuilderPeer,
    /// Its control port.
    pub url: Url,
    /// Below which URL its assets lie, as its own configuration has it; by default below `url`.
    #[serde(default)]
    pub public_url: Option<Url>,
}

/// The name and pinned key of a builder.
#[derive(Debug, Clone, Deserialize)]
pub struct BuilderPeer {
    /// Its name in tokens.
    pub name: ServiceName,
    /// Its key.
    pub public_key: service::auth::PublicKey,
}

impl Builder {
    /// What the builder may do here: report.
    pub fn peer(&self) -> Peer {
        Peer {
            name: self.peer.name.clone(),
            public_key: self.peer.public_key,
            scopes: vec![api::claims::Scope::Reports],
        }
    }
}

/// Where stones are published.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vessel {
    /// vessel's name in tokens.
    pub name: ServiceName,
    /// Its control API.
    pub url: Url,
    /// Where clients and builders read the repository, the channel's folder below it.
    pub public_url: Url,
    /// The channel that default branches are published to.
    #[serde(default = "default_channel")]
    pub channel: ChannelName,
    /// What is built for, where there is one profile and no table of `profiles`.
    pub architecture: Option<Architecture>,
}

/// What is built for.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Its name, which clients know as `arch`: the folder of its index, the last part of a stone's name.
    pub name: Architecture,
}

/// Profiles that cannot be told apart.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// Both ways of naming them.
    #[error("`[[profiles]]` names what is built for; take `architecture` out of `[vessel]`")]
    Twice,
    /// The same one again.
    #[error("`[[profiles]]` names {0} twice")]
    Again(Architecture),
}

impl Config {
    /// What is built for: each recipe of a head for every one of these, at least one. The first stands
    /// for what is of no single recipe.
    ///
    /// # Errors
    /// When they are named in two ways, or one of them twice.
    pub fn profiles(&self) -> Result<Vec<Architecture>, ProfileError> {
        let named = self.profiles.iter().map(|profile| profile.name.clone());
        let named: Vec<Architecture> = named.collect();
        match &self.vessel.architecture {
            Some(_) if !named.is_empty() => return Err(ProfileError::Twice),
            Some(only) => return Ok(vec![only.clone()]),
            None if named.is_empty() => return Ok(vec![default_architecture()]),
            None => {}
        }
        let mut known = BTreeSet::new();
        match named.iter().find(|name| !known.insert(*name)) {
            Some(again) => Err(ProfileError::Again(again.clone())),
            None => Ok(named),
        }
    }
}

/// What attempts may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Wall time of an attempt, in seconds.
    pub wall_seconds: u32,
    /// Bytes of log of an attempt.
    pub log_bytes: u64,
    /// Seconds without a reader after which a builder gives an attempt up.
    pub lease_seconds: u32,
}

impl Default for Limits {
    fn default() -> Self {
        let order = api::attempt::Limits::default();
        Self {
            wall_seconds: order.wall_seconds,
            log_bytes: order.log_bytes,
            lease_seconds: 300,
        }
    }
}

/// How much a pull request may change to be planned. Of what is pushed to a default branch all is
/// planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pulls {
    /// Recipes.
    pub recipes: usize,
    /// Files and folders.
    pub entries: usize,
    /// Bytes of the files that it changes, when whether it can be merged is looked at.
    pub bytes: u64,
}

impl Default for Pulls {
    fn default() -> Self {
        Self {
            recipes: 500,
            entries: 200_000,
            bytes: 256 << 20,
        }
    }
}

/// How long things are kept. What a branch or an open pull request has of a recipe now is kept
/// for ever, and what is under way anyhow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// Days after the end of a build for which its logs are kept.
    pub log_days: u32,
    /// Days after its end for which a build is kept.
    pub build_days: u32,
    /// Bytes of all logs; the logs of the oldest builds that have ended go first, present or not.
    pub log_bytes: u64,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            log_days: 90,
            build_days: 365,
            log_bytes: 64 << 30,
        }
    }
}

fn default_name() -> ServiceName {
    "summit".parse().expect("a valid name")
}

fn default_channel() -> ChannelName {
    "main".parse().expect("a valid name")
}

fn default_architecture() -> Architecture {
    "x86_64".parse().expect("a valid name")
}

fn default_sweep() -> u64 {
    300
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_has_every_key_at_its_default_or_shown() {
        let config: Config = toml::from_str(include_str!("../summit.example.toml")).unwrap();
        assert_eq!(config.limits, Limits::default());
        assert_eq!(config.retention, Retention::default());
        assert_eq!(config.telemetry, telemetry::Config::default());
        assert_eq!(config.pulls, Pulls::default());
        assert_eq!(config.github.sweep_seconds, default_sweep());
        assert_eq!(config.builders[0].peer.name.as_str(), "avalanche-1");
    }

    #[test]
    fn profiles_are_named_in_one_way_and_once() {
        let example = include_str!("../summit.example.toml");
        let single = example.replace("[[profiles]]\nname = \"x86_64\"\n", "");
        assert_ne!(single, example);
        let profiles = |text: &str| {
            let config: Config = toml::from_str(text).unwrap();
            let profiles = config.profiles().map_err(|error| error.to_string());
            profiles.map(|names| names.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        let known = |names: &[&str]| Ok(names.iter().map(ToString::to_string).collect());
        assert_eq!(profiles(example), known(&["x86_64"]));
        assert_eq!(profiles(&single), known(&["x86_64"]));
        let old = single.replace("[vessel]", "[vessel]\narchitecture = \"aarch64\"");
        assert_eq!(profiles(&old), known(&["aarch64"]));
        let table = "\n[[profiles]]\nname = ";
        let two = format!("{single}{table}\"x86_64_v3\"{table}\"x86_64\"");
        assert_eq!(profiles(&two), known(&["x86_64_v3", "x86_64"]));
        let twice = format!("{two}{table}\"x86_64\"");
        assert!(profiles(&twice).is_err_and(|error| error.contains("twice")));
        let both = format!("{old}{table}\"x86_64\"");
        assert!(profiles(&both).is_err_and(|error| error.contains("architecture")));
    }

    #[test]
    fn unknown_keys_are_refused() {
        let text = include_str!("../summit.example.toml");
        for section in [
            "[github]",
            "[vessel]",
            "[limits]",
            "[retention]",
            "[pulls]",
            "[listen]",
            "[telemetry]",
        ] {
            let text = text.replace(section, &format!("{section}\nsurprise = 1"));
            assert!(toml::from_str::<Config>(&text).is_err(), "{section}");
        }
        assert!(toml::from_str::<Config>(&format!("surprise = 1\n{text}")).is_err());
    }
}
