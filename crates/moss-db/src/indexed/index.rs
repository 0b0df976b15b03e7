//! What an index is: a function of rows, and a table to look up in.

use std::collections::BTreeSet;
use std::marker::PhantomData;
use std::ops::Bound;

use heed::RoTxn;

use crate::error::Error;
use crate::key::{self, Key};
use crate::raw::{Direction, RawTable};
use crate::table::decode_key;

/// A secondary index: from keys of `I` to the keys of rows. Only read here; the [`Indexed`](crate::Indexed)
/// table that it belongs to writes it. Cheap to clone.
pub struct Index<I, K> {
    raw: RawTable,
    types: PhantomData<fn() -> (I, K)>,
}

/// What an index holds: its own key and a row's.
type Pair<I, K> = (<I as Key>::Item, <K as Key>::Item);

impl<I, K> Clone for Index<I, K> {
    fn clone(&self) -> Self {
        Self {
            raw: self.raw.clone(),
            types: PhantomData,
        }
    }
}

impl<I, K> std::fmt::Debug for Index<I, K> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_tuple("Index")
            .field(&self.raw.name)
            .finish()
    }
}

impl<I: Key, K: Key> Index<I, K> {
    pub(super) fn new(raw: RawTable) -> Self {
        Self {
            raw,
            types: PhantomData,
        }
    }

    /// The keys of the rows under `index_key`, in their own order.
    ///
    /// # Errors
    ///
    /// When the index cannot be read.
    pub fn keys<'txn>(
        &self,
        txn: &'txn RoTxn<'_>,
        index_key: &I::Item,
    ) -> Result<impl Iterator<Item = Result<K::Item, Error>> + use<'txn, I, K>, Error> {
        let table = self.raw.clone();
        let prefix = key::encode::<I>(index_key);
        let entries = table.prefixed(txn, &prefix, Direction::Forward)?;
        Ok(entries.map(move |entry| {
            let (entry, _) = entry.map_err(|error| table.failed("walk", error))?;
            decode_key::<(I, K)>(table.name, entry).map(|(_, key)| key)
        }))
    }

    /// The keys of the rows under `index_key` that are less than `before`, where one is given: the greatest
    /// first.
    ///
    /// # Errors
    ///
    /// When the index cannot be read.
    pub fn keys_before<'txn>(
        &self,
        txn: &'txn RoTxn<'_>,
        index_key: &I::Item,
        before: Option<&K::Item>,
    ) -> Result<impl Iterator<Item = Result<K::Item, Error>> + use<'txn, I, K>, Error> {
        let table = self.raw.clone();
        let prefix = key::encode::<I>(index_key);
        let entries = match before {
            None => table.prefixed(txn, &prefix, Direction::Backward)?,
            Some(before) => {
                let mut end = prefix.clone();
                end.extend_from_slice(&key::encode::<K>(before));
                let (from, to) = (Bound::Included(prefix), Bound::Excluded(end));
                table.range(txn, &from, &to, Direction::Backward)?
            }
        };
        Ok(entries.map(move |entry| {
            let (entry, _) = entry.map_err(|error| table.failed("walk", error))?;
            decode_key::<(I, K)>(table.name, entry).map(|(_, key)| key)
        }))
    }

    /// All pairs of index key and row key in order.
    ///
    /// # Errors
    ///
    /// When the index cannot be read.
    pub fn iter<'txn>(
        &self,
        txn: &'txn RoTxn<'_>,
    ) -> Result<impl Iterator<Item = Result<Pair<I, K>, Error>> + use<'txn, I, K>, Error> {
        let table = self.raw.clone();
        let entries = table.entries(txn, Direction::Forward)?;
        Ok(entries.map(move |entry| {
            let (entry, _) = entry.map_err(|error| table.failed("walk", error))?;
            decode_key::<(I, K)>(table.name, entry)
        }))
    }
}

/// An index of rows of `V`, whatever its own keys are.
pub(super) trait Maintain<K: Key, V>: Send + Sync {
    fn table(&self) -> &RawTable;

    /// The stored form of all entries of a row.
    fn entries(&self, key: &K::Item, value: &V) -> BTreeSet<Vec<u8>>;

    /// All entries that name a row, found by a walk of the whole index.
    fn find_entries(&self, txn: &RoTxn<'_>, key: &K::Item) -> Result<Vec<Vec<u8>>, Error>;
}

/// An index whose keys are of `I`, said by `F`.
pub(super) struct Function<I, F> {
    table: RawTable,
    entries: F,
    index_key: PhantomData<fn() -> I>,
}

impl<I, F> Function<I, F> {
    pub(super) fn new(table: RawTable, entries: F) -> Self {
        Self {
            table,
            entries,
            index_key: PhantomData,
        }
    }
}

impl<K, V, I, F> Maintain<K, V> for Function<I, F>
where
    K: Key,
    I: Key,
    F: Fn(&K::Item, &V) -> Vec<I::Item> + Send + Sync,
{
    fn table(&self) -> &RawTable {
        &self.table
    }

    fn entries(&self, key: &K::Item, value: &V) -> BTreeSet<Vec<u8>> {
        let row_key = key::encode::<K>(key);
        let index_keys = (self.entries)(key, value);
        index_keys
            .iter()
            .map(|index_key| {
                let mut entry = key::encode::<I>(index_key);
                entry.extend_from_slice(&row_key);
                entry
            })
            .collect()
    }

    fn find_entries(&self, txn: &RoTxn<'_>, key: &K::Item) -> Result<Vec<Vec<u8>>, Error> {
        let row_key = key::encode::<K>(key);
        let mut found = Vec::new();
        for entry in self.table.entries(txn, Direction::Forward)? {
            let (entry, _) = entry.map_err(|error| self.table.failed("walk", error))?;
            let named = decode_key::<(I, K)>(self.table.name, entry);
            if named.is_ok_and(|(_, named)| key::encode::<K>(&named) == row_key) {
                found.push(entry.to_vec());
            }
        }
        Ok(found)
    }
}
