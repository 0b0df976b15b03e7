//! A table of bytes: what the typed tables, indexes and sequences stand on.

use std::ops::Bound;
use std::sync::{Arc, OnceLock};

use heed::types::Bytes;
use heed::{RoTxn, RwTxn};

use crate::error::Error;

/// LMDB's handle on a table.
pub(crate) type Handle = heed::Database<'static, Bytes, Bytes>;

/// Where a table finds its handle. A handle exists only once the transaction that opened it
/// has committed, but tables are declared before; the slot is filled in between.
pub(crate) type Slot = Arc<OnceLock<Handle>>;

/// LMDB's limit, as it is compiled into heed.
const MAX_KEY_LENGTH: usize = 511;

/// Rows of bytes in the order of their keys.
pub(crate) type Entries<'txn> =
    Box<dyn Iterator<Item = heed::Result<(&'txn [u8], &'txn [u8])>> + 'txn>;

/// In which direction to walk.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Direction {
    Forward,
    Backward,
}

/// A named table of bytes.
#[derive(Debug, Clone)]
pub(crate) struct RawTable {
    pub(crate) name: &'static str,
    pub(crate) slot: Slot,
}

impl RawTable {
    pub(crate) fn find<'txn>(
        &self,
        txn: &'txn RoTxn<'_>,
        key: &[u8],
    ) -> Result<Option<&'txn [u8]>, Error> {
        if key.len() > MAX_KEY_LENGTH {
            // Such a key cannot have been stored; LMDB would answer with an error.
            return Ok(None);
        }
        self.handle()
            .get(txn, key)
            .map_err(|error| self.failed("read from", error))
    }

    /// Whether something can be written under this key.
    pub(crate) fn check_key(&self, key: &[u8]) -> Result<(), Error> {
        if key.len() > MAX_KEY_LENGTH {
            let (table, length, limit) = (self.name, key.len(), MAX_KEY_LENGTH);
            return Err(Error::KeyTooLong {
                table,
                length,
                limit,
            });
        }
        Ok(())
    }

    pub(crate) fn put(&self, txn: &mut RwTxn<'_>, key: &[u8], value: &[u8]) -> Result<(), Error> {
        self.check_key(key)?;
        self.handle()
            .put(txn, key, value)
            .map_err(|error| self.failed("write to", error))
    }

    pub(crate) fn delete(&self, txn: &mut RwTxn<'_>, key: &[u8]) -> Result<bool, Error> {
        if key.len() > MAX_KEY_LENGTH {
            return Ok(false);
        }
        self.handle()
            .delete(txn, key)
            .map_err(|error| self.failed("delete from", error))
    }

    pub(crate) fn clear(&self, txn: &mut RwTxn<'_>) -> Result<(), Error> {
        self.handle()
            .clear(txn)
            .map_err(|error| self.failed("clear", error))
    }

    pub(crate) fn len(&self, txn: &RoTxn<'_>) -> Result<u64, Error> {
        self.handle()
            .len(txn)
            .map_err(|error| self.failed("count", error))
    }

    pub(crate) fn entries<'txn>(
        &self,
        txn: &'txn RoTxn<'_>,
        direction: Direction,
    ) -> Result<Entries<'txn>, Error> {
        let handle = self.handle();
        let entries: heed::Result<Entries<'txn>> = match direction {
            Direction::Forward => handle.iter(txn).map(|rows| Box::new(rows) as _),
            Direction::Backward => handle.rev_iter(txn).map(|rows| Box::new(rows) as _),
        };
        entries.map_err(|error| self.failed("walk", error))
    }

    pub(crate) fn prefixed<'txn>(
        &self,
        txn: &'txn RoTxn<'_>,
        prefix: &[u8],
        direction: Direction,
    ) -> Result<Entries<'txn>, Error> {
        let handle = self.handle();
        let entries: heed::Result<Entries<'txn>> = match direction {
            Direction::Forward => handle
                .prefix_iter(txn, prefix)
                .map(|rows| Box::new(rows) as _),
            Direction::Backward => handle
                .rev_prefix_iter(txn, prefix)
                .map(|rows| Box::new(rows) as _),
        };
        entries.map_err(|error| self.failed("walk", error))
    }

    pub(crate) fn range<'txn>(
        &self,
        txn: &'txn RoTxn<'_>,
        from: &Bound<Vec<u8>>,
        to: &Bound<Vec<u8>>,
        direction: Direction,
    ) -> Result<Entries<'txn>, Error> {
        let handle = self.handle();
        let range = (
            from.as_ref().map(Vec::as_slice),
            to.as_ref().map(Vec::as_slice),
        );
        let entries: heed::Result<Entries<'txn>> = match direction {
            Direction::Forward => handle.range(txn, &range).map(|rows| Box::new(rows) as _),
            Direction::Backward => handle
                .rev_range(txn, &range)
                .map(|rows| Box::new(rows) as _),
        };
        entries.map_err(|error| self.failed("walk", error))
    }

    pub(crate) fn failed(&self, verb: &str, error: heed::Error) -> Error {
        Error::storage(format!("{verb} table `{}`", self.name), error)
    }

    fn handle(&self) -> &Handle {
        self.slot
            .get()
            .expect("Environment::open fills all slots before it gives out the tables")
    }
}
