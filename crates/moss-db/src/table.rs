//! A table with typed keys and JSON values.

use std::marker::PhantomData;
use std::ops::{Bound, RangeBounds};

use heed::{RoTxn, RwTxn};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::key::{self, Composite, Key};
use crate::raw::{Direction, Entries, RawTable};

/// Rows of `V`, ordered by the keys of `K`. Cheap to clone.
pub struct Table<K, V> {
    raw: RawTable,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K, V> Clone for Table<K, V> {
    fn clone(&self) -> Self {
        Self {
            raw: self.raw.clone(),
            types: PhantomData,
        }
    }
}

impl<K, V> std::fmt::Debug for Table<K, V> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_tuple("Table")
            .field(&self.raw.name)
            .finish()
    }
}

impl<K: Key, V: Serialize + DeserializeOwned> Table<K, V> {
    pub(crate) fn new(raw: RawTable) -> Self {
        Self {
            raw,
            types: PhantomData,
        }
    }

    /// The table's name in the database.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.raw.name
    }

    /// The row under `key`.
    ///
    /// # Errors
    ///
    /// When the row cannot be read or does not have the form of `V`.
    pub fn find(&self, txn: &RoTxn<'_>, key: &K::Item) -> Result<Option<V>, Error> {
        let key = key::encode::<K>(key);
        let Some(bytes) = self.raw.find(txn, &key)? else {
            return Ok(None);
        };
        decode_value(self.raw.name, &key, bytes).map(Some)
    }

    /// Whether there is a row under `key`; its value is not looked at.
    ///
    /// # Errors
    ///
    /// When the table cannot be read.
    pub fn contains(&self, txn: &RoTxn<'_>, key: &K::Item) -> Result<bool, Error> {
        Ok(self.raw.find(txn, &key::encode::<K>(key))?.is_some())
    }

    /// Writes the row under `key`, over the one that may be there.
    ///
    /// # Errors
    ///
    /// When the key is too long or the row cannot be written; see [`Error`].
    pub fn put(&self, txn: &mut RwTxn<'_>, key: &K::Item, value: &V) -> Result<(), Error> {
        let bytes = serde_json::to_vec(value).map_err(|source| Error::Encode {
            table: self.raw.name,
            source,
        })?;
        self.raw.put(txn, &key::encode::<K>(key), &bytes)
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

    /// Deletes the row under `key` and says whether there was one.
    ///
    /// # Errors
    ///
    /// When the table cannot be written.
    pub fn delete(&self, txn: &mut RwTxn<'_>, key: &K::Item) -> Result<bool, Error> {
        self.raw.delete(txn, &key::encode::<K>(key))
    }

    /// Deletes the row under `key`, also one that cannot be read, and returns its bytes.
    ///
    /// # Errors
    ///
    /// When the table cannot be written.
    pub fn tear_out(&self, txn: &mut RwTxn<'_>, key: &K::Item) -> Result<Option<Vec<u8>>, Error> {
        let key = key::encode::<K>(key);
        let bytes = self.raw.find(txn, &key)?.map(<[u8]>::to_vec);
        self.raw.delete(txn, &key)?;
        Ok(bytes)
    }

    /// Deletes all rows.
    ///
    /// # Errors
    ///
    /// When the table cannot be written.
    pub fn clear(&self, txn: &mut RwTxn<'_>) -> Result<(), Error> {
        self.raw.clear(txn)
    }

    /// The number of rows.
    ///
    /// # Errors
    ///
    /// When the table cannot be read.
    pub fn len(&self, txn: &RoTxn<'_>) -> Result<u64, Error> {
        self.raw.len(txn)
    }

    /// Whether there is no row.
    ///
    /// # Errors
    ///
    /// When the table cannot be read.
    pub fn is_empty(&self, txn: &RoTxn<'_>) -> Result<bool, Error> {
        Ok(self.raw.len(txn)? == 0)
    }

    /// The row with the least key.
    ///
    /// # Errors
    ///
    /// When the row cannot be read.
    pub fn first(&self, txn: &RoTxn<'_>) -> Result<Option<(K::Item, V)>, Error> {
        self.iter(txn)?.next().transpose()
    }

    /// The row with the greatest key.
    ///
    /// # Errors
    ///
    /// When the row cannot be read.
    pub fn last(&self, txn: &RoTxn<'_>) -> Result<Option<(K::Item, V)>, Error> {
        self.iter_rev(txn)?.next().transpose()
    }

    /// All rows in the order of their keys.
    ///
    /// # Errors
    ///
    /// When the table cannot be read.
    pub fn iter<'txn>(&self, txn: &'txn RoTxn<'_>) -> Result<Rows<'txn, K, V>, Error> {
        Ok(self.rows(self.raw.entries(txn, Direction::Forward)?))
    }

    /// All rows, the greatest key first.
    ///
    /// # Errors
    ///
    /// When the table cannot be read.
    pub fn iter_rev<'txn>(&self, txn: &'txn RoTxn<'_>) -> Result<Rows<'txn, K, V>, Error> {
        Ok(self.rows(self.raw.entries(txn, Direction::Backward)?))
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
        self.walk(txn, &range, Direction::Forward)
    }

    /// The rows whose keys lie in a range, the greatest key first.
    ///
    /// # Errors
    ///
    /// When the table cannot be read.
    pub fn range_rev<'txn>(
        &self,
        txn: &'txn RoTxn<'_>,
        range: impl RangeBounds<K::Item>,
    ) -> Result<Rows<'txn, K, V>, Error> {
        self.walk(txn, &range, Direction::Backward)
    }

    fn walk<'txn>(
        &self,
        txn: &'txn RoTxn<'_>,
        range: &impl RangeBounds<K::Item>,
        direction: Direction,
    ) -> Result<Rows<'txn, K, V>, Error> {
        let from = range.start_bound().map(key::encode::<K>);
        let to = range.end_bound().map(key::encode::<K>);
        if is_empty(&from, &to) {
            // LMDB's cursors take the bounds as given, also when they cross.
            return Ok(self.rows(Box::new(std::iter::empty())));
        }
        Ok(self.rows(self.raw.range(txn, &from, &to, direction)?))
    }

    fn rows<'txn>(&self, entries: Entries<'txn>) -> Rows<'txn, K, V> {
        Rows {
            table: self.raw.clone(),
            entries,
            types: PhantomData,
        }
    }
}

