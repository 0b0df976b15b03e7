//! Setting the stage.

use std::num::NonZeroU16;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use forge::Forge;
use service::Supervisor;
use service::auth::ServiceKey;
use service::client::Client;
use service::listen::Tls;
use snekbook_dev::line::{Options, Parts};
use summit::config::Retention;

use super::gate;
use super::hosts::{self, SECOND};
use super::{LIMIT, REPOSITORY, STRANGER, Stage, WRITER};
use crate::actor::Actor;
use crate::authority::Authority;
use crate::gateway::Gateway;
use crate::mirror::Mirror;
use crate::process::Start;
use crate::{config, program};

/// The App's key: making one takes seconds.
const APP_KEY: &str = include_str!("../keys/app.pem");

/// What is particular about a stage.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    /// How often summit asks the forge for what webhooks failed to tell, in seconds. Not within
    /// the time of a test unless set, so that it is the webhooks that are tested.
    pub sweep_seconds: u64,
    /// Seconds without a reader after which avalanche gives an attempt up.
    pub lease_seconds: u32,
    /// How many attempts a builder runs at once.
    pub slots: NonZeroU16,
    /// How many builders there are.
    pub builders: Builders,
    /// How long summit keeps things.
    pub retention: Retention,
    /// Whether the forge speaks HTTPS.
    pub https: Option<Https>,
    /// How long anything is waited for.
    pub limit: Duration,
    /// How long it is waited at the end for everything to come to rest.
    pub end_limit: Duration,
}

/// The builders of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Builders {
    /// `avalanche`.
    One,
    /// `avalanche` and `avalanche-2`.
    Two,
}

/// Who trusts the authority of the forge's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Https {
    /// All services.
    Trusted,
    /// All but avalanche.
    UntrustedByBuilder,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            sweep_seconds: 24 * 3600,
            lease_seconds: 60,
            slots: NonZeroU16::MIN,
            builders: Builders::One,
            retention: Retention::default(),
            https: None,
            limit: LIMIT,
            end_limit: LIMIT,
        }
    }
}

/// What all actors need to be made.
struct Cast<'stage> {
    supervisor: &'stage Supervisor,
    configs: PathBuf,
    environment: Vec<(String, String)>,
}

impl Cast<'_> {
    /// An actor behind `gateway` that runs `program` and reads `config`.
    fn actor(
        &self,
        name: &'static str,
        program: &str,
        gateway: Gateway,
        config: &str,
    ) -> Result<Actor> {
        let path = self.configs.join(format!("{name}.toml"));
        std::fs::write(&path, config)?;
        let start = Start {
            name,
            program: program::find(program)?,
            config: path,
            environment: self.environment.clone(),
        };
        Ok(Actor::new(start, gateway, self.supervisor.clone()))
    }
}

