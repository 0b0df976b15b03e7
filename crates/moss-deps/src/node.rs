//! What the graph has to know about one recipe.

use moss_format::dependency::{Error, Kind};
use moss_format::{Dependency, Manifest, Provider};

/// A recipe that is to be built: what its build needs, and what its packages run with and provide.
#[derive(Debug, Clone)]
pub struct Node<Id> {
    pub(crate) id: Id,
    pub(crate) needs: Vec<Dependency>,
    pub(crate) runs_with: Vec<Dependency>,
    pub(crate) provides: Vec<Provider>,
}

impl<Id> Node<Id> {
    /// A recipe that needs, runs with and provides nothing yet.
    pub fn new(id: Id) -> Self {
        Self {
            id,
            needs: Vec::new(),
            runs_with: Vec::new(),
            provides: Vec::new(),
        }
    }

    /// Adds needs, such as the recipe's builddeps and checkdeps.
    #[must_use]
    pub fn needs(mut self, needs: impl IntoIterator<Item = Dependency>) -> Self {
        self.needs.extend(needs);
        self
    }

    /// Adds dependencies that the recipe's packages have at run time, such as the sonames of the
    /// libraries they were linked with. They are no edges: nothing has to be built before the
    /// recipe for their sake.
    #[must_use]
    pub fn runs_with(mut self, dependencies: impl IntoIterator<Item = Dependency>) -> Self {
        self.runs_with.extend(dependencies);
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

    /// Adds what the last build's manifest tells: the needs of the build, and the names, run-time
    /// dependencies and providers of the packages.
    ///
    /// # Errors
    ///
    /// When a package of the manifest has an impossible name.
    pub fn manifest(mut self, manifest: &Manifest) -> Result<Self, Error> {
        for package in &manifest.packages {
            self = self.package(&package.name)?;
            self.needs.extend(package.build_depends.iter().cloned());
            self.runs_with.extend(package.depends.iter().cloned());
            self.provides.extend(package.provides.iter().cloned());
        }
        Ok(self)
    }
}