impl<K: Composite, V: Serialize + DeserializeOwned> Table<K, V> {
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
        let prefix = key::encode::<K::Head>(head);
        Ok(self.rows(self.raw.prefixed(txn, &prefix, Direction::Forward)?))
    }

    /// The rows whose keys have this head, the greatest key first.
    ///
    /// # Errors
    ///
    /// When the table cannot be read.
    pub fn iter_prefix_rev<'txn>(
        &self,
        txn: &'txn RoTxn<'_>,
        head: &<K::Head as Key>::Item,
    ) -> Result<Rows<'txn, K, V>, Error> {
        let prefix = key::encode::<K::Head>(head);
        Ok(self.rows(self.raw.prefixed(txn, &prefix, Direction::Backward)?))
    }
}

/// Rows being read, each decoded when it is reached.
pub struct Rows<'txn, K, V> {
    table: RawTable,
    entries: Entries<'txn>,
    types: PhantomData<fn() -> (K, V)>,
}

impl<'txn, K: Key, V: DeserializeOwned> Rows<'txn, K, V> {
    /// Only the keys; the values are not decoded.
    pub fn keys(self) -> impl Iterator<Item = Result<K::Item, Error>> + use<'txn, K, V> {
        let Self { table, entries, .. } = self;
        entries.map(move |entry| {
            let (key, _) = entry.map_err(|error| table.failed("walk", error))?;
            decode_key::<K>(table.name, key)
        })
    }
}

impl<K: Key, V: DeserializeOwned> Iterator for Rows<'_, K, V> {
    type Item = Result<(K::Item, V), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.entries.next()?;
        Some(
            entry
                .map_err(|error| self.table.failed("walk", error))
                .and_then(|(key, value)| {
                    let decoded = decode_key::<K>(self.table.name, key)?;
                    Ok((decoded, decode_value(self.table.name, key, value)?))
                }),
        )
    }
}

impl<K, V> std::fmt::Debug for Rows<'_, K, V> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Rows")
            .field("table", &self.table.name)
            .finish_non_exhaustive()
    }
}

pub(crate) fn decode_key<K: Key>(table: &'static str, bytes: &[u8]) -> Result<K::Item, Error> {
    key::decode::<K>(bytes).map_err(|source| {
        let key = bytes.escape_ascii().to_string();
        Error::Key { table, key, source }
    })
}

fn decode_value<V: DeserializeOwned>(
    table: &'static str,
    key: &[u8],
    bytes: &[u8],
) -> Result<V, Error> {
    serde_json::from_slice(bytes).map_err(|source| {
        let key = key.escape_ascii().to_string();
        Error::Decode { table, key, source }
    })
}

fn is_empty(from: &Bound<Vec<u8>>, to: &Bound<Vec<u8>>) -> bool {
    match (from, to) {
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
        (Bound::Included(from), Bound::Included(to)) => from > to,
        (
            Bound::Included(from) | Bound::Excluded(from),
            Bound::Included(to) | Bound::Excluded(to),
        ) => from >= to,
    }
}
