use moss_db::{Environment, Error, Migration, OpenError, Opener, Options, Schema, Table};

use crate::Plain;

#[test]
fn rows_are_there_after_reopening() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("not/yet/there");
    for number in 0..3 {
        let (environment, tables) =
            Environment::open::<Plain>(&folder, &Options::default()).unwrap();
        let before = environment
            .write(|txn| {
                let before = tables.rows.len(txn)?;
                tables.rows.put(txn, &number, &"row".to_owned())?;
                Ok::<_, Error>(before)
            })
            .unwrap();
        assert_eq!(before, number);
    }
}

#[test]
fn a_folder_is_open_only_once() {
    let folder = tempfile::tempdir().unwrap();
    let first = Environment::open::<Plain>(folder.path(), &Options::default()).unwrap();
    let error = Environment::open::<Plain>(folder.path(), &Options::default()).unwrap_err();
    assert!(matches!(error, OpenError::AlreadyOpen { .. }), "{error}");
    drop(first);
    Environment::open::<Plain>(folder.path(), &Options::default()).unwrap();
}

#[test]
fn a_file_in_place_of_the_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, "").unwrap();
    let error = Environment::open::<Plain>(&path, &Options::default()).unwrap_err();
    assert!(matches!(error, OpenError::Folder { path: named, .. } if named == path));
}

#[test]
fn a_database_of_another_program_is_refused() {
    struct Other;
    impl Schema for Other {
        const NAME: &'static str = "other";
        const MIGRATIONS: &'static [Migration] = &[];
        fn declare(_: &mut Opener) -> Self {
            Self
        }
    }
    let folder = tempfile::tempdir().unwrap();
    drop(Environment::open::<Plain>(folder.path(), &Options::default()).unwrap());
    let Err(error) = Environment::open::<Other>(folder.path(), &Options::default()) else {
        panic!("the database of `plain` was opened as one of `other`");
    };
    let shown = error.to_string();
    assert!(
        shown.ends_with("belongs to `plain`, not to `other`"),
        "{shown}"
    );
}

#[test]
fn a_file_that_is_no_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("data.mdb"), [7; 65536]).unwrap();
    let error = Environment::open::<Plain>(folder.path(), &Options::default()).unwrap_err();
    assert!(matches!(error, OpenError::Storage { .. }), "{error}");
}

#[test]
fn a_table_name_is_declared_only_once() {
    #[derive(Debug)]
    struct Twice;
    impl Schema for Twice {
        const NAME: &'static str = "twice";
        const MIGRATIONS: &'static [Migration] = &[];
        fn declare(opener: &mut Opener) -> Self {
            let _: (Table<u64, u8>, Table<u64, u8>) = (opener.table("rows"), opener.table("rows"));
            Self
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let error = Environment::open::<Twice>(folder.path(), &Options::default()).unwrap_err();
    assert!(
        matches!(error, OpenError::TableName { table: "rows", .. }),
        "{error}"
    );
}

#[test]
fn a_full_map_is_a_clear_refusal_and_recovers() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        map_size: 1 << 20,
        ..Options::default()
    };
    let (environment, tables) = Environment::open::<Plain>(folder.path(), &options).unwrap();
    assert!(!environment.usage().is_high());
    let mut written = 0;
    let error = loop {
        let value = "x".repeat(10_000);
        match environment.write(|txn| tables.rows.put(txn, &written, &value)) {
            Ok(()) => written += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::MapFull), "{error}");
    assert!(written > 50, "only {written} rows of 10 kB fit into 1 MiB");
    let usage = environment.usage();
    assert!(usage.is_high(), "{usage:?}");
    assert_eq!(usage.map_size(), 1 << 20);
    let kept = environment.read(|txn| tables.rows.len(txn)).unwrap();
    assert_eq!(kept, written);

    // A greater map is all it takes.
    drop(environment);
    let options = Options {
        map_size: 4 << 20,
        ..Options::default()
    };
    let (environment, tables) = Environment::open::<Plain>(folder.path(), &options).unwrap();
    assert!(!environment.usage().is_high());
    environment
        .write(|txn| tables.rows.put(txn, &written, &"x".repeat(10_000)))
        .unwrap();
}
