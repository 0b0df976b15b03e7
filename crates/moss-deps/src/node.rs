//! What the graph has to know about one recipe.

use moss_format::dependency::{Error, Kind};
use moss_format::{Dependency, Manifest, Provider};

/// A recipe that is to be built: what its build needs and what its packages provide.
#[derive(Debug, Clone)]
pub struct Node<Id> {
    pub(crate) id: Id,
    pub(crate) needs: Vec<Dependency>,
    pub(crate) provides: Vec<Provider>,
}

impl<Id> Node<Id> {
    /// A recipe that needs and provides nothing yet.
    pub fn new(id: Id) -> Self {
        Self {
            id,
            needs: Vec::new(),
            provides: Vec::new(),
        }
    }

    /// Adds needs, such as the recipe's builddeps and checkdeps.
    #[must_use]
    pub fn needs(mut self, needs: impl IntoIterator<Item = Dependency>) -> Self {
        self.needs.extend(needs);
        self
    }

    /// Adds what the recipe provides.
    #[must_use]
    pub fn provides(mut self, provides: impl IntoIterator<Item = Provider>) -> Self {
        self.provides.extend(provides);
        self
    }

    /// Adds a package by its name alone, which is what is known of a recipe that was never
    /// built.
    ///
    /// # Errors
    ///
    /// When no package can have the name.
    pub fn package(mut self, name: &str) -> Result<Self, Error> {
        self.provides.push(Provider::new(Kind::PackageName, name)?);
        Ok(self)
    }

    /// Adds what the last build's manifest tells: the needs of the build, and the names and
    /// providers of the packages.
    ///
    /// # Errors
    ///
    /// When a package of the manifest has an impossible name.
    pub fn manifest(mut self, manifest: &Manifest) -> Result<Self, Error> {
        for package in &manifest.packages {
            self = self.package(&package.name)?;
            self.needs.extend(package.build_depends.iter().cloned());
            self.provides.extend(package.provides.iter().cloned());
        }
        Ok(self)
    }
}
