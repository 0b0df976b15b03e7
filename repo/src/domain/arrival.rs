//! Which packages a channel takes.
//!
//! The rules are per name and architecture, against what the channel holds when the import's turn
//! has come, without what [leaves](super::change) it for this import: a lower release is refused;
//! the same release with the same bytes is nothing new; the same release with other bytes is refused
//! unless its build release is higher; a name belongs to one recipe. Per recipe and architecture:
//! what is new must not be older than the newest build that the channel has, or what left it would
//! come back. And per import: no two packages with one name and architecture.

use std::collections::{BTreeMap, BTreeSet};

use api::id::{Architecture, FileName, RecipeName};
use api::import::{Refusal, RefusalReason, Stone};

use super::change::{Change, Newest, leaving};
use super::package::{Name, Package};

/// What tells the packages of a channel apart.
pub(crate) type Slot = (Architecture, Name);

/// The packages of a channel.
pub(crate) type Packages = BTreeMap<Slot, Package>;

/// The most packages that an index can name: the container counts them in 16 bits.
pub(crate) const MAX_PACKAGES: usize = moss_format::stone::MAX_PAYLOADS;

/// What becomes of a package that the channel takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// The channel had none of this name.
    New,
    /// It takes the place of a lower release.
    Upgrade,
    /// It takes the place of a lower build of the same release.
    Rebuild,
    /// The channel has the very same stone.
    Same,
}

/// What an import changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Admission {
    /// The channel has every stone already, and none that leaves.
    Nothing,
    /// Packages come or leave.
    Changes(Change),
}

/// The slot that a package takes.
pub(crate) fn slot(package: &Package) -> Slot {
    (package.architecture().clone(), package.name().clone())
}

/// Does the channel, which holds `packages`, take those that arrive in one import?
///
/// # Errors
/// Why not, and about which stone. The first reason found, in the order of arrival.
pub(crate) fn admit(packages: &Packages, arriving: &[Package]) -> Result<Admission, Refusal> {
    let mut seen = BTreeMap::new();
    for package in arriving {
        if let Some(first) = seen.insert(slot(package), package.file_name()) {
            return Err(duplicate(package, first));
        }
    }
    // All that leaves does before anything comes: the order of arrival does not matter.
    let leaving = leaving(packages, arriving);
    let left: BTreeSet<Slot> = leaving.iter().map(slot).collect();
    let newest = Newest::of(packages.values());
    let mut coming = Vec::new();
    for package in arriving {
        let slot = slot(package);
        let standing = packages.get(&slot).filter(|_| !left.contains(&slot));
        match judge(standing, package)? {
            Arrival::New | Arrival::Upgrade | Arrival::Rebuild => {
                check_age(newest.find(package), package)?;
                coming.push(package.clone());
            }
            Arrival::Same => {}
        }
    }
    let change = Change { coming, leaving };
    if change.is_nothing() {
        return Ok(Admission::Nothing);
    }
    check_room(packages, &change)?;
    Ok(Admission::Changes(change))
}

/// Is a package that comes at least as new as the newest of its recipe in the channel?
fn check_age(newest: Option<&Package>, coming: &Package) -> Result<(), Refusal> {
    match newest {
        Some(newest) if coming.age() < newest.age() => Err(refusal(
            RefusalReason::ReleaseLower,
            coming,
            format!(
                "the channel has release {} of the recipe {}, which is higher than {}",
                newest.age(),
                coming.source(),
                coming.age()
            ),
        )),
        Some(_) | None => Ok(()),
    }
}

/// What becomes of one arriving package, given the one that stands in its slot.
///
/// # Errors
/// Why the channel does not take it.
pub(crate) fn judge(standing: Option<&Package>, arriving: &Package) -> Result<Arrival, Refusal> {
    let Some(standing) = standing else {
        return Ok(Arrival::New);
    };
    if standing.source() != arriving.source() {
        return Err(refusal(
            RefusalReason::SourceMismatch,
            arriving,
            format!(
                "the package {} belongs to the recipe {standing}, not to {}: first publish a \
                 release of {standing} that does not make it, or both together",
                arriving.name(),
                arriving.source(),
                standing = standing.source(),
            ),
        ));
    }
    match arriving.release().cmp(&standing.release()) {
        std::cmp::Ordering::Greater => Ok(Arrival::Upgrade),
        std::cmp::Ordering::Less => Err(refusal(
            RefusalReason::ReleaseLower,
            arriving,
            format!(
                "the channel has release {} of {}, which is higher than {}",
                standing.release(),
                arriving.name(),
                arriving.release()
            ),
        )),
        std::cmp::Ordering::Equal if standing.sha256() == arriving.sha256() => Ok(Arrival::Same),
        std::cmp::Ordering::Equal if arriving.build_release() > standing.build_release() => {
            Ok(Arrival::Rebuild)
        }
        std::cmp::Ordering::Equal => Err(refusal(
            RefusalReason::ReleaseTaken,
            arriving,
            format!(
                "the channel has other bytes of {} {}-{}, build {}, and build {} is not higher",
                arriving.name(),
                standing.version(),
                standing.release(),
                standing.build_release(),
                arriving.build_release()
            ),
        )),
    }
}

