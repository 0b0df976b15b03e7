//! A summit for unit tests, with a GitHub of their own. Its channel is empty.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use service::auth::ServiceKey;
use service::client::Client;
use tempfile::TempDir;

use super::attend::Reported;
use super::channel::{self, Channel};
use super::{Summit, Wakes};
use crate::config::Config;
use crate::db::Tables;
use crate::domain::build::example::profile;
use crate::domain::under_way::UnderWay;
use crate::git::Mirrors;
use crate::github::double::Double;

/// A summit without workers and builders.
pub(crate) struct Example {
    pub(crate) summit: Arc<Summit>,
    pub(crate) folder: TempDir,
}

impl Example {
    pub(crate) fn new(github: &Double) -> Self {
        Self::within(tempfile::tempdir().unwrap(), github)
    }

    /// A summit with the data in a folder.
    fn within(folder: TempDir, github: &Double) -> Self {
        let text = include_str!("../../summit.example.toml");
        let mut config: Config = toml::from_str(text).unwrap();
        config.data = folder.path().to_owned();
        config.key = folder.path().join("key.pem");
        config.github = github.config();
        config.vessel.public_url = github.url.clone();
        let key = ServiceKey::load_or_create(config.name.clone(), &config.key).unwrap();
        let (db, tables) = Tables::open(&config.data, &profile()).unwrap();
        let index = folder.path().join("index");
        let channel = Channel::new(&config.vessel, &profile(), github.clock(), index).unwrap();
        let (under_way, _) = db.read(|txn| tables.builds_under_way(txn)).unwrap();
        let summit = Arc::new(Summit {
            clock: github.clock(),
            db,
            tables,
            app: github.app(),
            mirrors: Mirrors::new(folder.path().join("mirrors")),
            builders: BTreeMap::new(),
            http: channel::http_client(),
            vessel: Client::new(key, config.vessel.name.clone(), config.vessel.url.clone()),
            profiles: vec![profile()],
            channels: BTreeMap::from([(profile(), Arc::new(channel))]),
            public_url: "https://summit.example.org/".parse().unwrap(),
            logs: folder.path().join("logs"),
            under_way: Arc::new(Mutex::new(UnderWay::new(under_way))),
            unreadable: BTreeMap::new(),
            standstill: Mutex::default(),
            reported: Reported::default(),
            wakes: Arc::<Wakes>::default(),
            config,
        });
        Self { summit, folder }
    }

    /// Ends this process and starts another one.
    pub(crate) fn restart(self, github: &Double) -> Self {
        let Self { summit, folder } = self;
        drop(summit);
        Self::within(folder, github)
    }
}
