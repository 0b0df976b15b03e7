//! Starting a forge.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::StatusCode;
use jsonwebtoken::DecodingKey;
use secrecy::{ExposeSecret, SecretString};
use service::Supervisor;
use service::listen::{ListenError, Listener};
use thiserror::Error;
use url::Url;

use crate::clock::Clock;
use crate::config::{Config, User};
use crate::forge::{Forge, Parts, Reach, Shared};
use crate::git::GitError;
use crate::git::backend::{Backend, BackendError};
use crate::name::Login;
use crate::people::Refused;
use crate::records::{Records, RecordsError, Unrecorded};
use crate::shape::Urls;
use crate::state::access::TokenDigest;
use crate::state::account::{Kind, bot_login};
use crate::webhook::send;
use crate::{page, people, push, queue, rest, smart};

/// A forge that answers.
#[derive(Debug, Clone)]
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    /// What people do with it.
    pub forge: Forge,
}

/// A forge that cannot start.
#[derive(Debug, Error)]
pub enum StartError {
    /// Its address cannot be listened on.
    #[error("the forge cannot listen")]
    Listen(#[from] ListenError),
    /// Git is missing.
    #[error("the forge needs git")]
    Git(#[from] BackendError),
    /// The App's key is none.
    #[error("the App's public_key is no RSA public key in PEM")]
    Key(#[source] jsonwebtoken::errors::Error),
    /// The App's slug cannot be part of a login.
    #[error("the App's slug cannot be part of a login")]
    Slug(#[source] crate::name::Invalid),
    /// There is no HTTP client for webhooks.
    #[error("the client for webhooks cannot be made")]
    Client(#[source] reqwest::Error),
    /// The configured accounts and repositories cannot be made.
    #[error("cannot make {what}")]
    Content {
        /// Which.
        what: String,
        /// Why.
        #[source]
        source: Refused,
    },
    /// What an earlier start left cannot be read, or nothing can be kept.
    #[error(transparent)]
    Records(#[from] RecordsError),
    /// What was made cannot be recorded.
    #[error(transparent)]
    Unrecorded(#[from] Unrecorded),
    /// What a deletion left cannot be removed, and would be taken for another repository's.
    #[error("cannot remove the folder of a deleted repository")]
    Leftover(#[source] GitError),
    /// A name in the configuration is none.
    #[error("a name in the configuration")]
    Name(#[from] crate::name::Invalid),
}

/// Opens a forge: binds, makes what the configuration names, and answers until the supervisor
/// stops.
///
/// # Errors
/// When git is missing, the address is taken, or the configuration names what cannot be.
pub async fn start(config: Config, supervisor: &Supervisor) -> Result<Running, StartError> {
    service::install_tls_provider();
    plain_git::isolate();
    let backend = Backend::find().await?;
    let app_key =
        DecodingKey::from_rsa_pem(config.app.public_key.as_bytes()).map_err(StartError::Key)?;
    let bot = bot_login(&config.app.slug).map_err(StartError::Slug)?;
    let listener = Listener::bind(&config.listen).await?;
    let address = listener.address();
    let url = match &config.public_url {
        Some(url) => url.clone(),
        None => match config.listen.tls {
            Some(_) => own_url("https", address),
            None => own_url("http", address),
        },
    };
    let clock = Clock::default();
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .tcp_nodelay(true)
        .no_proxy()
        .build()
        .map_err(StartError::Client)?;
    let shared = Arc::new(Shared::new(Parts {
        records: Records::open(&config.data, bot, clock.now())?,
        app: config.app.clone(),
        app_key,
        urls: Urls::new(&url),
        clock,
        supervisor: supervisor.clone(),
        client,
        data: config.data.clone(),
        backend,
        reach: reach(address, &url),
        known_tokens: known_tokens(&config),
    }));
    shared.secondary.enforce(config.secondary_limits);
    let forge = Forge {
        shared: Arc::clone(&shared),
    };
    people::remove_leftovers(&shared)
        .await
        .map_err(StartError::Leftover)?;
    fill(&forge, &config).await?;
    push::catch_up(&shared).await;
    queue::advance_all(&shared).await;
    shared.recorded().await?;
    send::resume(&shared);
    supervisor.spawn_until_shutdown("forge stale runs", end_overdue_runs(Arc::clone(&shared)));
    let watched = Arc::clone(&shared);
    supervisor.spawn_until_shutdown("forge records", async move {
        watched.broken_off().await;
        panic!("a panic broke off a change of the records");
    });
    let queues = queue::attend(Arc::clone(&shared));
    supervisor.spawn_until_shutdown("forge merge queues", queues);
    listener.serve(supervisor, "forge", router(shared));
    Ok(Running { address, forge })
}

/// How often the forge looks for check runs that were unfinished for too long.
const LOOK: Duration = Duration::from_secs(3600);

async fn end_overdue_runs(shared: Arc<Shared>) {
    loop {
        let now = shared.clock.now();
        shared.lock().end_overdue_runs(now);
        shared.changed();
        tokio::time::sleep(LOOK).await;
    }
}

/// Only this machine reaches a forge that listens on loopback, unless something there passes on
/// what comes in by the name of another address.
fn reach(address: SocketAddr, url: &Url) -> Reach {
    let is_own = match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    };
    if address.ip().is_loopback() && is_own {
        Reach::Local
    } else {
        Reach::Remote
    }
}

/// The tokens that the configuration chose, which are known in clear.
fn known_tokens(config: &Config) -> BTreeMap<String, SecretString> {
    let users = config.users.iter();
    users
        .filter_map(|(login, user)| Some((login.to_ascii_lowercase(), user.token.clone()?)))
        .collect()
}

fn own_url(scheme: &str, address: SocketAddr) -> Url {
    Url::parse(&format!("{scheme}://{address}")).expect("a scheme and an address are a URL")
}

/// All that the forge answers.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/{owner}/{repo}/info/refs", get(smart::info_refs))
        .route("/{owner}/{repo}/git-upload-pack", post(smart::upload_pack))
        .route(
            "/{owner}/{repo}/git-receive-pack",
            post(smart::receive_pack),
        )
        .with_state(Arc::clone(&shared))
        .merge(page::router(Arc::clone(&shared)))
        .nest(rest::BASE, rest::router(Arc::clone(&shared)))
        .layer(from_fn_with_state(shared, answer_when_recorded))
}

/// The middleware around all that the forge answers: nobody is told what a crash would undo, be it
/// what they did or what they see.
async fn answer_when_recorded(
    State(shared): State<Arc<Shared>>,
    request: Request,
    next: Next,
) -> Response {
    let response = next.run(request).await;
    match shared.recorded().await {
        Ok(()) => response,
        Err(error) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "a request is not answered"
            );
            let text = "The forge cannot write its records; its log says why. Try again later.\n";
            (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
        }
    }
}

/// Makes the organisations, people and repositories of the configuration that are not there yet,
/// and sees to tokens and roles as it has them. What it does not name any more stays.
async fn fill(forge: &Forge, config: &Config) -> Result<(), StartError> {
    let named = |what: String| move |source| StartError::Content { what, source };
    for login in &config.organisations {
        // The App may have been taken away from one that is there, and that stays so.
        if is_organisation(forge, login) {
            continue;
        }
        forge
            .ensure_organisation(login.as_str())
            .map_err(named(format!("the organisation {login}")))?;
    }
    let mut tokens = BTreeMap::new();
    let mut give = |user: &User, id| {
        if let Some(token) = &user.token {
            tokens.insert(TokenDigest::of(token.expose_secret()), id);
        }
    };
    for (login, user) in &config.users {
        let id = forge
            .ensure_user(login)
            .map_err(named(format!("the user {login}")))?;
        give(user, id);
    }
    for (slug, user) in &config.bots {
        let id = forge
            .ensure_bot(slug)
            .map_err(named(format!("the bot {slug}")))?;
        give(user, id);
    }
    forge.shared.lock().tokens.configure(&tokens);
    for name in config.repository_names()? {
        let settings = &config.repositories[&name.to_string()];
        let what = format!("the repository {name}");
        let id = forge
            .ensure_repository_on(&name.to_string(), settings.default_branch.clone())
            .await
            .map_err(named(what.clone()))?;
        // It may have been renamed.
        let name = {
            let state = forge.shared.lock();
            state.full_name(state.repository(id)).to_string()
        };
        for (login, role) in &settings.roles {
            forge
                .set_role(&name, login, role.clone())
                .map_err(named(what.clone()))?;
        }
    }
    Ok(())
}

fn is_organisation(forge: &Forge, login: &Login) -> bool {
    let found = forge.find_account(login.as_str());
    found.is_some_and(|account| account.kind == Kind::Organisation)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::App;
    use crate::id::AccountId;

    /// The longest that anything here takes.
    const LIMIT: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_forge_whose_change_panics_stops() {
        let folder = tempfile::tempdir().unwrap();
        let supervisor = Supervisor::new();
        let key = include_str!("../tests/suite/app.pub.pem").to_owned();
        let app = App::new(key, "a secret".into());
        let config = Config::loopback(folder.path().to_owned(), app);
        let running = start(config, &supervisor).await.unwrap();
        let shared = Arc::clone(&running.forge.shared);
        let reader = Arc::clone(&shared);
        for request in [
            std::thread::spawn(move || {
                let _state = reader.lock();
                panic!("while it only reads");
            }),
            std::thread::spawn(move || {
                let _id: AccountId = shared.lock().next_id();
                let mut state = shared.lock();
                let _id: AccountId = state.next_id();
                panic!("in the middle of a change");
            }),
        ] {
            assert!(!supervisor.token().is_cancelled());
            assert!(request.join().is_err());
        }
        let token = supervisor.token();
        let stopped = tokio::time::timeout(LIMIT, token.cancelled()).await;
        stopped.expect("the forge stops");
        assert_eq!(supervisor.shutdown(LIMIT).await, [""; 0]);
        assert_eq!(supervisor.find_failed(), Some("forge records"));
    }
}
