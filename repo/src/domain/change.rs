//! What an import does to the packages of a channel: some come, and some leave.
//!
//! What a recipe makes is what its newest build made. So when an import brings a newer build of a
//! recipe, the packages that the channel has from older ones leave, unless the import brings them
//! again: they were dropped, or another recipe makes them now. Each recipe is taken by itself, and
//! each architecture, since a recipe need not be built for all of them at once.
//!
//! They leave the channel only. The histories before name them for good, and their stones stay.

use std::collections::{BTreeMap, BTreeSet};

use api::id::{Architecture, RecipeName};

use super::arrival::{Packages, Slot, slot};
use super::package::{Age, Package};

/// What an import changes in a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    /// These are new or take the place of others.
    pub(crate) coming: Vec<Package>,
    /// These are made by their recipes no more. One that comes may have the name of one that leaves.
    pub(crate) leaving: Vec<Package>,
}

impl Change {
    /// True when all stays as it is.
    pub(crate) fn is_nothing(&self) -> bool {
        self.coming.is_empty() && self.leaving.is_empty()
    }

    /// Makes of a channel's packages what they are after this.
    pub(crate) fn apply(&self, packages: &mut Packages) {
        for package in &self.leaving {
            packages.remove(&slot(package));
        }
        for package in &self.coming {
            packages.insert(slot(package), package.clone());
        }
    }
}

/// The newest build of each recipe, for each architecture, among some packages.
pub(crate) struct Newest<'a>(BTreeMap<(&'a RecipeName, &'a Architecture), &'a Package>);

impl<'a> Newest<'a> {
    /// Of these packages.
    pub(crate) fn of(packages: impl IntoIterator<Item = &'a Package>) -> Self {
        let mut newest: BTreeMap<_, &Package> = BTreeMap::new();
        for package in packages {
            let known = newest.entry(key(package)).or_insert(package);
            if package.age() > known.age() {
                *known = package;
            }
        }
        Self(newest)
    }

    /// The newest of those that are of the same recipe, and for the same architecture, as `package`.
    pub(crate) fn find(&self, package: &Package) -> Option<&'a Package> {
        self.0.get(&key(package)).copied()
    }

    fn age(&self, package: &Package) -> Option<Age> {
        Some(self.find(package)?.age())
    }
}

fn key(package: &Package) -> (&RecipeName, &Architecture) {
    (package.source(), package.architecture())
}

/// The packages of the channel that leave when all of `arriving` come.
pub(crate) fn leaving(packages: &Packages, arriving: &[Package]) -> Vec<Package> {
    let newest = Newest::of(arriving);
    let brought: BTreeSet<(&RecipeName, Slot)> = arriving
        .iter()
        .map(|package| (package.source(), slot(package)))
        .collect();
    let leaves = |package: &&Package| {
        newest.age(package).is_some_and(|age| package.age() < age)
            && !brought.contains(&(package.source(), slot(package)))
    };
    packages.values().filter(leaves).cloned().collect()
}

#[cfg(test)]
mod tests;
