//! The C library of this machine, as a package of the channel.
//!
//! Every program needs a loader and a C library, and until there is a base channel no recipe makes
//! one: a client would refuse all that is published. So a line begins with a package of the host's,
//! which says that it is that. It is made by avalanche's own analysis, like any other, and vessel takes it
//! by an import like any other.
//!
//! What the channel has decides what is done: nothing when its package has the same bytes, and a
//! higher release when it has others, because the machine has another glibc now.

mod find;
mod make;

use std::path::PathBuf;
use std::time::Duration;

use api::claims::Scope;
use api::id::{BuildId, CommitSha, ImportId};
use api::import::{BuildStones, Import, Order, Refusal, State, Stone};
use moss_format::Meta;
use moss_root::IndexFault;
use service::Supervisor;
use service::client::{CallError, Client};
use url::Url;

use crate::distfiles;

pub use find::{Error as FindError, Glibc, LOADER};
pub use make::Error as MakeError;

/// The package, and its source.
pub const NAME: &str = "host-glibc";

/// How long vessel may take to publish it.
const LIMIT: Duration = Duration::from_secs(120);

/// What became of the package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Provided {
    /// It is new in the channel: what it is called.
    Imported(String),
    /// The channel had the very same one.
    Present(String),
}

/// The channel has no package of the host's C library.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The host's C library is not where it should be.
    #[error("cannot find the C library of this machine")]
    Find(#[from] FindError),
    /// It cannot be packaged.
    #[error("cannot package the C library of this machine")]
    Make(#[from] MakeError),
    /// What the channel has is not known.
    #[error("cannot read what the channel has")]
    Index(#[from] IndexFault),
    /// vessel could not fetch it.
    #[error("cannot serve the package of the C library to vessel")]
    Serve(#[from] distfiles::Error),
    /// Its address makes no URL.
    #[error("an address makes no URL")]
    Url(#[from] url::ParseError),
    /// vessel does not answer.
    #[error("vessel cannot be asked to import the C library")]
    Call(#[from] CallError),
    /// vessel does not take it.
    #[error("vessel refuses the C library: {}", .0.message)]
    Refused(Refusal),
    /// vessel does not get it done.
    #[error("vessel did not publish the C library within {} s: {last}", LIMIT.as_secs())]
    Slow {
        /// Where it stood last.
        last: String,
    },
    /// The process ends.
    #[error("packaging the C library was stopped because the process ends")]
    Cancelled,
}

/// Where the package comes from and goes to.
#[derive(Debug)]
pub struct Place<'a> {
    /// The index of the channel's packages.
    pub index: &'a Url,
    /// vessel, and a key with which it takes imports.
    pub vessel: &'a Client,
    /// A folder for the stone, for as long as vessel needs it; what is in it goes.
    pub folder: PathBuf,
    /// The loader of the host's programs.
    pub loader: PathBuf,
}

/// Has the channel hold a package of the host's C library.
///
/// # Errors
/// When the host has none that can be packaged, or vessel does not take it.
pub async fn provide(place: &Place<'_>, supervisor: &Supervisor) -> Result<Provided, Error> {
    let provided = make_and_import(place, supervisor).await?;
    // vessel has what it needs.
    make::remove(place.folder.clone()).await?;
    Ok(provided)
}

async fn make_and_import(place: &Place<'_>, supervisor: &Supervisor) -> Result<Provided, Error> {
    let standing = find_standing(place.index).await?;
    let release = standing.as_ref().map_or(1, |meta| meta.release);
    let loader = place.loader.clone();
    let glibc = make::blocking(move || Ok(Glibc::find(&loader)?)).await?;
    let folder = place.folder.clone();
    let mut made = make::make(glibc.clone(), release, folder.clone()).await?;
    if let Some(standing) = standing {
        if standing.hash.as_deref() == Some(&made.sha256.to_string()) {
            return Ok(Provided::Present(made.name()));
        }
        made = make::make(glibc, release + 1, folder).await?;
    }
    import(place, supervisor, &made).await?;
    Ok(Provided::Imported(made.name()))
}

/// The package that the channel has; none where nothing was published yet.
async fn find_standing(index: &Url) -> Result<Option<Meta>, IndexFault> {
    match moss_root::read_index(index).await {
        Ok(packages) => Ok(packages.into_iter().find(|meta| meta.name == NAME)),
        Err(IndexFault::Status(status)) if status.as_u16() == 404 => Ok(None),
        Err(fault) => Err(fault),
    }
}

async fn import(
    place: &Place<'_>,
    supervisor: &Supervisor,
    made: &make::Made,
) -> Result<(), Error> {
    let mirror = distfiles::serve(&made.folder, 0, supervisor).await?;
    let uri = mirror.pattern.replace("{sha256}", &made.sha256.to_string());
    let order = Order {
        channel: "main".parse().expect("a valid name"),
        builds: vec![BuildStones {
            build: BuildId::new(),
            recipe: NAME.parse().expect("a valid name"),
            // As git writes it where there is none.
            commit: CommitSha::from_bytes([0; 20]),
            stones: vec![Stone {
                file_name: made.file_name.clone(),
                uri: uri.parse()?,
                sha256: made.sha256,
                size: made.size,
            }],
        }],
    };
    let mut last = "it was not asked yet".to_owned();
    match tokio::time::timeout(LIMIT, follow(place.vessel, &order, &mut last)).await {
        Ok(followed) => followed,
        Err(_) => Err(Error::Slow { last }),
    }
}

/// Orders the import and waits for its end; `last` says where it stands.
async fn follow(vessel: &Client, order: &Order, last: &mut String) -> Result<(), Error> {
    let path = format!("/api/v1/imports/{}", ImportId::new());
    let mut import: Import = vessel.put(Scope::Imports, &path, order).await?;
    loop {
        match import.state {
            State::Published { .. } => return Ok(()),
            State::Refused { refusal, .. } => return Err(Error::Refused(refusal)),
            State::Waiting { on, .. } => *last = on,
            State::Accepted { .. } | State::Fetching { .. } | State::Publishing => {
                "it is at work".clone_into(last);
            }
        }
        let path = format!("{path}?after={}", import.seq);
        import = vessel.get(Scope::Imports, &path).await?;
    }
}
