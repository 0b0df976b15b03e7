use std::ops::Bound;

use moss_db::{Environment, Error, Migration, Opener, Options, RoTxn, Rows, Schema, Table, Text};

use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_oneof, proptest};

use crate::Plain;

struct Composites {
    logs: Table<(String, u64), String>,
    versions: Table<Text<std::net::Ipv4Addr>, u8>,
}

impl Schema for Composites {
    const NAME: &'static str = "composites";
    const MIGRATIONS: &'static [Migration] = &[];

    fn declare(opener: &mut Opener) -> Self {
        Self {
            logs: opener.table("logs"),
            versions: opener.table("versions"),
        }
    }
}

#[test]
fn rows_are_found_replaced_and_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let (environment, tables) =
        Environment::open::<Plain>(folder.path(), &Options::default()).unwrap();
    let rows = &tables.rows;
    environment
        .write(|txn| {
            assert_eq!(rows.find(txn, &1)?, None);
            rows.put(txn, &1, &"one".to_owned())?;
            rows.put(txn, &1, &"uno".to_owned())?;
            assert_eq!(
                rows.put_new(txn, &1, &"eins".to_owned())?,
                Some("uno".to_owned())
            );
            assert_eq!(rows.put_new(txn, &2, &"zwei".to_owned())?, None);
            assert!(rows.contains(txn, &2)?);
            assert!(rows.delete(txn, &2)?);
            assert!(!rows.delete(txn, &2)?);
            assert_eq!(rows.len(txn)?, 1);
            Ok::<_, Error>(())
        })
        .unwrap();
    let found = environment.read(|txn| rows.find(txn, &1)).unwrap();
    assert_eq!(found.as_deref(), Some("uno"));
}

#[test]
fn a_failed_write_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (environment, tables) =
        Environment::open::<Plain>(folder.path(), &Options::default()).unwrap();
    let refused = environment.write(|txn| {
        tables.rows.put(txn, &1, &"one".to_owned())?;
        Err::<(), _>(Error::Closed)
    });
    assert!(matches!(refused, Err(Error::Closed)));
    assert!(environment.read(|txn| tables.rows.is_empty(txn)).unwrap());
}

#[test]
fn rows_are_walked_in_the_order_of_their_keys() {
    let folder = tempfile::tempdir().unwrap();
    let (environment, tables) =
        Environment::open::<Plain>(folder.path(), &Options::default()).unwrap();
    let rows = &tables.rows;
    environment
        .write(|txn| {
            for key in [300, 1, 256, 2] {
                rows.put(txn, &key, &key.to_string())?;
            }
            Ok::<_, Error>(())
        })
        .unwrap();
    let keys = |rows: Result<Rows<'_, u64, String>, Error>| {
        rows.and_then(|rows| rows.keys().collect::<Result<Vec<_>, _>>())
            .unwrap()
    };
    environment
        .read(|txn| {
            assert_eq!(keys(rows.iter(txn)), [1, 2, 256, 300]);
            assert_eq!(keys(rows.iter_rev(txn)), [300, 256, 2, 1]);
            assert_eq!(keys(rows.range(txn, 2..300)), [2, 256]);
            assert_eq!(keys(rows.range_rev(txn, 2..=300)), [300, 256, 2]);
            let above_two = (Bound::Excluded(2), Bound::Unbounded);
            assert_eq!(keys(rows.range(txn, above_two)), [256, 300]);
            #[expect(
                clippy::reversed_empty_ranges,
                reason = "the crossed bounds are the test"
            )]
            let crossed = 300..2;
            assert_eq!(keys(rows.range(txn, crossed.clone())), [0_u64; 0]);
            assert_eq!(keys(rows.range_rev(txn, crossed)), [0_u64; 0]);
            assert_eq!(rows.first(txn)?.map(|(key, _)| key), Some(1));
            assert_eq!(rows.last(txn)?, Some((300, "300".to_owned())));
            Ok::<_, Error>(())
        })
        .unwrap();
}

#[test]
fn a_prefix_is_a_member_and_not_a_part_of_one() {
    let folder = tempfile::tempdir().unwrap();
    let (environment, tables) =
        Environment::open::<Composites>(folder.path(), &Options::default()).unwrap();
    let logs = &tables.logs;
    environment
        .write(|txn| {
            for (name, number) in [("nano", 2), ("nan", 9), ("nano", 1), ("nanot", 0)] {
                logs.put(txn, &(name.to_owned(), number), &format!("{name} {number}"))?;
            }
            let address = std::net::Ipv4Addr::LOCALHOST;
            tables.versions.put(txn, &address, &4)?;
            assert_eq!(tables.versions.first(txn)?, Some((address, 4)));
            Ok::<_, Error>(())
        })
        .unwrap();
    let texts = |txn: &RoTxn<'_>| {
        let forward = logs.iter_prefix(txn, &"nano".to_owned())?;
        let backward = logs.iter_prefix_rev(txn, &"nano".to_owned())?;
        forward
            .chain(backward)
            .map(|row| row.map(|(_, text)| text))
            .collect::<Result<Vec<_>, _>>()
    };
    let texts = environment.read(texts).unwrap();
    assert_eq!(texts, ["nano 1", "nano 2", "nano 2", "nano 1"]);
}

