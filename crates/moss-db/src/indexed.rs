//! A table whose secondary indexes change together with its rows.
//!
//! An index is a table of its own with one entry per pair of index key and row key. What the
//! entries of a row are is said once, by a function of the row, when the index is declared;
//! [`Indexed::put`] and [`Indexed::delete`] are the only ways to change a row, and both keep
//! every index in step within the same transaction.

use std::collections::BTreeSet;
use std::ops::RangeBounds;
use std::sync::Arc;

use heed::{RoTxn, RwTxn};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::check::{Check, Fault};
use crate::error::Error;
use crate::key::{Composite, Key};
use crate::raw::Direction;
use crate::schema::Reindex;
use crate::table::{Rows, Table};
use index::Maintain;

mod builder;
mod index;

pub use builder::IndexedBuilder;
pub use index::Index;

/// A table with secondary indexes. Cheap to clone.
pub struct Indexed<K: Key, V> {
    inner: Arc<Inner<K, V>>,
}

impl<K: Key, V> Clone for Indexed<K, V> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
        }
    }
}

impl<K: Key, V> std::fmt::Debug for Indexed<K, V> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let indexes: Vec<_> = self
            .inner
            .indexes
            .iter()
            .map(|index| index.table().name)
            .collect();
        let mut fields = formatter.debug_struct("Indexed");
        fields
            .field("rows", &self.inner.rows)
            .field("indexes", &indexes)
            .finish()
    }
}

