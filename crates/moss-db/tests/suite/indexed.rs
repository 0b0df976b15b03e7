use std::collections::BTreeMap;

use moss_db::{
    Environment, Error, Inconsistency, Index, Indexed, Migration, Opener, Options, Schema, Table,
};
use proptest::prelude::{Strategy, any, prop_oneof, proptest};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Package {
    name: String,
    provides: Vec<u8>,
}

#[derive(Debug)]
struct Packages {
    packages: Indexed<u64, Package>,
    by_name: Index<String, u64>,
    by_provided: Index<u8, u64>,
}

impl Schema for Packages {
    const NAME: &'static str = "packages";
    const MIGRATIONS: &'static [Migration] = &[];

    fn declare(opener: &mut Opener) -> Self {
        let mut packages = opener.indexed("packages");
        let by_name = packages.index("by_name", |_, row: &Package| vec![row.name.clone()]);
        let by_provided = packages.index("by_provided", |_, row: &Package| row.provides.clone());
        Self {
            packages: packages.finish(),
            by_name,
            by_provided,
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Put(u64, Package),
    Delete(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let package = ("[ab]{0,2}", proptest::collection::vec(0..4_u8, 0..4))
        .prop_map(|(name, provides)| Package { name, provides });
    let step = prop_oneof![
        3 => (0..6_u64, package).prop_map(|(key, row)| Step::Put(key, row)),
        1 => (0..6_u64).prop_map(Step::Delete),
    ];
    proptest::collection::vec(step, 0..40)
}

proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(40))]

    /// Whatever happens to the rows, the indexes give what a search of all rows would.
    #[test]
    fn indexes_stay_in_step(steps in steps(), keep in any::<bool>()) {
        let folder = tempfile::tempdir().unwrap();
        let (environment, tables) =
            Environment::open::<Packages>(folder.path(), &Options::default()).unwrap();
        let mut model = BTreeMap::new();
        let outcome = environment.write(|txn| {
            for step in steps {
                match step {
                    Step::Put(key, row) => {
                        tables.packages.put(txn, &key, &row)?;
                        model.insert(key, row);
                    }
                    Step::Delete(key) => {
                        assert_eq!(tables.packages.delete(txn, &key)?, model.remove(&key));
                    }
                }
            }
            if keep { Ok(()) } else { Err(Error::Closed) }
        });
        assert_eq!(outcome.is_ok(), keep);
        if !keep {
            model.clear();
        }
        compare(&environment, &tables, &model);
    }
}

fn compare(environment: &Environment, tables: &Packages, model: &BTreeMap<u64, Package>) {
    environment
        .read(|txn| {
            assert_eq!(tables.packages.check(txn)?, []);
            for provided in 0..4 {
                let found = tables
                    .packages
                    .find_by(txn, &tables.by_provided, &provided)?
                    .collect::<Result<BTreeMap<_, _>, _>>()?;
                let mut expected = model.clone();
                expected.retain(|_, row| row.provides.contains(&provided));
                assert_eq!(found, expected);
            }
            let pairs = tables.by_name.iter(txn)?.collect::<Result<Vec<_>, _>>()?;
            let mut expected: Vec<_> = model
                .iter()
                .map(|(key, row)| (row.name.clone(), *key))
                .collect();
            expected.sort();
            assert_eq!(pairs, expected);
            Ok::<_, Error>(())
        })
        .unwrap();
}

#[test]
fn a_row_whose_entries_cannot_be_written_is_not_written_either() {
    let folder = tempfile::tempdir().unwrap();
    let (environment, tables) =
        Environment::open::<Packages>(folder.path(), &Options::default()).unwrap();
    let row = |name: &str, provided| Package {
        name: name.to_owned(),
        provides: vec![provided],
    };
    let long = "a".repeat(1000);
    // The change goes on in spite of the error, and is committed.
    environment
        .write(|txn| {
            tables.packages.put(txn, &1, &row("a", 1))?;
            for key in [1, 2] {
                let refused = tables.packages.put(txn, &key, &row(&long, 2));
                assert!(
                    matches!(
                        refused,
                        Err(Error::KeyTooLong {
                            table: "by_name",
                            ..
                        })
                    ),
                    "{refused:?}"
                );
            }
            Ok::<_, Error>(())
        })
        .unwrap();
    compare(&environment, &tables, &BTreeMap::from([(1, row("a", 1))]));
}

#[test]
fn put_new_and_clear_keep_the_indexes_too() {
    let folder = tempfile::tempdir().unwrap();
    let (environment, tables) =
        Environment::open::<Packages>(folder.path(), &Options::default()).unwrap();
    let row = |name: &str| Package {
        name: name.to_owned(),
        provides: vec![1],
    };
    environment
        .write(|txn| {
            assert_eq!(tables.packages.put_new(txn, &1, &row("a"))?, None);
            assert_eq!(tables.packages.put_new(txn, &1, &row("b"))?, Some(row("a")));
            assert_eq!(tables.by_name.keys(txn, &"b".to_owned())?.count(), 0);
            assert_eq!(tables.by_name.keys(txn, &"a".to_owned())?.count(), 1);
            tables.packages.clear(txn)?;
            assert_eq!(tables.by_provided.iter(txn)?.count(), 0);
            Ok::<_, Error>(())
        })
        .unwrap();
}

#[test]
fn a_damaged_index_is_found() {
    /// The same database, where the index is open to anybody.
    struct Damager(Table<(String, u64), ()>);
    impl Schema for Damager {
        const NAME: &'static str = "packages";
        const MIGRATIONS: &'static [Migration] = &[];
        fn declare(opener: &mut Opener) -> Self {
            Self(opener.table("by_name"))
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let (environment, tables) =
        Environment::open::<Packages>(folder.path(), &Options::default()).unwrap();
    let row = Package {
        name: "a".to_owned(),
        provides: Vec::new(),
    };
    environment
        .write(|txn| tables.packages.put(txn, &7, &row))
        .unwrap();
    drop(environment);
    let (environment, Damager(index)) =
        Environment::open::<Damager>(folder.path(), &Options::default()).unwrap();
    environment
        .write(|txn| {
            assert!(index.delete(txn, &("a".to_owned(), 7))?);
            index.put(txn, &("b".to_owned(), 7), &())
        })
        .unwrap();
    drop(environment);
    let (environment, tables) =
        Environment::open::<Packages>(folder.path(), &Options::default()).unwrap();
    let found = environment.read(|txn| tables.packages.check(txn)).unwrap();
    let entry = |name: char| format!(r"{name}\x00\x00\x00\x00\x00\x00\x00\x00\x00\x07");
    assert_eq!(
        found,
        [
            Inconsistency::Stray {
                index: "by_name",
                entry: entry('b')
            },
            Inconsistency::Missing {
                index: "by_name",
                entry: entry('a')
            },
        ]
    );
}