#[test]
fn a_key_that_is_too_long_is_refused_and_never_found() {
    let folder = tempfile::tempdir().unwrap();
    let (environment, tables) =
        Environment::open::<Composites>(folder.path(), &Options::default()).unwrap();
    let key = ("n".repeat(600), 1);
    let error = environment
        .write(|txn| tables.logs.put(txn, &key, &String::new()))
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot write to table `logs`: the key has 610 bytes, the limit is 511"
    );
    environment
        .write(|txn| {
            assert_eq!(tables.logs.find(txn, &key)?, None);
            assert!(!tables.logs.delete(txn, &key)?);
            Ok::<_, Error>(())
        })
        .unwrap();
}

#[test]
fn a_row_of_another_form_is_named() {
    struct Numbers(Table<u64, u64>);
    impl Schema for Numbers {
        const NAME: &'static str = "plain";
        const MIGRATIONS: &'static [Migration] = &[];
        fn declare(opener: &mut Opener) -> Self {
            Self(opener.table("rows"))
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let (environment, tables) =
        Environment::open::<Plain>(folder.path(), &Options::default()).unwrap();
    environment
        .write(|txn| tables.rows.put(txn, &65, &"text".to_owned()))
        .unwrap();
    drop(environment);
    let (environment, Numbers(rows)) =
        Environment::open::<Numbers>(folder.path(), &Options::default()).unwrap();
    let error = environment.read(|txn| rows.find(txn, &65)).unwrap_err();
    assert_eq!(
        error.to_string(),
        r"cannot read the row `\x00\x00\x00\x00\x00\x00\x00A` of table `rows`"
    );
}

#[test]
fn a_sequence_never_repeats_a_number() {
    let folder = tempfile::tempdir().unwrap();
    let (environment, tables) =
        Environment::open::<Plain>(folder.path(), &Options::default()).unwrap();
    let next = || environment.write(|txn| tables.ids.next(txn));
    assert_eq!((next().unwrap(), next().unwrap()), (1, 2));
    let undone = environment.write(|txn| tables.ids.next(txn).and(Err::<(), _>(Error::Closed)));
    assert!(undone.is_err());
    assert_eq!(next().unwrap(), 3);
}

/// A value of every kind that rows are made of.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
enum Value {
    Nothing,
    Number(i64),
    Large(u64),
    Flag(bool),
    Text(String),
    Maybe(Option<String>),
    Many(Vec<(u32, String)>),
    Named { from: u8, into: Vec<u8> },
}

struct Values(Table<(i32, String), Value>);

impl Schema for Values {
    const NAME: &'static str = "values";
    const MIGRATIONS: &'static [Migration] = &[];

    fn declare(opener: &mut Opener) -> Self {
        Self(opener.table("values"))
    }
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Nothing),
        any::<i64>().prop_map(Value::Number),
        any::<u64>().prop_map(Value::Large),
        any::<bool>().prop_map(Value::Flag),
        any::<String>().prop_map(Value::Text),
        any::<Option<String>>().prop_map(Value::Maybe),
        any::<Vec<(u32, String)>>().prop_map(Value::Many),
        any::<(u8, Vec<u8>)>().prop_map(|(from, into)| Value::Named { from, into }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// What was written is read again, also by the next start, and in the order of the keys.
    #[test]
    fn rows_come_back_as_they_were(
        rows in proptest::collection::btree_map((any::<i32>(), ".{0,40}"), value(), 0..20)
    ) {
        let folder = tempfile::tempdir().unwrap();
        let open = || Environment::open::<Values>(folder.path(), &Options::default()).unwrap();
        let (environment, Values(table)) = open();
        environment
            .write(|txn| rows.iter().try_for_each(|(key, row)| table.put(txn, key, row)))
            .unwrap();
        drop(environment);
        let (environment, Values(table)) = open();
        let read = environment.read(|txn| table.iter(txn)?.collect::<Result<Vec<_>, Error>>());
        assert_eq!(read.unwrap(), rows.into_iter().collect::<Vec<_>>());
    }
}