/// Is the package what the order says that the stone is?
///
/// # Errors
/// When its name, recipe, architecture or size is another.
pub(crate) fn check_claims(
    stone: &Stone,
    recipe: &RecipeName,
    architectures: &[Architecture],
    package: &Package,
) -> Result<(), Refusal> {
    let mismatch = |message| {
        Err(refuse(
            RefusalReason::StoneMismatch,
            &stone.file_name,
            message,
        ))
    };
    if package.file_name() != &stone.file_name {
        return mismatch(format!(
            "by its metadata the stone is {}, but the order calls it {}",
            package.file_name(),
            stone.file_name
        ));
    }
    if package.source() != recipe {
        return mismatch(format!(
            "the stone {} was built from the recipe {}, but the order says {recipe}",
            stone.file_name,
            package.source()
        ));
    }
    if !architectures.contains(package.architecture()) {
        return mismatch(format!(
            "the stone {} is for {}, which the channel does not hold",
            stone.file_name,
            package.architecture()
        ));
    }
    if package.size() != stone.size {
        return mismatch(format!(
            "the stone {} has {} bytes, but the order says {}",
            stone.file_name,
            package.size(),
            stone.size
        ));
    }
    Ok(())
}

/// Do the stones of an order have names of their own? They are fetched under these.
///
/// # Errors
/// When two have one name.
pub(crate) fn check_file_names<'a>(
    stones: impl IntoIterator<Item = &'a Stone>,
) -> Result<(), Refusal> {
    let mut seen = BTreeSet::new();
    match stones
        .into_iter()
        .find(|stone| !seen.insert(&stone.file_name))
    {
        None => Ok(()),
        Some(stone) => {
            let message = format!("the order names the stone {} twice", stone.file_name);
            Err(refuse(
                RefusalReason::DuplicateName,
                &stone.file_name,
                message,
            ))
        }
    }
}

/// A refusal that is about one stone.
pub(crate) fn refuse(
    reason: RefusalReason,
    file_name: &FileName,
    message: impl Into<String>,
) -> Refusal {
    Refusal {
        reason,
        file_name: Some(file_name.clone()),
        message: message.into(),
    }
}

fn refusal(reason: RefusalReason, package: &Package, message: String) -> Refusal {
    refuse(reason, package.file_name(), message)
}

fn duplicate(package: &Package, first: &FileName) -> Refusal {
    refusal(
        RefusalReason::DuplicateName,
        package,
        format!(
            "the import has two packages {} for {}: {first} and {}",
            package.name(),
            package.architecture(),
            package.file_name()
        ),
    )
}

/// An index holds the packages of one architecture.
fn check_room(packages: &Packages, change: &Change) -> Result<(), Refusal> {
    let left: BTreeSet<Slot> = change.leaving.iter().map(slot).collect();
    let stays = |slot: &Slot| packages.contains_key(slot) && !left.contains(slot);
    let mut counts: BTreeMap<&Architecture, usize> = BTreeMap::new();
    for (architecture, _) in packages.keys().filter(|slot| stays(slot)) {
        *counts.entry(architecture).or_default() += 1;
    }
    for package in change
        .coming
        .iter()
        .filter(|package| !stays(&slot(package)))
    {
        let count = counts.entry(package.architecture()).or_default();
        *count += 1;
        if *count > MAX_PACKAGES {
            return Err(refusal(
                RefusalReason::ChannelFull,
                package,
                format!(
                    "the channel holds {MAX_PACKAGES} packages for {}, the most that an index can name",
                    package.architecture()
                ),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
