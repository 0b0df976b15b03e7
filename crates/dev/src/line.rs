//! Forge, builder, repository manager and bot, started together and introduced to each other.

mod app_key;

use std::num::NonZeroU16;
use std::path::PathBuf;

use api::claims::Scope;
use api::id::ServiceName;
use forge::Forge;
use secrecy::SecretString;
use service::Supervisor;
use service::auth::{Peer, PublicKey, ServiceKey};
use service::client::Client;
use url::Url;

use crate::file::write_private;
use crate::people::{self, People};
use crate::ports::{Ports, loopback};

pub use app_key::AppKey;

/// The organisation of the line.
pub const ORGANISATION: &str = "snekbook";

/// The repository of the line.
pub const REPOSITORY: &str = "snekbook/recipes";

/// How a line is set up.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder of everything that the line keeps.
    pub data: PathBuf,
    /// The executable that avalanche starts for its helpers; by default the running one.
    pub executable: Option<PathBuf>,
    /// Where upstream archives are asked for first: URLs with `{sha256}` in them.
    pub mirrors: Vec<String>,
    /// Where the services listen.
    pub ports: Ports,
    /// How many attempts run at once.
    pub slots: NonZeroU16,
    /// How often summit asks the forge for what webhooks failed to tell, in seconds.
    pub sweep_seconds: u64,
    /// Seconds without a reader after which the builder gives an attempt up.
    pub lease_seconds: u32,
}

impl Options {
    /// Options for a line in the folder `data`.
    pub fn new(data: PathBuf) -> Self {
        Self {
            data,
            executable: None,
            mirrors: Vec::new(),
            ports: Ports::default(),
            slots: NonZeroU16::MIN,
            sweep_seconds: 30,
            lease_seconds: 60,
        }
    }
}

