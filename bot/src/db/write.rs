//! A transaction that remembers which builds it wrote: for what is kept in memory of them.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use api::id::BuildId;
use moss_db::RwTxn;

use crate::domain::build::Build;

/// A transaction, and what it has changed. It reads and writes all tables as one of moss-db does.
pub struct Write<'txn, 'env> {
    txn: &'txn mut RwTxn<'env>,
    written: Written,
}

/// What a transaction has changed, for those who hear of it after the commit.
#[derive(Debug, Default)]
pub struct Written {
    /// The builds, as they are now; none for one that was forgotten.
    pub builds: BTreeMap<BuildId, Option<Arc<Build>>>,
    /// Whether something is to be done outside.
    pub has_effects: bool,
}

impl<'txn, 'env> Write<'txn, 'env> {
    /// Begins to remember.
    pub fn new(txn: &'txn mut RwTxn<'env>) -> Self {
        Self {
            txn,
            written: Written::default(),
        }
    }

    /// What was changed.
    pub fn into_written(self) -> Written {
        self.written
    }

    pub(super) fn note_build(&mut self, id: BuildId, now: Option<Build>) {
        self.written.builds.insert(id, now.map(Arc::new));
    }

    pub(super) fn note_effect(&mut self) {
        self.written.has_effects = true;
    }
}

impl<'env> Deref for Write<'_, 'env> {
    type Target = RwTxn<'env>;

    fn deref(&self) -> &Self::Target {
        self.txn
    }
}

impl DerefMut for Write<'_, '_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        self.txn
    }
}
