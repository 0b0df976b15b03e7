use moss_db::{BackupError, Environment, Error, Options};

use crate::Plain;

fn open(folder: &std::path::Path) -> (Environment, Plain) {
    Environment::open(folder, &Options::default()).unwrap()
}

#[test]
fn a_backup_of_a_database_in_use_is_one_state_and_restores() {
    let folder = tempfile::tempdir().unwrap();
    let (environment, tables) = open(&folder.path().join("live"));
    let target = folder.path().join("backup.mdb");
    environment
        .write(|txn| (0..1000).try_for_each(|key| tables.rows.put(txn, &key, &"before".to_owned())))
        .unwrap();
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            // Each transaction adds two rows: a backup with an odd number is torn.
            for key in 500..700 {
                environment.write(|txn| {
                    tables.rows.put(txn, &(2 * key), &"after".to_owned())?;
                    tables.rows.put(txn, &(2 * key + 1), &"after".to_owned())
                })?;
            }
            Ok::<_, Error>(())
        });
        environment.backup(&target).unwrap();
        writing.join().unwrap().unwrap();
    });
    let restored = folder.path().join("restored");
    moss_db::restore(&target, &restored).unwrap();
    let (copy, copied) = open(&restored);
    let rows = copy.read(|txn| copied.rows.len(txn)).unwrap();
    assert!(
        (1000..=1400).contains(&rows) && rows % 2 == 0,
        "{rows} rows"
    );
    copy.write(|txn| copied.rows.put(txn, &0, &"again".to_owned()))
        .unwrap();
}

#[test]
fn what_is_no_database_is_not_restored() {
    let folder = tempfile::tempdir().unwrap();
    let (environment, tables) = open(&folder.path().join("live"));
    environment
        .write(|txn| (0..5000).try_for_each(|key| tables.rows.put(txn, &key, &"row".to_owned())))
        .unwrap();
    let backup = folder.path().join("backup.mdb");
    environment.backup(&backup).unwrap();
    let whole = std::fs::read(&backup).unwrap();
    let bad = folder.path().join("bad.mdb");
    let restored = folder.path().join("restored");
    let mut foreign = whole.clone();
    foreign[..16384].fill(7);
    for bytes in [
        &b"no database"[..],
        &[],
        &foreign,
        &whole[..whole.len() / 2],
    ] {
        std::fs::write(&bad, bytes).unwrap();
        let refused = moss_db::restore(&bad, &restored);
        assert!(
            matches!(refused, Err(BackupError::NoDatabase(_))),
            "{refused:?}"
        );
        assert_eq!(
            std::fs::read_dir(&restored).unwrap().count(),
            0,
            "nothing is left"
        );
    }
    moss_db::restore(&backup, &restored).unwrap();
    let (copy, copied) = open(&restored);
    assert_eq!(copy.check().unwrap(), []);
    assert_eq!(copy.read(|txn| copied.rows.len(txn)).unwrap(), 5000);
}

#[test]
fn nothing_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let live = folder.path().join("live");
    let (environment, _) = open(&live);
    let target = folder.path().join("backup.mdb");
    environment.backup(&target).unwrap();
    assert!(matches!(
        environment.backup(&target),
        Err(BackupError::Exists(_))
    ));
    assert!(matches!(
        moss_db::restore(&target, &live),
        Err(BackupError::Exists(_))
    ));
    let nowhere = folder.path().join("missing/backup.mdb");
    assert!(matches!(
        environment.backup(&nowhere),
        Err(BackupError::File { .. })
    ));
}