/// A line that cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A folder or file cannot be used.
    #[error("cannot use {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The App has no key.
    #[error("cannot make the App's key")]
    AppKey(#[from] app_key::Error),
    /// A service has no key.
    #[error("cannot make the key of a service")]
    Key(#[from] service::auth::KeyError),
    /// The people have no tokens.
    #[error("cannot make the tokens of the people")]
    People(#[from] people::Error),
    /// The forge cannot start.
    #[error("the forge cannot start")]
    Forge(#[from] forge::StartError),
    /// The builder cannot start.
    #[error("avalanche cannot start")]
    Avalanche(#[from] avalanche::StartError),
    /// The repository manager cannot start.
    #[error("vessel cannot start")]
    Vessel(#[from] vessel::StartError),
    /// The bot cannot start.
    #[error("summit cannot start")]
    Summit(#[from] summit::StartError),
    /// A service's address makes no URL.
    #[error("an address makes no URL")]
    Url(#[from] url::ParseError),
}

/// A line at work.
#[derive(Debug, Clone)]
pub struct Line {
    /// The forge, and what people do with it.
    pub forge: Forge,
    /// Where summit is.
    pub summit: Url,
    /// Where avalanche is.
    pub avalanche: Url,
    /// Where vessel's control API is.
    pub vessel: Url,
    /// Where moss clients find the channels.
    pub repository: Url,
    /// Asks vessel for imports of what no recipe makes.
    pub importer: Client,
    /// Who is there.
    pub people: People,
    /// Where they listen, but for the mirror, which is not the line's.
    pub ports: Ports,
    /// Where builds run, when that cannot be the data folder.
    pub elsewhere: Option<avalanche::Elsewhere>,
}

impl Line {
    /// Starts all services; they stop with the supervisor.
    ///
    /// # Errors
    /// When one of them cannot start.
    pub async fn start(options: &Options, supervisor: &Supervisor) -> Result<Self, StartError> {
        let parts = Parts::prepare(options)?;
        let forge = forge::start(parts.inhabited_forge(), supervisor).await?;
        let avalanche = avalanche::start(parts.avalanche(options), supervisor).await?;
        let importer = parts.importer()?;
        let mut config = parts.vessel();
        config.peers.push(Peer {
            name: importer.name().clone(),
            public_key: *importer.public(),
            scopes: vec![Scope::Imports],
        });
        let vessel = vessel::start(config, supervisor).await?;
        let builder = (avalanche.public_url.clone(), avalanche.public_key);
        let control = Url::parse(&format!("http://{}/", vessel.address))?;
        let config = parts.summit(
            options,
            &forge.forge.api_url(),
            builder,
            (control.clone(), vessel.public_url.clone()),
        )?;
        let summit = summit::start(config, supervisor).await?;
        let webhook = summit.public_url.join("webhook")?;
        forge.forge.set_webhook_url(Some(webhook));
        Ok(Self {
            forge: forge.forge,
            summit: summit.public_url,
            avalanche: avalanche.public_url,
            importer: Client::new(importer, name("vessel"), control.clone()),
            vessel: control,
            repository: vessel.public_url,
            people: parts.people,
            ports: Ports {
                forge: forge.address.port(),
                summit: summit.address.port(),
                avalanche: avalanche.address.port(),
                vessel: vessel.address.port(),
                mirror: options.ports.mirror,
            },
            elsewhere: avalanche.elsewhere,
        })
    }
}

/// What the services have to know of each other before they start. Public, so that the services
/// can be started one by one, each in a process of its own.
#[derive(Debug)]
pub struct Parts {
    folder: PathBuf,
    app_key: AppKey,
    secret: SecretString,
    summit_key: PublicKey,
    people: People,
    ports: Ports,
}

impl Parts {
    /// Makes folders, keys and secrets below the folder of `options`; finds those of an earlier
    /// start again.
    ///
    /// # Errors
    /// When the disk does not let it.
    pub fn prepare(options: &Options) -> Result<Self, StartError> {
        let folder = options.data.clone();
        let file = |path: PathBuf| move |source| StartError::File { path, source };
        let keys = folder.join("keys");
        std::fs::create_dir_all(&keys).map_err(file(keys.clone()))?;
        let app_key = AppKey::load_or_create(&keys.join("app.pem"))?;
        let path = keys.join("webhook-secret");
        if !path.exists() {
            let secret: [u8; 32] = rand::random();
            let text: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
            write_private(&path, text.as_bytes()).map_err(file(path.clone()))?;
        }
        let secret = std::fs::read_to_string(&path).map_err(file(path.clone()))?;
        let summit_key =
            *ServiceKey::load_or_create(name("summit"), &keys.join("summit.pem"))?.public();
        let people = People::load_or_create(&keys.join("people.json"))?;
        Ok(Self {
            folder,
            app_key,
            secret: SecretString::from(secret),
            summit_key,
            people,
            ports: options.ports,
        })
    }

    /// The forge's configuration, with the organisation, its repository and the people.
    pub fn inhabited_forge(&self) -> forge::Config {
        let repository = forge::config::Repository {
            default_branch: "main".parse().expect("a valid branch"),
            roles: self.people.roles(),
        };
        forge::Config {
            organisations: vec![ORGANISATION.parse().expect("a valid login")],
            users: self.people.users(),
            repositories: [(REPOSITORY.to_owned(), repository)].into(),
            ..self.forge()
        }
    }

    /// The configuration of a forge with nothing in it.
    pub fn forge(&self) -> forge::Config {
        forge::Config {
            listen: loopback(self.ports.forge),
            public_url: None,
            data: self.folder.join("forge"),
            app: forge::config::App::new(self.app_key.public_pem().to_owned(), self.secret.clone()),
            organisations: Vec::new(),
            users: Default::default(),
            bots: Default::default(),
            repositories: Default::default(),
            secondary_limits: None,
            log: service::telemetry::Config::default(),
        }
    }

    /// avalanche's configuration.
    pub fn avalanche(&self, options: &Options) -> avalanche::Config {
        let peer = self.summit_may(vec![Scope::Attempts, Scope::Status]);
        avalanche::Config {
            key: Some(self.folder.join("keys/avalanche.pem")),
            slots: options.slots,
            mirrors: options.mirrors.clone(),
            executable: options.executable.clone(),
            ..avalanche::Config::new(
                name("avalanche"),
                self.folder.join("avalanche"),
                loopback(self.ports.avalanche),
                vec![peer],
            )
        }
    }

    /// vessel's configuration.
    pub fn vessel(&self) -> vessel::Config {
        let channel = vessel::config::Channel {
            name: "main".parse().expect("a valid name"),
            architectures: vec!["x86_64".parse().expect("a valid name")],
        };
        let peer = self.summit_may(vec![Scope::Imports, Scope::Channels]);
        vessel::Config {
            key_file: Some(self.folder.join("keys/vessel.pem")),
            ..vessel::Config::new(
                self.folder.join("vessel"),
                loopback(self.ports.vessel),
                vec![channel],
                vec![peer],
            )
        }
    }

    /// summit's configuration: `builder` is avalanche's URL and key, `vessel` the control API and
    /// the public URL.
    ///
    /// # Errors
    /// When the API's address is no URL.
    pub fn summit(
        &self,
        options: &Options,
        forge_api: &str,
        builder: (Url, PublicKey),
        vessel: (Url, Url),
    ) -> Result<summit::Config, StartError> {
        let keys = self.folder.join("keys");
        Ok(summit::Config {
            name: name("summit"),
            data: self.folder.join("summit"),
            key: keys.join("summit.pem"),
            listen: loopback(self.ports.summit),
            public_url: None,
            github: summit::config::GitHub {
                api_url: forge_api.parse()?,
                app_id: forge::config::App::new(String::new(), self.secret.clone()).id,
                private_key: keys.join("app.pem"),
                webhook_secret: keys.join("webhook-secret").into(),
                organisation: ORGANISATION.to_owned(),
                bots: Vec::new(),
                sweep_seconds: options.sweep_seconds,
            },
            builders: vec![summit::config::Builder {
                peer: summit::config::BuilderPeer {
                    name: name("avalanche"),
                    public_key: builder.1,
                },
                url: builder.0,
                public_url: None,
            }],
            vessel: summit::config::Vessel {
                name: name("vessel"),
                url: vessel.0,
                public_url: vessel.1,
                channel: "main".parse().expect("a valid name"),
                architecture: None,
            },
            profiles: Vec::new(),
            limits: summit::config::Limits {
                lease_seconds: options.lease_seconds,
                ..summit::config::Limits::default()
            },
            retention: summit::config::Retention::default(),
            pulls: summit::config::Pulls::default(),
            check_runs: summit::config::CheckRuns::default(),
            telemetry: service::telemetry::Config::default(),
        })
    }

    /// The key with which snekbook-dev itself asks for imports.
    fn importer(&self) -> Result<ServiceKey, StartError> {
        let path = self.folder.join("keys/snekbook-dev.pem");
        Ok(ServiceKey::load_or_create(name("snekbook-dev"), &path)?)
    }

    fn summit_may(&self, scopes: Vec<Scope>) -> Peer {
        Peer {
            name: name("summit"),
            public_key: self.summit_key,
            scopes,
        }
    }
}

fn name(name: &str) -> ServiceName {
    name.parse().expect("a valid name")
}
