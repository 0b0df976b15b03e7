//! Looking over a whole database for what is not as its program would have written it.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use heed::RoTxn;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::indexed::Inconsistency;
use crate::key::Key;
use crate::table::Table;

/// Something that is wrong in a database.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// A row whose key or value is not what its table holds.
    Row {
        /// The table.
        table: &'static str,
        /// What is wrong with which row, in a sentence.
        reason: String,
    },
    /// An index and its rows disagree.
    Index(Inconsistency),
    /// A table that the program does not have.
    Table {
        /// Its name.
        name: String,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Row { reason, .. } => f.write_str(reason),
            Self::Index(Inconsistency::Missing { index, entry }) => {
                write!(f, "the index `{index}` lacks the entry `{entry}`")
            }
            Self::Index(Inconsistency::Stray { index, entry }) => {
                write!(f, "the index `{index}` has the entry `{entry}` of no row")
            }
            Self::Table { name } => write!(f, "the table `{name}` is nobody's"),
        }
    }
}

/// A table that can be looked over.
pub(crate) trait Check: Send + Sync {
    /// Adds what is wrong to `found`.
    fn check(&self, txn: &RoTxn<'_>, found: &mut Vec<Fault>) -> Result<(), Error>;
}

impl<K: Key, V: Serialize + DeserializeOwned + 'static> Check for Table<K, V> {
    fn check(&self, txn: &RoTxn<'_>, found: &mut Vec<Fault>) -> Result<(), Error> {
        for row in self.iter(txn)? {
            let Err(error) = row else { continue };
            if !error.is_of_a_row() {
                return Err(error);
            }
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            found.push(Fault::Row {
                table: self.name(),
                reason: format!("{error}: {}", cause.unwrap_or_default()),
            });
        }
        Ok(())
    }
}

/// All tables that a program has.
#[derive(Clone, Default)]
pub(crate) struct Checks {
    tables: Vec<Arc<dyn Check>>,
    names: BTreeSet<&'static str>,
}

impl Checks {
    pub(crate) fn add(&mut self, table: Arc<dyn Check>) {
        self.tables.push(table);
    }

    pub(crate) fn name(&mut self, table: &'static str) {
        self.names.insert(table);
    }

    /// What is wrong in all tables; `present` are the names of those that are there.
    pub(crate) fn run(
        &self,
        txn: &RoTxn<'_>,
        present: BTreeSet<String>,
    ) -> Result<Vec<Fault>, Error> {
        let mut found = Vec::new();
        for table in &self.tables {
            table.check(txn, &mut found)?;
        }
        let strange = present
            .into_iter()
            .filter(|name| !self.names.contains(name.as_str()));
        found.extend(strange.map(|name| Fault::Table { name }));
        Ok(found)
    }
}

impl fmt::Debug for Checks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Checks").field(&self.names).finish()
    }
}
