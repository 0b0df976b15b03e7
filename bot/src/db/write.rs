//! A write transaction that records the builds it writes, so that the cache in memory can follow.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use api::id::BuildId;
use moss_db::RwTxn;

use crate::domain::build::Build;
use crate::domain::head::HeadId;

/// A write transaction with a record of its changes. It derefs to moss-db's transaction.
pub struct Write<'txn, 'env> {
    txn: &'txn mut RwTxn<'env>,
    written: Written,
}

/// The changes of a transaction, for the workers that learn of them after the commit.
#[derive(Debug, Default)]
pub struct Written {
    /// The written builds; none for a build that was removed.
    pub builds: BTreeMap<BuildId, Option<Arc<Build>>>,
    /// The heads of which something other than a build changed.
    pub heads: BTreeSet<HeadId>,
    /// True when the transaction added effects.
    pub has_effects: bool,
}

impl<'txn, 'env> Write<'txn, 'env> {
    /// Wraps a transaction that has no changes yet.
    pub fn new(txn: &'txn mut RwTxn<'env>) -> Self {
        Self {
            txn,
            written: Written::default(),
        }
    }

    /// The changes.
    pub fn into_written(self) -> Written {
        self.written
    }

    pub(super) fn note_build(&mut self, id: BuildId, now: Option<Build>) {
        self.written.builds.insert(id, now.map(Arc::new));
    }

    pub(super) fn note_head(&mut self, id: HeadId) {
        self.written.heads.insert(id);
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
