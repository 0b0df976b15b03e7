//! Opening: the folder, the version check, the tables, the migrations.
//!
//! Nothing is written before the version is known to be ours. Missing tables are created in
//! one transaction; a fresh database gets its version in it. An older one is then migrated in
//! a second transaction: a crash between the two leaves empty tables, which harm nobody.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;

use heed::types::{Bytes, Str};
use heed::{CommitOrAbort, CommitToken, Database, OnCommit, RoTxn, RwTxn};

mod error;
mod readers;

pub use error::OpenError;
pub(super) use readers::reserve as reserve_readers;

use super::Env;
use super::lock::FolderLock;
use crate::check::Checks;
use crate::error::Error;
use crate::raw::Handle;
use crate::schema::{IDENTITY_KEY, IDENTITY_TABLE, Identity, Opener, Schema, Upgrade};

/// How to open an environment.
#[derive(Debug, Clone)]
pub struct Options {
    /// The most bytes that the database can ever have, 256 GiB unless told otherwise. The file
    /// grows as needed; only address space is taken at once. May be raised at the next start.
    pub map_size: u64,
    /// The most tables, indexes included; 128 unless told otherwise.
    pub max_tables: u32,
    /// The most transactions that read at the same time; 1024 unless told otherwise.
    pub max_readers: u32,
    /// What migrations have to know that no row says, by its name; see [`Upgrade::fact`].
    pub facts: BTreeMap<&'static str, String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            map_size: 256 << 30,
            max_tables: 128,
            max_readers: 1024,
            facts: BTreeMap::new(),
        }
    }
}

/// An environment with its tables, before it has a writer.
pub(super) struct Opened<S> {
    pub(super) env: Env,
    pub(super) lock: FolderLock,
    pub(super) tables: S,
    /// The table with the version, which always has a row.
    pub(super) identity: Handle,
    pub(super) checks: Checks,
}

pub(super) fn open<S: Schema>(path: &Path, options: &Options) -> Result<Opened<S>, OpenError> {
    let mut opener = Opener::default();
    let tables = S::declare(&mut opener);
    check_names::<S>(&opener)?;
    create_folder(path)?;
    let lock = FolderLock::acquire(path)?;
    let storage = |source| OpenError::storage(path, source);
    readers::reserve(path, options.max_readers)?;
    let env = open_lmdb(path, options)?;
    let found = read_identity(&env, path)?;
    let known = S::MIGRATIONS.len() as u64;
    if let Some(found) = &found {
        check_identity::<S>(path, found, known)?;
    }
    let fresh = Identity {
        name: S::NAME.to_owned(),
        version: known,
    };
    let handles =
        create_tables(&env, &opener, found.is_none().then_some(&fresh)).map_err(storage)?;
    for table in &opener.tables {
        table.slot.get_or_init(|| handles[table.name]);
    }
    let identity = handles[IDENTITY_TABLE];
    // The data file's name must be on the disk before anybody relies on what is in it.
    sync_folder(path)?;
    if let Some(found) = found.filter(|found| found.version < known) {
        let from = found.version;
        migrate::<S>(&env, &opener, (handles, options), from).map_err(|source| {
            OpenError::Migration {
                path: path.to_owned(),
                from,
                source,
            }
        })?;
    }
    Ok(Opened {
        env,
        lock,
        tables,
        identity,
        checks: opener.checks,
    })
}

fn check_names<S: Schema>(opener: &Opener) -> Result<(), OpenError> {
    let mut seen = BTreeSet::from([IDENTITY_TABLE]);
    match opener.tables.iter().find(|table| !seen.insert(table.name)) {
        Some(table) => Err(OpenError::TableName {
            schema: S::NAME,
            table: table.name,
        }),
        None => Ok(()),
    }
}

fn check_identity<S: Schema>(path: &Path, found: &Identity, known: u64) -> Result<(), OpenError> {
    let path = path.to_owned();
    if found.name != S::NAME {
        return Err(OpenError::Foreign {
            path,
            found: found.name.clone(),
            expected: S::NAME,
        });
    }
    if found.version > known {
        return Err(OpenError::Newer {
            path,
            found: found.version,
            known,
        });
    }
    Ok(())
}

fn create_folder(path: &Path) -> Result<(), OpenError> {
    std::fs::create_dir_all(path).map_err(|source| OpenError::folder(path, source))?;
    match path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
    {
        Some(parent) => sync_folder(parent),
        None => Ok(()),
    }
}

fn sync_folder(path: &Path) -> Result<(), OpenError> {
    File::open(path)
        .and_then(|folder| folder.sync_all())
        .map_err(|source| OpenError::folder(path, source))
}

pub(super) fn open_lmdb(path: &Path, options: &Options) -> Result<Env, OpenError> {
    // LMDB wants a multiple of the page size; no machine of ours has pages above 64 KiB.
    let map_size = options.map_size.next_multiple_of(64 << 10);
    let map_size = usize::try_from(map_size).unwrap_or(usize::MAX >> 16 << 16);
    let mut lmdb = heed::EnvOpenOptions::new().read_txn_without_tls();
    // Two tables more: the unnamed one and the one with the version.
    lmdb.map_size(map_size)
        .max_dbs(options.max_tables.saturating_add(2))
        .max_readers(options.max_readers);
    #[expect(
        unsafe_code,
        reason = "heed cannot know that the file is not changed by others"
    )]
    // SAFETY: the map is undefined behaviour when someone else changes the file under it. The
    // folder lock, which the caller holds, keeps out all other environments; no LMDB flag is
    // set that weakens its own locking or syncing; and the folder is the service's private
    // data, on a local file system, as `Environment::open` requires.
    let env = unsafe { lmdb.open(path) };
    env.map_err(|source| OpenError::storage(path, source))
}

