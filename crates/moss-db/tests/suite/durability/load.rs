//! A load of writes that can be told afterwards from what is left of it.
//!
//! Callers submit changes one after the other, each caller waiting for its own. What a caller's
//! n-th change is follows from the seed, and the number of changes made is written by the same
//! change: so rows that do not belong to that number are found.

use std::collections::BTreeMap;
use std::path::Path;

use moss_db::{
    Environment, Error, Index, Indexed, Migration, Opener, Options, RwTxn, Schema, Table,
};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use crate::child;

/// The test that is the load, by its whole name.
pub(crate) const RUN: &str = "durability::load::run";

/// How many rows a caller has at most.
const ROWS: u64 = 16;
const COLOURS: [&str; 3] = ["red", "green", "blue"];

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Row {
    colour: String,
    /// Long enough now and then for pages of its own.
    text: String,
}

pub(crate) struct Tables {
    rows: Indexed<(u64, u64), Row>,
    by_colour: Index<String, (u64, u64)>,
    /// By caller the number of its changes, and a text to find the page by.
    made: Table<u64, (u64, String)>,
}

impl Schema for Tables {
    const NAME: &'static str = "load";
    const MIGRATIONS: &'static [Migration] = &[];

    fn declare(opener: &mut Opener) -> Self {
        let mut rows = opener.indexed("rows");
        let by_colour = rows.index("rows_by_colour", |_, row: &Row| vec![row.colour.clone()]);
        Self {
            rows: rows.finish(),
            by_colour,
            made: opener.table("made"),
        }
    }
}

/// Names a change, in the database and when it is acknowledged: no name is part of another.
pub(crate) fn name(caller: u64, number: u64) -> String {
    format!("caller {caller} change {number}.")
}

/// What the change is: a row to be written, or to be deleted.
fn change(seed: u64, caller: u64, number: u64) -> (u64, Option<Row>) {
    let mut random = StdRng::seed_from_u64(seed ^ (caller << 48) ^ number);
    let key = random.random_range(0..ROWS);
    let row = random.random_bool(0.8).then(|| {
        let colour = COLOURS[random.random_range(0..COLOURS.len())].to_owned();
        let length = random.random_range(0..100) * random.random_range(0..60);
        let text = "x".repeat(length);
        Row { colour, text }
    });
    (key, row)
}

impl Tables {
    fn make(&self, txn: &mut RwTxn<'_>, seed: u64, caller: u64, number: u64) -> Result<(), Error> {
        match change(seed, caller, number) {
            (key, Some(row)) => self.rows.put(txn, &(caller, key), &row)?,
            (key, None) => drop(self.rows.delete(txn, &(caller, key))?),
        }
        self.made.put(txn, &caller, &(number, name(caller, number)))
    }
}

/// Makes `count` changes for each caller and says of each that it is acknowledged.
#[test]
#[ignore = "run by the others, as a process of its own"]
fn run() {
    let Some((folder, [seed, callers, count])) = child::task() else {
        return;
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let (environment, tables) =
            Environment::open::<Tables>(&folder, &Options::default()).unwrap();
        let tables = std::sync::Arc::new(tables);
        let mut waiting = JoinSet::new();
        for caller in 0..callers {
            let (environment, tables) = (environment.clone(), tables.clone());
            let made = environment
                .read(|txn| tables.made.find(txn, &caller))
                .unwrap();
            let first = made.map_or(0, |(made, _)| made) + 1;
            waiting.spawn(async move {
                for number in first..first.saturating_add(count) {
                    let tables = tables.clone();
                    environment
                        .submit(move |txn| tables.make(txn, seed, caller, number))
                        .await
                        .unwrap();
                    child::tell(&format!("acknowledged {}", name(caller, number)));
                }
            });
        }
        waiting.join_all().await;
    });
}

/// Opens what a load has left and finds out how many changes of each caller are in it, all of
/// which must be whole, and the indexes in step.
pub(crate) fn examine(folder: &Path, seed: u64, callers: u64) -> Vec<u64> {
    let (environment, tables) = Environment::open::<Tables>(folder, &Options::default()).unwrap();
    environment
        .read(|txn| {
            assert_eq!(tables.rows.check(txn)?, []);
            let indexed = tables.by_colour.iter(txn)?.count() as u64;
            assert_eq!(indexed, tables.rows.len(txn)?);
            let mut all = Vec::new();
            for caller in 0..callers {
                let made = tables.made.find(txn, &caller)?.map_or(0, |(made, _)| made);
                let mut expected = BTreeMap::new();
                for number in 1..=made {
                    match change(seed, caller, number) {
                        (key, Some(row)) => drop(expected.insert((caller, key), row)),
                        (key, None) => drop(expected.remove(&(caller, key))),
                    }
                }
                let rows = tables.rows.iter_prefix(txn, &caller)?;
                let rows: BTreeMap<_, _> = rows.collect::<Result<_, _>>()?;
                assert!(
                    rows == expected,
                    "the rows are not those of {}",
                    name(caller, made)
                );
                all.push(made);
            }
            Ok::<_, Error>(all)
        })
        .unwrap()
}
