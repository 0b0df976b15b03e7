//! What a start does before anything is answered.

use std::collections::BTreeSet;

use super::{Failure, Repository};

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
            self.project(channel)?;
            if !imports.is_empty() {
                tracing::info!(channel = %channel.name, imports = imports.len(), "resuming imports");
            }
            open.extend(imports);
        }
        Ok(self.tree.keep_staging(&open)?)
    }
}
