//! summit's configuration: one TOML file, shown with all its keys in `summit.example.toml`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use api::id::{Architecture, ChannelName, ServiceName};
use serde::Deserialize;
use service::auth::Peer;
use service::{listen, telemetry};
use url::Url;

/// The whole configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// summit's own name in tokens.
    #[serde(default = "default_name")]
    pub name: ServiceName,
    /// The folder for the database, mirrors and logs.
    pub data: PathBuf,
    /// summit's private key. The first start creates the file.
    pub key: PathBuf,
    /// The listener for webhooks, reports and pages.
    pub listen: listen::Config,
    /// The URL at which people and builders reach summit. The default is the listener's address.
    #[serde(default)]
    pub public_url: Option<Url>,
    /// GitHub and the App.
    pub github: GitHub,
    /// The builders.
    pub builders: Vec<Builder>,
    /// vessel, which publishes stones.
    pub vessel: Vessel,
    /// The profiles to build for; see [`Config::profiles`].
    #[serde(default)]
    pub profiles: Vec<Profile>,
    /// Limits of an attempt.
    #[serde(default)]
    pub limits: Limits,
    /// Limits of a pull request.
    #[serde(default)]
    pub pulls: Pulls,
    /// Which builds have check runs of their own.
    #[serde(default)]
    pub check_runs: CheckRuns,
    /// How long summit keeps builds and logs.
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
    /// The base URL of the REST API, such as `https://api.github.com/`.
    pub api_url: Url,
    /// The App's id.
    pub app_id: u64,
    /// The App's private key, in a PEM file.
    pub private_key: PathBuf,
    /// The file with the webhook secret, or several while the secret is replaced. White space around a
    /// secret is ignored.
    pub webhook_secret: SecretFiles,
    /// The organisation whose recipes are built.
    pub organisation: String,
    /// Apps whose branches summit builds. GitHub says of an App that it has no role.
    #[serde(default)]
    pub bots: Vec<Bot>,
    /// The interval of sweeps, in seconds. A sweep asks GitHub for missed webhooks.
    #[serde(default = "default_sweep")]
    pub sweep_seconds: u64,
}

/// An App whose pull requests summit builds, if their branches lie in the repository itself.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bot {
    /// Its login, such as `renovate[bot]`, for people.
    pub login: String,
    /// The id of its account, which never changes; `GET /users/LOGIN` of GitHub's API shows it.
    pub id: u64,
    /// What it may do.
    pub role: BotRole,
}

/// What an App may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BotRole {
    /// It may read. summit builds nothing of it.
    Read,
    /// It may write. summit builds its branches.
    Write,
}

impl Bot {
    /// True when this is the App with the account `id`, and it may write.
    pub fn may_write(&self, id: u64) -> bool {
        self.id == id && self.role == BotRole::Write
    }
}

/// The files with the webhook secrets: one, or a list. A webhook signed with any of them is genuine.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "a path, or a list of paths")]
pub enum SecretFiles {
    /// One file.
    One(PathBuf),
    /// Several files.
    Several(Vec<PathBuf>),
}

impl SecretFiles {
    /// The paths of the files.
    pub fn paths(&self) -> &[PathBuf] {
        match self {
            Self::One(path) => std::slice::from_ref(path),
            Self::Several(paths) => paths,
        }
    }
}

impl From<PathBuf> for SecretFiles {
    fn from(path: PathBuf) -> Self {
        Self::One(path)
    }
}

/// A builder.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Builder {
    /// The builder's name and pinned key.
    #[serde(flatten)]
    pub peer: BuilderPeer,
    /// The URL of its control port.
    pub url: Url,
    /// The URL above its assets, as in the builder's own configuration. The default is `url`.
    #[serde(default)]
    pub public_url: Option<Url>,
}

/// The name and pinned key of a builder.
#[derive(Debug, Clone, Deserialize)]
pub struct BuilderPeer {
    /// The builder's name in tokens.
    pub name: ServiceName,
    /// The builder's public key.
    pub public_key: service::auth::PublicKey,
}

