//! Numbers that are given out once.

use heed::{RoTxn, RwTxn};

use crate::error::Error;
use crate::table::Table;

/// A counter that never gives a number twice, also when the rows numbered by it are deleted.
#[derive(Debug, Clone)]
pub struct Sequence {
    table: Table<u8, u64>,
}

/// The only key of the table.
const ROW: u8 = 0;

impl Sequence {
    pub(crate) fn new(table: Table<u8, u64>) -> Self {
        Self { table }
    }

    /// The next number; the first is 1. Taken only if the transaction commits.
    ///
    /// # Errors
    ///
    /// When the counter cannot be read or written.
    pub fn next(&self, txn: &mut RwTxn<'_>) -> Result<u64, Error> {
        let next = self.last(txn)? + 1;
        self.table.put(txn, &ROW, &next)?;
        Ok(next)
    }

    /// The last number given out; 0 before the first.
    ///
    /// # Errors
    ///
    /// When the counter cannot be read.
    pub fn last(&self, txn: &RoTxn<'_>) -> Result<u64, Error> {
        Ok(self.table.find(txn, &ROW)?.unwrap_or(0))
    }
}
