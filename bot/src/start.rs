//! Starts summit from its configuration.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use api::claims::Scope;
use api::id::Architecture;
use secrecy::SecretString;
use service::auth::{KeyError, Peer, ServiceKey, Verifier};
use service::client::Client;
use service::listen::{ListenError, Listener};
use service::{Clock, Supervisor};

use crate::config::{Builder, Config, ProfileError, SecretFiles};
use crate::db::Tables;
use crate::domain::under_way::UnderWay;
use crate::git::Mirrors;
use crate::github::{App, OpenError};
use crate::http::{Handlers, router};
use crate::usecase::attend::Reported;
use crate::usecase::channel::{self, Channel};
use crate::usecase::{self, Summit};

/// Why summit cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A folder or file cannot be used.
    #[error("cannot use {}", path.display())]
    File {
        /// The folder or file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The database cannot be opened.
    #[error("cannot open the database")]
    Database(#[from] moss_db::OpenError),
    /// Reading or writing the database failed.
    #[error("cannot read what is under way")]
    UnderWay(#[from] moss_db::Error),
    /// No file with a webhook secret is named.
    #[error("`webhook_secret` names no file")]
    NoSecret,
    /// The configured profiles contradict each other.
    #[error("cannot tell what is built for")]
    Profiles(#[from] ProfileError),
    /// The GitHub client cannot be created.
    #[error("cannot open the GitHub App")]
    App(#[from] OpenError),
    /// summit's private key cannot be used.
    #[error("cannot use summit's key")]
    Key(#[from] KeyError),
    /// The port cannot be opened.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// A URL cannot be built: summit's own, or one below vessel's public URL.
    #[error("cannot make a URL from the configuration")]
    Url(#[from] url::ParseError),
}

/// A summit that has started.
#[derive(Debug)]
pub struct Running {
    /// The address of the listener.
    pub address: SocketAddr,
    /// The URL for people and builders.
    pub public_url: url::Url,
    /// summit's public key. Builders and vessel pin it.
    pub public_key: service::auth::PublicKey,
}

/// Opens the storage, binds the port and starts all workers.
///
/// # Errors
/// When a file, folder or address in the configuration cannot be used.
pub async fn start(config: Config, supervisor: &Supervisor) -> Result<Running, StartError> {
    plain_git::isolate();
    let logs = config.data.join("logs");
    for folder in [&config.data, &logs, &config.data.join("mirrors")] {
        std::fs::create_dir_all(folder).map_err(|source| StartError::File {
            path: folder.clone(),
            source,
        })?;
    }
    let key = ServiceKey::load_or_create(config.name.clone(), &config.key)?;
    let secrets = read_secrets(&config.github.webhook_secret)?;
    let app = App::open(&config.github)?;
    let profiles = config.profiles()?;
    let (db, tables) = Tables::open(&config.data, &profiles[0])?;
    db.write(|txn| tables.plan_for(txn, &profiles))?;
    let listener = Listener::bind(&config.listen).await?;
    let client = |name: &api::id::ServiceName, url: &url::Url| {
        Client::new(key.clone(), name.clone(), url.clone())
    };
    let clock = Clock::system();
    let builders = config
        .builders
        .iter()
        .map(|builder| {
            let public_url = builder.public_url.as_ref().unwrap_or(&builder.url);
            let client = client(&builder.peer.name, &builder.url);
            let known = usecase::Builder::new(client, public_url.clone(), clock.clone());
            (builder.peer.name.clone(), Arc::new(known))
        })
        .collect();
    // Whoever can read summit's key is an operator.
    let operator = Peer {
        name: config.name.clone(),
        public_key: *key.public(),
        scopes: vec![Scope::Operate],
    };
    let peers = config.builders.iter().map(Builder::peer).chain([operator]);
    let verifier = Verifier::new(config.name.clone(), peers);
    let scheme = if config.listen.tls.is_some() {
        "https"
    } else {
        "http"
    };
    let public_url = match &config.public_url {
        Some(url) => url.clone(),
        None => url::Url::parse(&format!("{scheme}://{}/", listener.address()))?,
    };
    let running = Running {
        public_url: public_url.clone(),
        address: listener.address(),
        public_key: *key.public(),
    };
    let (under_way, unreadable) = db.read(|txn| tables.builds_under_way(txn))?;
    let open_heads = db.read(|txn| tables.open_heads(txn))?;
    for (build, error) in &unreadable {
        tracing::error!(build.id = %build, error, "a build cannot be read; it stays as it is");
    }
    // summit used this path when there was only one profile. If the file is missing, summit reads
    // the index from vessel again.
    let old = config.data.join("channel.index");
    let _ = std::fs::rename(old, kept_index(&config, &profiles[0]));
    let mut channels = BTreeMap::new();
    for profile in &profiles {
        let index = kept_index(&config, profile);
        let channel = Channel::new(&config.vessel, profile, clock.clone(), index)?;
        channels.insert(profile.clone(), Arc::new(channel));
    }
    let mut under_way = UnderWay::new(under_way);
    under_way.note_heads(open_heads);
    let summit = Arc::new(Summit {
        db,
        tables,
        app,
        mirrors: Mirrors::new(config.data.join("mirrors")),
        builders,
        http: channel::http_client(),
        vessel: client(&config.vessel.name, &config.vessel.url),
        profiles,
        channels,
        clock,
        public_url,
        logs,
        under_way: Arc::new(Mutex::new(under_way)),
        unreadable,
        standstill: Mutex::default(),
        reported: Reported::default(),
        wakes: Arc::default(),
        config,
    });
    summit.restore_writes()?;
    summit.work(supervisor);
    let handlers = Handlers::new(Arc::clone(&summit), secrets, supervisor.token());
    listener.serve(supervisor, "http", router(handlers, verifier));
    tracing::info!(address = %running.address, public_key = %running.public_key, "summit is up");
    Ok(running)
}

/// The file with the last index of a profile.
fn kept_index(config: &Config, profile: &Architecture) -> PathBuf {
    config.data.join(format!("channel.{profile}.index"))
}

/// Reads the webhook secrets.
fn read_secrets(files: &SecretFiles) -> Result<Vec<SecretString>, StartError> {
    if files.paths().is_empty() {
        return Err(StartError::NoSecret);
    }
    files.paths().iter().map(read_secret).collect()
}

fn read_secret(path: &PathBuf) -> Result<SecretString, StartError> {
    let file = |source| StartError::File {
        path: path.clone(),
        source,
    };
    let text = std::fs::read_to_string(path).map_err(file)?;
    let secret = text.trim();
    if secret.is_empty() {
        // With an empty secret, anyone could sign a webhook.
        return Err(file(std::io::Error::other("the webhook secret is empty")));
    }
    Ok(SecretString::from(secret))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn every_secret_is_read_and_none_may_be_empty() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let (old, new) = (file("old", "old\n"), file("new", " new "));
        let read = |paths: Vec<PathBuf>| {
            let secrets = read_secrets(&SecretFiles::Several(paths))?;
            let secrets = secrets
                .iter()
                .map(|secret| secret.expose_secret().to_owned());
            Ok::<_, StartError>(secrets.collect::<Vec<_>>())
        };
        assert_eq!(read(vec![new.clone(), old]).unwrap(), ["new", "old"]);
        let empty = file("empty", " \n");
        assert!(read(vec![new, empty]).is_err(), "anyone could sign with it");
        assert!(matches!(read(Vec::new()), Err(StartError::NoSecret)));
    }
}