impl<K: Key, V: Serialize + DeserializeOwned + 'static> Indexed<K, V> {
    /// The row under `key`.
    ///
    /// # Errors
    ///
    /// When the row cannot be read or does not have the form of `V`.
    pub fn find(&self, txn: &RoTxn<'_>, key: &K::Item) -> Result<Option<V>, Error> {
        self.inner.rows.find(txn, key)
    }

    /// Whether there is a row under `key`.
    ///
    /// # Errors
    ///
    /// When the table cannot be read.
    pub fn contains(&self, txn: &RoTxn<'_>, key: &K::Item) -> Result<bool, Error> {
        self.inner.rows.contains(txn, key)
    }

    /// The rows that an index has under `index_key`, in the order of their own keys.
    ///
    /// # Errors
    ///
    /// When the index cannot be read.
    pub fn find_by<'txn, I: Key>(
        &self,
        txn: &'txn RoTxn<'_>,
        index: &Index<I, K>,
        index_key: &I::Item,
    ) -> Result<impl Iterator<Item = Result<(K::Item, V), Error>> + use<'txn, I, K, V>, Error> {
        let rows = self.inner.rows.clone();
        let keys = index.keys(txn, index_key)?;
        Ok(keys.filter_map(move |key| {
            let found = key.and_then(|key| Ok(rows.find(txn, &key)?.map(|row| (key, row))));
            found.transpose()
        }))
    }

    /// Writes the row under `key`, over the one that may be there, and its index entries.
    ///
    /// # Errors
    ///
    /// When a key is too long or the row cannot be encoded: nothing was written then. Or when the
    /// database cannot be written: the transaction can then only be given up.
    pub fn put(&self, txn: &mut RwTxn<'_>, key: &K::Item, value: &V) -> Result<(), Error> {
        let old = self.inner.rows.find(txn, key)?;
        let mut changes = Vec::with_capacity(self.inner.indexes.len());
        for index in &self.inner.indexes {
            let before = old
                .as_ref()
                .map(|old| index.entries(key, old))
                .unwrap_or_default();
            let after = index.entries(key, value);
            for new in after.difference(&before) {
                index.table().check_key(new)?;
            }
            changes.push((index.table(), before, after));
        }
        self.inner.rows.put(txn, key, value)?;
        for (table, before, after) in changes {
            for gone in before.difference(&after) {
                table.delete(txn, gone)?;
            }
            for new in after.difference(&before) {
                table.put(txn, new, ENTRY)?;
            }
        }
        Ok(())
    }

    /// Writes the row only where there is none. Returns the row that is there already, which
    /// stays as it is.
    ///
    /// # Errors
    ///
    /// As [`Self::find`] and [`Self::put`].
    pub fn put_new(
        &self,
        txn: &mut RwTxn<'_>,
        key: &K::Item,
        value: &V,
    ) -> Result<Option<V>, Error> {
        let existing = self.find(txn, key)?;
        if existing.is_none() {
            self.put(txn, key, value)?;
        }
        Ok(existing)
    }

    /// Deletes the row under `key` with its index entries and returns it.
    ///
    /// # Errors
    ///
    /// When the row cannot be read or the tables not written.
    pub fn delete(&self, txn: &mut RwTxn<'_>, key: &K::Item) -> Result<Option<V>, Error> {
        let Some(old) = self.inner.rows.find(txn, key)? else {
            return Ok(None);
        };
        for index in &self.inner.indexes {
            for gone in index.entries(key, &old) {
                index.table().delete(txn, &gone)?;
            }
        }
        self.inner.rows.delete(txn, key)?;
        Ok(Some(old))
    }

    /// Deletes the row under `key`, also one that cannot be read, with all index entries that name it,
    /// and returns its bytes. It walks all indexes, so it is for repairs only.
    ///
    /// # Errors
    ///
    /// When the tables cannot be read or written.
    pub fn tear_out(&self, txn: &mut RwTxn<'_>, key: &K::Item) -> Result<Option<Vec<u8>>, Error> {
        for index in &self.inner.indexes {
            for entry in index.find_entries(txn, key)? {
                index.table().delete(txn, &entry)?;
            }
        }
        self.inner.rows.tear_out(txn, key)
    }

    /// Deletes all rows and all index entries.
    ///
    /// # Errors
    ///
    /// When a table cannot be written.
    pub fn clear(&self, txn: &mut RwTxn<'_>) -> Result<(), Error> {
        for index in &self.inner.indexes {
            index.table().clear(txn)?;
        }
        self.inner.rows.clear(txn)
    }

    /// The number of rows.
    ///
    /// # Errors
    ///
    /// When the table cannot be read.
    pub fn len(&self, txn: &RoTxn<'_>) -> Result<u64, Error> {
        self.inner.rows.len(txn)
    }

    /// Whether there is no row.
    ///
    /// # Errors
    ///
    /// When the table cannot be read.
    pub fn is_empty(&self, txn: &RoTxn<'_>) -> Result<bool, Error> {
        self.inner.rows.is_empty(txn)
    }

    /// The row with the least key.
    ///
    /// # Errors
    ///
    /// When the row cannot be read.
    pub fn first(&self, txn: &RoTxn<'_>) -> Result<Option<(K::Item, V)>, Error> {
        self.inner.rows.first(txn)
    }

    /// The row with the greatest key.
    ///
    /// # Errors
    ///
    /// When the row cannot be read.
    pub fn last(&self, txn: &RoTxn<'_>) -> Result<Option<(K::Item, V)>, Error> {
        self.inner.rows.last(txn)
    }

    /// All rows in the order of their keys.
    ///
    /// # Errors
    ///
    /// When the table cannot be read.
    pub fn iter<'txn>(&self, txn: &'txn RoTxn<'_>) -> Result<Rows<'txn, K, V>, Error> {
        self.inner.rows.iter(txn)
    }

    /// All rows, the greatest key first.
    ///
    /// # Errors
    ///
    /// When the table cannot be read.
    pub fn iter_rev<'txn>(&self, txn: &'txn RoTxn<'_>) -> Result<Rows<'txn, K, V>, Error> {
        self.inner.rows.iter_rev(txn)
    }

    /// The rows whose keys lie in a range, in the order of their keys.
    ///
    /// # Errors
    ///
    /// When the table cannot be read.
    pub fn range_rev<'txn>(
        &self,
        txn: &'txn RoTxn<'_>,
        range: impl RangeBounds<K::Item>,
    ) -> Result<Rows<'txn, K, V>, Error> {
        self.inner.rows.range_rev(txn, range)
    }

    /// The rows whose keys lie in a range, in the order of their keys.
    ///
    /// # Errors
    ///
    /// When the table cannot be read.
    pub fn range<'txn>(
        &self,
        txn: &'txn RoTxn<'_>,
        range: impl RangeBounds<K::Item>,
    ) -> Result<Rows<'txn, K, V>, Error> {
        self.inner.rows.range(txn, range)
    }

    /// Compares every index with the rows and names all entries that are missing or too many. A row
    /// that cannot be read has none; [`Environment::check`](crate::Environment::check) names it.
    ///
    /// # Errors
    ///
    /// When a table cannot be read.
    pub fn check(&self, txn: &RoTxn<'_>) -> Result<Vec<Inconsistency>, Error> {
        self.inner.inconsistencies(txn)
    }
}