/// Reads the version without changing anything. `None` is a fresh database.
pub(super) fn read_identity(env: &Env, path: &Path) -> Result<Option<Identity>, OpenError> {
    let storage = |source| OpenError::storage(path, source);
    let txn = env.read_txn().map_err(storage)?;
    let table = env
        .open_databases_and_commit(txn, |opener, txn| {
            opener
                .open_database::<Bytes, Bytes>(txn, Some(IDENTITY_TABLE))
                .map(CommitOrAbort::<_, ()>::Commit)
        })
        .map_err(storage)?
        .unwrap_commit();
    let Some(table) = table else { return Ok(None) };
    let txn = env.read_txn().map_err(storage)?;
    let Some(bytes) = table.get(&txn, IDENTITY_KEY).map_err(storage)? else {
        return Ok(None);
    };
    let parsed = serde_json::from_slice(bytes);
    parsed.map(Some).map_err(|source| OpenError::Identity {
        path: path.to_owned(),
        source,
    })
}

/// Handles that are only good after the commit.
struct Pending<'e>(BTreeMap<String, Database<'e, Bytes, Bytes>>);

impl OnCommit for Pending<'_> {
    type Committed = BTreeMap<String, Handle>;

    fn on_commit(self, token: &CommitToken) -> Self::Committed {
        self.0
            .into_iter()
            .map(|(name, table)| (name, table.on_commit(token)))
            .collect()
    }
}

/// Opens all tables that are declared or exist, creating the missing ones, and marks a fresh
/// database as ours.
fn create_tables(
    env: &Env,
    opener: &Opener,
    fresh: Option<&Identity>,
) -> heed::Result<BTreeMap<String, Handle>> {
    let mut names = table_names(env)?;
    names.extend(opener.tables.iter().map(|table| table.name.to_owned()));
    names.insert(IDENTITY_TABLE.to_owned());
    let txn = env.write_txn()?;
    let created = env.create_databases_and_commit(txn, |lmdb, txn| {
        let mut pending = BTreeMap::new();
        for name in names {
            let table = lmdb.create_database::<Bytes, Bytes>(txn, Some(&name))?;
            pending.insert(name, table);
        }
        if let Some(identity) = fresh {
            write_identity(txn, &pending[IDENTITY_TABLE], identity)?;
        }
        heed::Result::Ok(CommitOrAbort::<_, ()>::Commit(Pending(pending)))
    })?;
    Ok(created.unwrap_commit())
}

/// The tables that exist: the keys of LMDB's unnamed table.
pub(super) fn table_names(env: &Env) -> heed::Result<BTreeSet<String>> {
    let txn = env.read_txn()?;
    let root = env
        .open_databases_and_commit(txn, |lmdb, txn| {
            lmdb.open_database::<Str, heed::types::DecodeIgnore>(txn, None)
                .map(CommitOrAbort::<_, ()>::Commit)
        })?
        .unwrap_commit();
    let txn = env.read_txn()?;
    match root {
        Some(root) => names_in(&root, &txn),
        None => Ok(BTreeSet::new()),
    }
}

fn names_in(
    root: &Database<'static, Str, heed::types::DecodeIgnore>,
    txn: &RoTxn<'_>,
) -> heed::Result<BTreeSet<String>> {
    root.iter(txn)?
        .map(|entry| entry.map(|(name, ())| name.to_owned()))
        .collect()
}

fn write_identity(
    txn: &mut RwTxn<'_>,
    table: &Database<'_, Bytes, Bytes>,
    identity: &Identity,
) -> heed::Result<()> {
    let bytes =
        serde_json::to_vec(identity).map_err(|error| heed::Error::Encoding(error.into()))?;
    table.put(txn, IDENTITY_KEY, &bytes)
}

fn migrate<S: Schema>(
    env: &Env,
    opener: &Opener,
    (handles, options): (BTreeMap<String, Handle>, &Options),
    from: u64,
) -> Result<(), Error> {
    let identity_table = handles[IDENTITY_TABLE];
    let kept = opener.tables.iter().map(|table| table.name).collect();
    let upgrade = Upgrade::new(handles, kept, options.facts.clone());
    let begin = |error| Error::storage("begin a migration", error);
    let mut txn = env.write_txn().map_err(begin)?;
    let known = S::MIGRATIONS.len() as u64;
    for (version, migration) in (0_u64..)
        .zip(S::MIGRATIONS)
        .filter(|(version, _)| *version >= from)
    {
        tracing::info!(
            db.schema = S::NAME,
            db.from = version,
            db.to = version + 1,
            "migrating the database"
        );
        migration(&mut txn, &upgrade)?;
    }
    for table in &opener.reindexers {
        table.reindex(&mut txn)?;
    }
    let identity = Identity {
        name: S::NAME.to_owned(),
        version: known,
    };
    write_identity(&mut txn, &identity_table, &identity)
        .and_then(|()| txn.commit())
        .map_err(|error| Error::storage("commit a migration", error))
}
