//! Is the fetched file, whose digest is right, a sound stone, and what the order says?

use std::error::Error;
use std::fs::File;
use std::io::BufReader;

use api::id::{Architecture, RecipeName};
use api::import::{Refusal, RefusalReason, Stone};
use moss_fetcher::Fetched;
use moss_format::index::Entry;
use moss_format::package::ReadError;
use service::error::Chain;

use super::Failure;
use super::compose;
use super::work::Stop;
use crate::domain::arrival::{check_claims, refuse};
use crate::domain::package::Package;

/// A stone that was verified: its bytes hash to what the order names, all its checksums and content
/// digests hold, it says of itself what the order says, and an index can name it.
#[derive(Debug, Clone)]
pub(super) struct Verified {
    package: Package,
    entry: Entry,
}

impl Verified {
    /// The package that the stone holds.
    pub(super) fn package(&self) -> &Package {
        &self.package
    }

    /// Its metadata as it stands in an index.
    pub(super) fn entry(&self) -> &Entry {
        &self.entry
    }
}

/// Verifies a fetched file as `stone` of `recipe`. Blocks.
///
/// # Errors
/// Why the stone is not taken; or that it cannot be read now, which says nothing about it.
pub(super) fn verify(
    fetched: &Fetched,
    stone: &Stone,
    recipe: &RecipeName,
    architectures: &[Architecture],
) -> Result<Verified, Stop> {
    let file = File::open(&fetched.path).map_err(|error| unreadable(stone, &error))?;
    let mut read = moss_format::package::Package::open(BufReader::new(file))
        .map_err(|error| unsound(stone, &error))?;
    let package = Package::new(read.meta(), stone.sha256, fetched.size)
        .map_err(|error| invalid(stone, &error))?;
    check_claims(stone, recipe, architectures, &package)?;
    read.verify().map_err(|error| unsound(stone, &error))?;
    let entry = compose::entry(read.meta(), &package).map_err(|error| invalid(stone, &error))?;
    Ok(Verified { package, entry })
}

fn unsound(stone: &Stone, error: &ReadError) -> Stop {
    if matches!(
        error,
        ReadError::Stone(moss_format::stone::Error::Io { .. })
    ) {
        return unreadable(stone, error);
    }
    Stop::Refused(invalid(stone, error))
}

fn invalid(stone: &Stone, error: &(dyn Error + 'static)) -> Refusal {
    let message = format!(
        "the stone {} cannot be taken: {}",
        stone.file_name,
        Chain(error)
    );
    refuse(RefusalReason::StoneInvalid, &stone.file_name, message)
}

fn unreadable(stone: &Stone, error: &(dyn Error + 'static)) -> Stop {
    Stop::Failed(Failure::Staged {
        file_name: stone.file_name.to_string(),
        reason: Chain(error).to_string(),
    })
}
