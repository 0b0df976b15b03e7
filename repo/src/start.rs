//! From a configuration to a running service.

use std::net::SocketAddr;
use std::sync::Arc;

use moss_db::{Environment, OpenError, Options};
use service::Supervisor;
use service::auth::{KeyError, PublicKey, ServiceKey, Verifier};
use service::listen::{ListenError, Listener};
use url::Url;

use crate::config::{Config, Contradiction};
use crate::db::Tables;
use crate::http;
use crate::tree::Tree;
use crate::usecase::Repository;

/// A vessel that runs. It ends with the supervisor that it was started under.
#[derive(Debug)]
pub struct Running {
    /// Where the control API is.
    pub address: SocketAddr,
    /// Where the public files are; the same as `address` unless configured apart.
    pub public_address: SocketAddr,
    /// The base URL for moss clients.
    pub public_url: Url,
    /// Its public key.
    pub public_key: PublicKey,
}

/// Why vessel cannot start.
#[derive(Debug, thiserror::Error)]
#[error("vessel cannot start")]
pub struct StartError(#[source] Cause);

#[derive(Debug, thiserror::Error)]
pub(crate) enum Cause {
    #[error(transparent)]
    Config(#[from] Contradiction),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Database(#[from] OpenError),
    #[error("cannot use the data folder")]
    Tree(#[from] crate::tree::TreeError),
    #[error("cannot repair what the last run left")]
    Repair(#[source] crate::usecase::Failure),
    #[error("cannot set up the fetching of stones")]
    Fetcher(#[source] crate::usecase::Failure),
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error("the service is shutting down")]
    Ending,
}

/// Opens the storage, repairs what a crash left, binds, and begins to work and to answer. The tasks
/// belong to `supervisor`.
///
/// # Errors
/// Why it cannot start; the source says more.
pub async fn start(config: Config, supervisor: &Supervisor) -> Result<Running, StartError> {
    begin(config, supervisor).await.map_err(StartError)
}

async fn begin(config: Config, supervisor: &Supervisor) -> Result<Running, Cause> {
    config.check()?;
    let ending = supervisor.token();
    let (config, key, repository) = tokio::task::spawn_blocking(move || {
        let key = ServiceKey::load_or_create(config.name.clone(), &config.key_path())?;
        let repository = open(&config, ending)?;
        Ok::<_, Cause>((config, key, repository))
    })
    .await
    .map_err(|_| Cause::Ending)??;
    let repository = Arc::new(repository);

    // Bound before anything works: a second vessel on the same address must not begin imports.
    let control = Listener::bind(&config.listen).await?;
    let public = match &config.public_listen {
        Some(listen) => Some(Listener::bind(listen).await?),
        None => None,
    };
    let address = control.address();
    let public_address = public.as_ref().map_or(address, Listener::address);
    let public_url = match config.public_url {
        Some(url) => url,
        None => own_url(
            &config.listen,
            config.public_listen.as_ref(),
            public_address,
        ),
    };

    repository.spawn_workers(supervisor);
    let verifier = Verifier::new(config.name.clone(), config.peers);
    let api = http::api(Arc::clone(&repository), config.name, verifier);
    let files = http::public(repository, public_url.clone());
    match public {
        None => control.serve(supervisor, "vessel http", api.merge(files)),
        Some(public) => {
            control.serve(supervisor, "vessel control http", api);
            public.serve(supervisor, "vessel public http", files);
        }
    }
    tracing::info!(%address, %public_url, public_key = %key.public(), "vessel is up");
    Ok(Running {
        address,
        public_address,
        public_url,
        public_key: *key.public(),
    })
}

/// Opens database and files, and repairs. The database's lock comes first: it keeps others out of
/// the whole data folder.
pub(crate) fn open(
    config: &Config,
    ending: tokio_util::sync::CancellationToken,
) -> Result<Repository, Cause> {
    let options = Options {
        map_size: config.database_gib.get().saturating_mul(1 << 30),
        ..Options::default()
    };
    let database = Environment::open::<Tables>(&config.data.join("db"), &options)?;
    let tree = Tree::open(&config.data)?;
    let channels = config.channels.iter();
    let channels = channels.map(|channel| (channel.name.clone(), channel.architectures.clone()));
    let repository = Repository::new(database, tree, channels, config.give_up_hours, ending)
        .map_err(Cause::Fetcher)?;
    repository.repair().map_err(Cause::Repair)?;
    Ok(repository)
}

fn own_url(
    control: &service::listen::Config,
    public: Option<&service::listen::Config>,
    address: SocketAddr,
) -> Url {
    let scheme = if public.unwrap_or(control).tls.is_some() {
        "https"
    } else {
        "http"
    };
    Url::parse(&format!("{scheme}://{address}/")).expect("an address makes a URL")
}
