//! Configuration files for the real binaries.
//!
//! The services only read configurations. What is written here is read by them with unknown keys
//! refused, so a key that is misspelt is found at once.

use std::path::Path;

use anyhow::Result;
use service::auth::Peer;
use toml::{Table, Value};

/// summit's.
pub(crate) fn summit(config: &summit::Config) -> Result<String> {
    let github = &config.github;
    let vessel = &config.vessel;
    let builders = config.builders.iter().map(|builder| {
        table([
            ("name", text(&builder.peer.name)),
            ("public_key", text(builder.peer.public_key)),
            ("url", text(&builder.url)),
        ])
    });
    let mut all = Table::from_iter(pairs([
        ("name", text(&config.name)),
        ("data", path(&config.data)),
        ("key", path(&config.key)),
        ("listen", listen(&config.listen)),
        ("builders", Value::Array(builders.collect())),
        ("telemetry", telemetry()),
    ]));
    if let Some(url) = &config.public_url {
        all.insert("public_url".to_owned(), text(url));
    }
    all.insert(
        "github".to_owned(),
        table([
            ("api_url", text(&github.api_url)),
            ("app_id", number(github.app_id)?),
            ("private_key", path(&github.private_key)),
            (
                "webhook_secret",
                Value::Array(
                    github
                        .webhook_secret
                        .paths()
                        .iter()
                        .map(|file| path(file))
                        .collect(),
                ),
            ),
            ("organisation", text(&github.organisation)),
            ("sweep_seconds", number(github.sweep_seconds)?),
        ]),
    );
    all.insert(
        "vessel".to_owned(),
        table([
            ("name", text(&vessel.name)),
            ("url", text(&vessel.url)),
            ("public_url", text(&vessel.public_url)),
            ("channel", text(&vessel.channel)),
        ]),
    );
    if !config.profiles.is_empty() {
        let profiles = config.profiles.iter();
        let profiles = profiles.map(|profile| table([("name", text(&profile.name))]));
        all.insert("profiles".to_owned(), Value::Array(profiles.collect()));
    }
    all.insert(
        "limits".to_owned(),
        table([
            ("wall_seconds", Value::from(config.limits.wall_seconds)),
            ("log_bytes", number(config.limits.log_bytes)?),
            ("lease_seconds", Value::from(config.limits.lease_seconds)),
        ]),
    );
    all.insert(
        "retention".to_owned(),
        table([
            ("log_days", Value::from(config.retention.log_days)),
            ("build_days", Value::from(config.retention.build_days)),
            ("log_bytes", number(config.retention.log_bytes)?),
        ]),
    );
    Ok(all.to_string())
}

/// avalanche's.
pub(crate) fn avalanche(config: &avalanche::Config) -> Result<String> {
    let mirrors = config.mirrors.iter().map(text).collect();
    let mut all = Table::from_iter(pairs([
        ("name", text(&config.name)),
        ("data", path(&config.data)),
        ("listen", listen(&config.listen)),
        ("peers", peers(&config.peers)?),
        ("slots", Value::from(u32::from(config.slots.get()))),
        ("mirrors", Value::Array(mirrors)),
        ("telemetry", telemetry()),
    ]));
    let paths = config.sandbox.paths.iter().map(|folder| path(folder));
    all.insert(
        "sandbox".to_owned(),
        table([("paths", Value::Array(paths.collect()))]),
    );
    let packages = config.host.packages.iter();
    let packages = packages.map(|(name, supply)| (name.clone(), text(supply)));
    let host = table([("packages", Value::Table(packages.collect()))]);
    all.insert("host".to_owned(), host);
    let files = [
        ("work", &config.work),
        ("key", &config.key),
        ("ca_file", &config.ca_file),
    ];
    for (key, file) in files {
        if let Some(file) = file {
            all.insert(key.to_owned(), path(file));
        }
    }
    if let Some(url) = &config.public_url {
        all.insert("public_url".to_owned(), text(url));
    }
    Ok(all.to_string())
}

/// vessel's.
pub(crate) fn vessel(config: &vessel::Config) -> Result<String> {
    let channels = config.channels.iter().map(|channel| {
        let architectures = channel.architectures.iter().map(text).collect();
        table([
            ("name", text(&channel.name)),
            ("architectures", Value::Array(architectures)),
        ])
    });
    let mut all = Table::from_iter(pairs([
        ("name", text(&config.name)),
        ("data", path(&config.data)),
        ("listen", listen(&config.listen)),
        ("channels", Value::Array(channels.collect())),
        ("peers", peers(&config.peers)?),
        ("log", telemetry()),
    ]));
    if let Some(file) = &config.key_file {
        all.insert("key_file".to_owned(), path(file));
    }
    if let Some(url) = &config.public_url {
        all.insert("public_url".to_owned(), text(url));
    }
    Ok(all.to_string())
}

fn peers(peers: &[Peer]) -> Result<Value> {
    let peers = peers.iter().map(|peer| {
        let scopes: Vec<Value> = peer
            .scopes
            .iter()
            .map(Value::try_from)
            .collect::<Result<_, _>>()?;
        Ok(table([
            ("name", text(&peer.name)),
            ("public_key", text(peer.public_key)),
            ("scopes", Value::Array(scopes)),
        ]))
    });
    Ok(Value::Array(peers.collect::<Result<_>>()?))
}

fn listen(config: &service::listen::Config) -> Value {
    table([("address", text(config.address))])
}

/// A log that the harness can read.
fn telemetry() -> Value {
    table([
        ("filter", text(service::telemetry::Config::default().filter)),
        ("format", text("json")),
    ])
}

fn table<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Table(Table::from_iter(pairs(entries)))
}

fn pairs<const N: usize>(entries: [(&str, Value); N]) -> impl Iterator<Item = (String, Value)> {
    entries
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
}

fn text(value: impl std::fmt::Display) -> Value {
    Value::String(value.to_string())
}

fn path(path: &Path) -> Value {
    text(path.display())
}

fn number(number: u64) -> Result<Value> {
    Ok(Value::Integer(number.try_into()?))
}
