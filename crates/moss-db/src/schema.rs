//! What tables a database has, and how older databases become current ones.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use heed::RwTxn;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::check::Checks;
use crate::error::Error;
use crate::indexed::IndexedBuilder;
use crate::key::Key;
use crate::raw::{Handle, RawTable, Slot};
use crate::sequence::Sequence;
use crate::table::Table;

/// The tables of one program, declared together.
pub trait Schema: Sized {
    /// Whose database it is; a database of another name is refused.
    const NAME: &'static str;

    /// What to do to bring version `n` (the position in this list) to version `n + 1`. The
    /// version that the program knows is the length of the list; entries are only ever added.
    const MIGRATIONS: &'static [Migration];

    /// Declares the tables. Missing ones are created, empty.
    fn declare(opener: &mut Opener) -> Self;
}

/// One step from a schema version to the next. All steps that a database needs run in one
/// transaction together with the change of its version, so that a failed one changes nothing.
///
/// Rows should be read as [`serde_json::Value`] or as types kept for the migration alone: the
/// program's own types move on. Indexes need no care, they are rebuilt afterwards.
pub type Migration = fn(&mut RwTxn<'_>, &Upgrade) -> Result<(), Error>;

/// The tables of a database that is being migrated: those of the old schema and of the new.
#[derive(Debug)]
pub struct Upgrade {
    handles: BTreeMap<String, Handle>,
    /// The tables of the new schema.
    kept: BTreeSet<&'static str>,
    facts: BTreeMap<&'static str, String>,
}

impl Upgrade {
    pub(crate) fn new(
        handles: BTreeMap<String, Handle>,
        kept: BTreeSet<&'static str>,
        facts: BTreeMap<&'static str, String>,
    ) -> Self {
        Self {
            handles,
            kept,
            facts,
        }
    }

    /// What who opens the environment says of it that no row does; see [`Options::facts`].
    ///
    /// [`Options::facts`]: crate::Options::facts
    pub fn fact(&self, name: &str) -> Option<&str> {
        self.facts.get(name).map(String::as_str)
    }

    /// A table, read and written with the types that the migration needs.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownTable`] when neither the old nor the new schema has it.
    pub fn table<K: Key, V: Serialize + DeserializeOwned>(
        &self,
        name: &'static str,
    ) -> Result<Table<K, V>, Error> {
        let handle = self.handles.get(name).ok_or(Error::UnknownTable(name))?;
        let slot = Slot::default();
        slot.get_or_init(|| *handle);
        Ok(Table::new(RawTable { name, slot }))
    }

    /// Takes away a table of the old schema that the new one does not have, with its rows. One that is
    /// not there is taken for gone.
    ///
    /// # Errors
    ///
    /// When the database fails, or the new schema has the table.
    pub fn remove(&self, txn: &mut RwTxn<'_>, name: &'static str) -> Result<(), Error> {
        if self.kept.contains(name) {
            return Err(Error::TableInUse(name));
        }
        let Some(handle) = self.handles.get(name) else {
            return Ok(());
        };
        #[expect(
            unsafe_code,
            reason = "heed cannot know that no other handle is in use"
        )]
        // SAFETY: LMDB closes the handle, which must not be used any more. Nobody else has it: the new
        // schema does not have the table, and the environment is not open for anything but this
        // migration. Should the same migration ask for the table again, LMDB answers with an error.
        let removed = unsafe { handle.remove(txn) };
        removed.map_err(|error| Error::storage("remove a table", error))
    }
}

/// Collects the tables that a [`Schema`] declares.
#[derive(Default)]
pub struct Opener {
    pub(crate) tables: Vec<RawTable>,
    pub(crate) reindexers: Vec<Arc<dyn Reindex>>,
    pub(crate) checks: Checks,
}

impl std::fmt::Debug for Opener {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Opener")
            .field("tables", &self.tables)
            .finish_non_exhaustive()
    }
}

impl Opener {
    /// A table.
    pub fn table<K: Key, V: Serialize + DeserializeOwned + 'static>(
        &mut self,
        name: &'static str,
    ) -> Table<K, V> {
        let table = Table::new(self.raw(name));
        self.checks.add(Arc::new(table.clone()));
        table
    }

    /// A table with secondary indexes.
    pub fn indexed<K: Key, V: Serialize + DeserializeOwned + 'static>(
        &mut self,
        name: &'static str,
    ) -> IndexedBuilder<'_, K, V> {
        let rows = self.table(name);
        IndexedBuilder::new(self, rows)
    }

    /// A counter.
    pub fn sequence(&mut self, name: &'static str) -> Sequence {
        Sequence::new(self.table(name))
    }

    pub(crate) fn raw(&mut self, name: &'static str) -> RawTable {
        let table = RawTable {
            name,
            slot: Slot::default(),
        };
        self.tables.push(table.clone());
        self.checks.name(name);
        table
    }

    pub(crate) fn reindex_after_migration(&mut self, table: Arc<dyn Reindex>) {
        self.reindexers.push(table);
    }
}

/// A table that can make its indexes anew from its rows.
pub(crate) trait Reindex: Send + Sync {
    fn reindex(&self, txn: &mut RwTxn<'_>) -> Result<(), Error>;
}

/// The table that tells what the other tables mean. Its name cannot be a program's own.
pub(crate) const IDENTITY_TABLE: &str = "moss_db.schema";

/// The key of its only row.
pub(crate) const IDENTITY_KEY: &[u8] = b"schema";

/// Whose database it is, and of which version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) name: String,
    pub(crate) version: u64,
}
