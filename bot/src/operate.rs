//! The commands of an operator to a running summit. They go through its API, signed with summit's own
//! key: whoever can read the key is an operator. One process at a time has the database.

use std::io::Write;

use api::claims::Scope;
use api::operator::{LetGo, Replay, UnreadDelivery};
use api::status;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use service::auth::{KeyError, ServiceKey};
use service::client::{CallError, Client};
use url::Url;

use crate::config::Config;

/// What an operator asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// The list of deliveries that could not be read.
    Deliveries {
        /// How it is written.
        form: Form,
    },
    /// To read deliveries again that could not be read.
    Replay(Which),
    /// To let go of repositories that wait for an operator's word.
    LetGo(Which),
}

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Which of the things that wait for an operator are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// All.
    All,
    /// Those with these names.
    Named(Vec<String>),
}

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum OperateError {
    /// summit's key cannot be used.
    #[error("cannot sign as an operator with summit's key")]
    Key(#[from] KeyError),
    /// summit has no key yet.
    #[error("there is no key {}: summit makes it at its first start", path.display())]
    NoKey {
        /// The file.
        path: std::path::PathBuf,
    },
    /// The listener's address makes no URL.
    #[error("cannot make summit's URL")]
    Url(#[from] url::ParseError),
    /// summit did not do it.
    #[error("summit did not do it")]
    Call(#[from] CallError),
    /// Deliveries still cannot be read.
    #[error("{0} still cannot be read; their bodies stay")]
    Unread(usize),
    /// The answer cannot be written.
    #[error("cannot write the answer")]
    Write(#[from] std::io::Error),
}

/// Sends what an operator asks for to the summit of `config`, and writes the answer. `url` is where
/// summit is; without it, that is its public URL, or the address of its listener.
///
/// # Errors
/// When summit cannot be reached or refuses.
pub async fn operate(
    config: &Config,
    url: Option<Url>,
    ask: Ask,
    out: &mut impl Write,
) -> Result<(), OperateError> {
    let client = open(config, url)?;
    match ask {
        Ask::Deliveries { form } => {
            let unread = unread(&client).await?;
            match form {
                Form::Json => writeln!(out, "{}", serde_json::json!(unread))?,
                Form::Text => write_deliveries(&unread, out)?,
            }
            Ok(())
        }
        Ask::Replay(which) => replay(&client, which, out).await,
        Ask::LetGo(which) => let_go(&client, which, out).await,
    }
}

fn open(config: &Config, url: Option<Url>) -> Result<Client, OperateError> {
    let path = &config.key;
    if !path.exists() {
        return Err(OperateError::NoKey { path: path.clone() });
    }
    let key = ServiceKey::load_or_create(config.name.clone(), path)?;
    let url = match url.or_else(|| config.public_url.clone()) {
        Some(url) => url,
        None => {
            let scheme = match config.listen.tls {
                Some(_) => "https",
                None => "http",
            };
            Url::parse(&format!("{scheme}://{}/", config.listen.address))?
        }
    };
    Ok(Client::new(key, config.name.clone(), url))
}

async fn unread(client: &Client) -> Result<Vec<UnreadDelivery>, CallError> {
    client.get(Scope::Operate, "api/v1/deliveries").await
}

fn write_deliveries(unread: &[UnreadDelivery], out: &mut impl Write) -> std::io::Result<()> {
    for delivery in unread {
        let UnreadDelivery {
            guid,
            event,
            received_at,
            reason,
        } = delivery;
        writeln!(out, "{guid}  {event}  {received_at}  {reason}")?;
    }
    Ok(())
}

async fn replay(client: &Client, which: Which, out: &mut impl Write) -> Result<(), OperateError> {
    let guids = match which {
        Which::Named(guids) => guids,
        Which::All => {
            let unread = unread(client).await?.into_iter();
            unread.map(|delivery| delivery.guid).collect()
        }
    };
    let mut still_unread = 0;
    for guid in guids {
        let guid = utf8_percent_encode(&guid, NON_ALPHANUMERIC);
        let path = format!("api/v1/deliveries/{guid}/replay");
        let replay: Replay = client.post(Scope::Operate, &path, &()).await?;
        still_unread += usize::from(!replay.is_read);
        writeln!(out, "{}  {}", replay.guid, replay.outcome)?;
    }
    match still_unread {
        0 => Ok(()),
        count => Err(OperateError::Unread(count)),
    }
}

async fn let_go(client: &Client, which: Which, out: &mut impl Write) -> Result<(), OperateError> {
    let repositories = match which {
        Which::Named(names) => names,
        Which::All => {
            let status: status::Summit = client.get(Scope::Status, "api/v1/status").await?;
            status.missing.into_keys().collect()
        }
    };
    let path = "api/v1/repositories/let-go";
    let gone: LetGo = client
        .post(Scope::Operate, path, &LetGo { repositories })
        .await?;
    for name in gone.repositories {
        writeln!(out, "{name}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
