//! What a start does before anything is answered.

use std::collections::BTreeSet;

use super::{Channel, Failure, Repository};

impl Repository {
    /// Removes what a crash left that nobody names, and makes the public files say what the
    /// database says. Imports that are not final are begun again by the channels' workers. Blocks.
    ///
    /// # Errors
    /// When the database or a file fails: then the service must not start.
    pub(crate) fn repair(&self) -> Result<(), Failure> {
        let mut open = Vec::new();
        for channel in self.channels.values() {
            let (standing, imports) = self.environment.read(|txn| {
                let standing = self.tables.standing(txn, &channel.name)?;
                Ok::<_, Failure>((standing, self.tables.open_imports(txn, &channel.name)?))
            })?;
            let known: BTreeSet<_> = standing
                .histories
                .iter()
                .map(|history| &history.id)
                .collect();
            self.tree.keep_histories(&channel.name, &known)?;
            self.clear_pool(channel)?;
            self.project(channel)?;
            if !imports.is_empty() {
                tracing::info!(channel = %channel.name, imports = imports.len(), "resuming imports");
            }
            open.extend(imports);
        }
        Ok(self.tree.keep_staging(&open)?)
    }

    /// Takes the stones out of the pool that refused imports left there: an import that a crash
    /// stopped between the pool and its commit may be refused later. Only the worker of the channel
    /// may do this, or the start before there is one: nobody else puts stones into its pool then.
    /// Blocks.
    pub(super) fn clear_pool(&self, channel: &Channel) -> Result<(), Failure> {
        let claims = self
            .environment
            .read(|txn| Ok::<_, Failure>(self.tables.claims(txn, &channel.name)?))?;
        for (place, sha256) in claims.left_over() {
            if self.tree.take_away(&channel.name, &place, sha256)? {
                tracing::info!(
                    channel = %channel.name,
                    stone = %place,
                    "took a stone away that was never published"
                );
            }
        }
        Ok(())
    }
}