impl Builder {
    /// The builder as a peer. Its only permission at summit is to report.
    pub fn peer(&self) -> Peer {
        Peer {
            name: self.peer.name.clone(),
            public_key: self.peer.public_key,
            scopes: vec![api::claims::Scope::Reports],
        }
    }
}

/// vessel, which publishes stones.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vessel {
    /// vessel's name in tokens.
    pub name: ServiceName,
    /// The URL of vessel's control API.
    pub url: Url,
    /// The URL from which clients and builders read the repository. The channel's folder lies below
    /// it.
    pub public_url: Url,
    /// The channel for the default branches.
    #[serde(default = "default_channel")]
    pub channel: ChannelName,
    /// The only profile, for a configuration without a `profiles` table.
    pub architecture: Option<Architecture>,
}

/// A profile to build for.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The profile's name. Clients know it as `arch`: the index's folder and the last part of a
    /// stone's name.
    pub name: Architecture,
}

/// Profiles that contradict each other.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// `profiles` and `architecture` are both set.
    #[error("`[[profiles]]` names what is built for; take `architecture` out of `[vessel]`")]
    Twice,
    /// One profile is named twice.
    #[error("`[[profiles]]` names {0} twice")]
    Again(Architecture),
}

impl Config {
    /// The profiles to build for; at least one. summit builds each recipe of a head for every
    /// profile. The first profile stands for builds that belong to no single recipe.
    ///
    /// # Errors
    /// When both keys name profiles, or one profile is named twice.
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

/// Limits of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Wall time of an attempt, in seconds.
    pub wall_seconds: u32,
    /// Bytes of log of an attempt.
    pub log_bytes: u64,
    /// Seconds without a reader after which a builder stops an attempt.
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

/// How large a pull request may be to be planned. A default branch has no such limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pulls {
    /// The most recipes that it may change.
    pub recipes: usize,
    /// The most files and folders that it may change.
    pub entries: usize,
    /// The most bytes of changed files that the merge check reads.
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

/// Which builds have check runs of their own, beside the check run `snekbook` of their head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CheckRuns {
    /// If a head changes more recipes than this, only those that fail have a check run.
    pub recipes: usize,
}

impl Default for CheckRuns {
    fn default() -> Self {
        Self { recipes: 20 }
    }
}

/// How long summit keeps builds and logs. It keeps a recipe's present builds, on a branch or an
/// open pull request, for ever. Builds under way always stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// Days after the end of a build until its logs are removed.
    pub log_days: u32,
    /// Days after the end of a build until its row is removed.
    pub build_days: u32,
    /// The most bytes of all logs. The logs of the oldest ended builds are removed first, even of
    /// present builds.
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
        assert_eq!(config.check_runs, CheckRuns::default());
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
    fn webhook_secrets_are_one_or_several() {
        let example = include_str!("../summit.example.toml");
        let key = "webhook_secret = \"/etc/snekbook/webhook-secret\"";
        let files = |value: &str| {
            let text = example.replace(key, &format!("webhook_secret = {value}"));
            let config: Result<Config, _> = toml::from_str(&text);
            config.map(|config| config.github.webhook_secret.paths().to_vec())
        };
        let one = files("\"/etc/snekbook/webhook-secret\"").unwrap();
        assert_eq!(one, [PathBuf::from("/etc/snekbook/webhook-secret")]);
        assert_eq!(files("[\"/new\", \"/old\"]").unwrap().len(), 2);
        let error = files("7").unwrap_err().to_string();
        assert!(error.contains("a path, or a list of paths"), "{error}");
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
            "[check_runs]",
            "[listen]",
            "[telemetry]",
        ] {
            let text = text.replace(section, &format!("{section}\nsurprise = 1"));
            assert!(toml::from_str::<Config>(&text).is_err(), "{section}");
        }
        assert!(toml::from_str::<Config>(&format!("surprise = 1\n{text}")).is_err());
    }
}