impl Stage {
    pub(super) async fn new(setup: Setup) -> Result<Self> {
        service::install_tls_provider();
        let folder = tempfile::tempdir()?;
        // The user that builds run as must be able to pass.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755))?;
        let supervisor = Supervisor::new();
        let mirror = Mirror::open(&supervisor).await?;
        let options = options(folder.path(), &setup, &mirror)?;
        let parts = Parts::prepare(&options)?;
        let authority = match setup.https {
            Some(_) => Some(Authority::make(&folder.path().join("authority"))?),
            None => None,
        };
        let forge = start_forge(&parts, authority.as_ref(), &supervisor).await?;
        let cast = Cast {
            supervisor: &supervisor,
            configs: folder.path().join("configs"),
            environment: environment(folder.path(), authority.as_ref()),
        };
        std::fs::create_dir_all(&cast.configs)?;
        let key = |name: &str| {
            let path = options.data.join("keys").join(format!("{name}.pem"));
            ServiceKey::load_or_create(name.parse()?, &path).context("a key cannot be made")
        };
        let gateway = || Gateway::open(&supervisor);
        let (to_summit, to_avalanche, to_vessel) =
            (gateway().await?, gateway().await?, gateway().await?);

        let ca_file = match setup.https {
            Some(Https::Trusted) => authority.as_ref().map(|authority| authority.ca.clone()),
            Some(Https::UntrustedByBuilder) | None => None,
        };
        let builder = |name: &'static str, to_builder: Gateway| -> Result<Actor> {
            let mut config = parts.avalanche(&options);
            config.name = name.parse()?;
            config.data = options.data.join(name);
            config.key = Some(options.data.join("keys").join(format!("{name}.pem")));
            config.public_url = Some(to_builder.url());
            config.ca_file.clone_from(&ca_file);
            gate::show(&mut config, folder.path())?;
            if setup.builders == Builders::Two {
                hosts::give(&mut config, folder.path(), name)?;
            }
            cast.actor(name, "avalanche", to_builder, &config::avalanche(&config)?)
        };
        let avalanche = builder("avalanche", to_avalanche)?;
        let second = match setup.builders {
            Builders::One => None,
            Builders::Two => Some(builder(SECOND, gateway().await?)?),
        };
        let mut config = parts.vessel();
        config.public_url = Some(to_vessel.url());
        let vessel = cast.actor("vessel", "vessel", to_vessel, &config::vessel(&config)?)?;
        let mut config = parts.summit(
            &options,
            &forge.api_url(),
            (avalanche.url(), *key("avalanche")?.public()),
            (vessel.url(), vessel.url()),
        )?;
        config.retention = setup.retention;
        config.public_url = Some(to_summit.url());
        if let Some(second) = &second {
            config.builders.push(summit::config::Builder {
                peer: summit::config::BuilderPeer {
                    name: SECOND.parse()?,
                    public_key: *key(SECOND)?.public(),
                },
                url: second.url(),
                public_url: None,
            });
        }
        forge.set_webhook_url(Some(to_summit.url().join("webhook")?));
        let summit = cast.actor("summit", "summit", to_summit, &config::summit(&config)?)?;

        let client = |actor: &Actor| -> Result<Client> {
            Ok(Client::new(
                key("summit")?,
                actor.name().parse()?,
                actor.url(),
            ))
        };
        let mut stage = Self {
            to_builders: std::iter::once(&avalanche)
                .chain(&second)
                .map(client)
                .collect::<Result<_>>()?,
            to_vessel: client(&vessel)?,
            forge,
            summit,
            avalanche,
            second,
            vessel,
            mirror,
            folder,
            authority,
            limit: LIMIT,
            end_limit: setup.end_limit,
            expected_errors: Vec::new(),
            repositories: vec![REPOSITORY.to_owned()],
            read: Default::default(),
            http: testbed::http::client(),
            supervisor,
        };
        tokio::try_join!(
            stage.avalanche.start(),
            stage.vessel.start(),
            stage.summit.start()
        )?;
        if let Some(second) = &mut stage.second {
            second.start().await?;
        }
        stage.look_at_hosts().await?;
        stage.limit = setup.limit;
        Ok(stage)
    }
}

fn options(folder: &Path, setup: &Setup, mirror: &Mirror) -> Result<Options> {
    let mut options = Options::new(folder.join("line"));
    options.mirrors = vec![mirror.pattern()];
    options.slots = setup.slots;
    options.sweep_seconds = setup.sweep_seconds;
    options.lease_seconds = setup.lease_seconds;
    let keys = options.data.join("keys");
    std::fs::create_dir_all(&keys)?;
    std::fs::write(keys.join("app.pem"), APP_KEY)?;
    Ok(options)
}

async fn start_forge(
    parts: &Parts,
    authority: Option<&Authority>,
    supervisor: &Supervisor,
) -> Result<Forge> {
    let mut config = parts.forge();
    config.listen.tls = authority.map(|authority| Tls {
        certificate: authority.certificate.clone(),
        key: authority.key.clone(),
    });
    let forge = forge::start(config, supervisor).await?.forge;
    forge.create_organisation("snekbook")?;
    forge.create_repository(REPOSITORY).await?;
    for login in [WRITER, STRANGER] {
        forge.create_user(login)?;
    }
    forge.set_role(REPOSITORY, WRITER, forge::Role::Write)?;
    Ok(forge)
}

/// What the services see of the environment.
fn environment(folder: &Path, authority: Option<&Authority>) -> Vec<(String, String)> {
    let mut environment = vec![("HOME".to_owned(), folder.display().to_string())];
    if let Some(authority) = authority {
        let file = authority.ca.display().to_string();
        environment.push(("SSL_CERT_FILE".to_owned(), file));
    }
    environment
}
