//! The forge's configuration.

use std::collections::BTreeMap;
use std::path::PathBuf;

use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use crate::name::{Branch, FullName, Login};
use crate::state::access::{Level, Permission, Permissions};
use crate::state::repository::Role;

/// What a forge needs to start. `forge.example.toml` explains every key.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Address, and certificate where it is not loopback.
    pub listen: service::listen::Config,
    /// How it is reached, where that differs from where it listens.
    #[serde(default)]
    pub public_url: Option<Url>,
    /// The folder of the bare repositories and the database.
    pub data: PathBuf,
    /// The one App.
    pub app: App,
    /// Organisations, each with the App installed.
    #[serde(default)]
    pub organisations: Vec<Login>,
    /// People and their tokens.
    #[serde(default)]
    pub users: BTreeMap<String, User>,
    /// Other Apps' accounts and their tokens, by slug. Their login is `slug[bot]`.
    #[serde(default)]
    pub bots: BTreeMap<String, User>,
    /// Repositories, as `owner/name`.
    #[serde(default)]
    pub repositories: BTreeMap<String, Repository>,
    /// Whether callers that ask too much in a short time are refused, and how.
    #[serde(default)]
    pub secondary_limits: Option<SecondaryLimits>,
    /// How logs are written.
    #[serde(default)]
    pub log: service::telemetry::Config,
}

/// How a caller is refused that is beyond a secondary limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecondaryLimits {
    /// The answer's status: GitHub gives 403 or 429.
    pub status: u16,
    /// Whether the answer names the time to wait.
    pub retry_after: Wait,
}

/// Whether an answer has `retry-after`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Wait {
    /// It has.
    Named,
    /// It has not: the caller waits for a minute at least.
    Unnamed,
}

/// The GitHub App that the forge knows.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct App {
    /// Its number.
    #[serde(default = "App::default_id")]
    pub id: u64,
    /// Its name in URLs; its comments are by `slug[bot]`.
    #[serde(default = "App::default_slug")]
    pub slug: String,
    /// Its name for people.
    #[serde(default = "App::default_name")]
    pub name: String,
    /// What may stand for the number in a JWT's `iss`.
    #[serde(default = "App::default_client_id")]
    pub client_id: String,
    /// The RSA public key that its JWTs are checked with, in PEM.
    pub public_key: String,
    /// Where webhooks go. None: they wait for [`crate::Forge::set_webhook_url`].
    #[serde(default)]
    pub webhook_url: Option<Url>,
    /// What webhooks are signed with.
    pub webhook_secret: SecretString,
    /// The form of a webhook's body.
    #[serde(default)]
    pub webhook_content_type: ContentType,
    /// What the App may do at most.
    #[serde(default = "App::default_permissions")]
    pub permissions: Permissions,
    /// The events it is told of.
    #[serde(default = "App::default_events")]
    pub events: Vec<String>,
}

impl App {
    /// An App as summit wants it.
    #[must_use]
    pub fn new(public_key: String, webhook_secret: SecretString) -> Self {
        Self {
            id: Self::default_id(),
            slug: Self::default_slug(),
            name: Self::default_name(),
            client_id: Self::default_client_id(),
            public_key,
            webhook_url: None,
            webhook_secret,
            webhook_content_type: ContentType::default(),
            permissions: Self::default_permissions(),
            events: Self::default_events(),
        }
    }

    fn default_id() -> u64 {
        77
    }

    fn default_slug() -> String {
        "summit".to_owned()
    }

    fn default_name() -> String {
        "Summit".to_owned()
    }

    fn default_client_id() -> String {
        "Iv23liSummit".to_owned()
    }

    fn default_permissions() -> Permissions {
        Permissions::from([
            (Permission::Checks, Level::Write),
            (Permission::Contents, Level::Read),
            (Permission::Issues, Level::Write),
            (Permission::Members, Level::Read),
            (Permission::Metadata, Level::Read),
            (Permission::PullRequests, Level::Write),
        ])
    }

    fn default_events() -> Vec<String> {
        [
            "check_run",
            "check_suite",
            "commit_comment",
            "issue_comment",
            "pull_request",
            "push",
            "repository",
        ]
        .map(str::to_owned)
        .to_vec()
    }
}

/// The form of a webhook's body.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ContentType {
    /// The JSON itself.
    #[default]
    Json,
    /// A form whose field `payload` has the JSON.
    Form,
}

impl ContentType {
    pub(crate) const fn header(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Form => "application/x-www-form-urlencoded",
        }
    }

    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Form => "form",
        }
    }
}

/// A person, or another App's account.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// A token, for git's password and for the API.
    #[serde(default)]
    pub token: Option<SecretString>,
}

/// A repository.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repository {
    /// Its default branch.
    #[serde(default = "main_branch")]
    pub default_branch: Branch,
    /// What people may do in it, by login.
    #[serde(default)]
    pub roles: BTreeMap<String, Role>,
}

pub(crate) fn main_branch() -> Branch {
    "main".parse().expect("main is a branch name")
}

impl Config {
    /// A forge on a free loopback port with nothing in it.
    #[must_use]
    pub fn loopback(data: PathBuf, app: App) -> Self {
        Self {
            listen: service::listen::Config::loopback(),
            public_url: None,
            data,
            app,
            organisations: Vec::new(),
            users: BTreeMap::new(),
            bots: BTreeMap::new(),
            repositories: BTreeMap::new(),
            secondary_limits: None,
            log: service::telemetry::Config::default(),
        }
    }

    pub(crate) fn repository_names(&self) -> Result<Vec<FullName>, crate::name::Invalid> {
        self.repositories.keys().map(|name| name.parse()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_is_a_configuration() {
        let config: Config = toml::from_str(include_str!("../forge.example.toml")).unwrap();
        assert_eq!(config.repository_names().unwrap().len(), 1);
        assert_eq!(config.app.slug, "summit");
        assert_eq!(
            config.repositories["snekbook/recipes"].roles["maya"],
            Role::Write
        );
    }

    #[test]
    fn an_unknown_key_is_refused() {
        let text = format!("colour = 1\n{}", include_str!("../forge.example.toml"));
        let error = toml::from_str::<Config>(&text).unwrap_err().to_string();
        assert!(error.contains("colour"), "{error}");
    }
}
