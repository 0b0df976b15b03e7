//! Declaring an indexed table.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::index::{Function, Index, Maintain};
use super::{Indexed, Inner};
use crate::check::Check;
use crate::key::Key;
use crate::schema::{Opener, Reindex};
use crate::table::Table;

/// Declares an indexed table: see [`Opener::indexed`].
pub struct IndexedBuilder<'opener, K: Key, V> {
    opener: &'opener mut Opener,
    rows: Table<K, V>,
    indexes: Vec<Box<dyn Maintain<K, V>>>,
}

impl<K: Key, V> std::fmt::Debug for IndexedBuilder<'_, K, V> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("IndexedBuilder")
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}

impl<'opener, K: Key, V: Serialize + DeserializeOwned + 'static> IndexedBuilder<'opener, K, V> {
    pub(crate) fn new(opener: &'opener mut Opener, rows: Table<K, V>) -> Self {
        Self {
            opener,
            rows,
            indexes: Vec::new(),
        }
    }

    /// Adds an index. `entries` says under which index keys a row is to be found: none, one or
    /// many. It must depend on nothing but the row. When it changes, add a migration, which
    /// may do nothing: indexes are rebuilt after migrations.
    pub fn index<I: Key>(
        &mut self,
        name: &'static str,
        entries: impl Fn(&K::Item, &V) -> Vec<I::Item> + Send + Sync + 'static,
    ) -> Index<I, K> {
        let raw = self.opener.raw(name);
        self.indexes
            .push(Box::new(Function::<I, _>::new(raw.clone(), entries)));
        Index::new(raw)
    }

    /// The table with all indexes added so far.
    #[must_use]
    pub fn finish(self) -> Indexed<K, V> {
        let inner = Arc::new(Inner {
            rows: self.rows,
            indexes: self.indexes,
        });
        self.opener
            .reindex_after_migration(Arc::clone(&inner) as Arc<dyn Reindex>);
        self.opener.checks.add(Arc::clone(&inner) as Arc<dyn Check>);
        Indexed { inner }
    }
}