impl<K: Composite, V: Serialize + DeserializeOwned + 'static> Indexed<K, V> {
    /// The rows whose keys have this head, in the order of their keys.
    ///
    /// # Errors
    ///
    /// When the table cannot be read.
    pub fn iter_prefix<'txn>(
        &self,
        txn: &'txn RoTxn<'_>,
        head: &<K::Head as Key>::Item,
    ) -> Result<Rows<'txn, K, V>, Error> {
        self.inner.rows.iter_prefix(txn, head)
    }
}

/// Where an index and its rows disagree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inconsistency {
    /// A row should have this entry.
    Missing {
        /// The index.
        index: &'static str,
        /// The entry, with bytes that are not printable ASCII escaped.
        entry: String,
    },
    /// No row should have this entry.
    Stray {
        /// The index.
        index: &'static str,
        /// The entry, with bytes that are not printable ASCII escaped.
        entry: String,
    },
}

/// The value of an index entry. LMDB has no rows without a value, and `null` is JSON.
const ENTRY: &[u8] = b"null";

struct Inner<K: Key, V> {
    rows: Table<K, V>,
    indexes: Vec<Box<dyn Maintain<K, V>>>,
}

impl<K: Key, V: Serialize + DeserializeOwned + 'static> Inner<K, V> {
    fn inconsistencies(&self, txn: &RoTxn<'_>) -> Result<Vec<Inconsistency>, Error> {
        let mut found = Vec::new();
        for index in &self.indexes {
            let mut expected = BTreeSet::new();
            for row in self.rows.iter(txn)? {
                match row {
                    Ok((key, value)) => expected.append(&mut index.entries(&key, &value)),
                    Err(error) if error.is_of_a_row() => {}
                    Err(error) => return Err(error),
                }
            }
            let table = index.table();
            for entry in table.entries(txn, Direction::Forward)? {
                let (entry, _) = entry.map_err(|error| table.failed("walk", error))?;
                if !expected.remove(entry) {
                    let entry = entry.escape_ascii().to_string();
                    found.push(Inconsistency::Stray {
                        index: table.name,
                        entry,
                    });
                }
            }
            found.extend(expected.into_iter().map(|entry| {
                let entry = entry.escape_ascii().to_string();
                Inconsistency::Missing {
                    index: table.name,
                    entry,
                }
            }));
        }
        Ok(found)
    }
}

impl<K: Key, V: Serialize + DeserializeOwned + 'static> Check for Inner<K, V> {
    fn check(&self, txn: &RoTxn<'_>, found: &mut Vec<Fault>) -> Result<(), Error> {
        let inconsistencies = self.inconsistencies(txn)?;
        found.extend(inconsistencies.into_iter().map(Fault::Index));
        Ok(())
    }
}

impl<K: Key, V: Serialize + DeserializeOwned + 'static> Reindex for Inner<K, V> {
    fn reindex(&self, txn: &mut RwTxn<'_>) -> Result<(), Error> {
        for index in &self.indexes {
            let mut entries = Vec::new();
            for row in self.rows.iter(txn)? {
                match row {
                    Ok((key, value)) => entries.extend(index.entries(&key, &value)),
                    // One row must not keep a program from starting; `check` names it.
                    Err(error) if error.is_of_a_row() => {
                        let index = index.table().name;
                        tracing::error!(error = %error, db.index = index, "a row is left out");
                    }
                    Err(error) => return Err(error),
                }
            }
            index.table().clear(txn)?;
            for entry in entries {
                index.table().put(txn, &entry, ENTRY)?;
            }
        }
        Ok(())
    }
}
