use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Barrier;

use moss_db::{BackupError, Environment, Error, Options};

use crate::Plain;

/// The smallest page that LMDB makes.
const PAGE: usize = 4096;

fn open(folder: &Path) -> (Environment, Plain) {
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

/// A database of 5,000 rows.
fn filled(folder: &Path) -> Environment {
    let (environment, tables) = open(folder);
    environment
        .write(|txn| (0..5000).try_for_each(|key| tables.rows.put(txn, &key, &"row".to_owned())))
        .unwrap();
    environment
}

#[test]
fn what_is_no_database_is_not_restored() {
    let folder = tempfile::tempdir().unwrap();
    let environment = filled(&folder.path().join("live"));
    let backup = folder.path().join("backup.mdb");
    environment.backup(&backup).unwrap();
    let whole = std::fs::read(&backup).unwrap();
    let bad = folder.path().join("bad.mdb");
    let restored = folder.path().join("restored");
    let pages = whole.len() / PAGE;
    for bytes in [
        &b"no database"[..],
        &[],
        &[7; 4 * PAGE],
        &whole[..whole.len() / 2],
        &whole[..pages / 2 * PAGE],
        &whole[..whole.len() - 1],
    ] {
        std::fs::write(&bad, bytes).unwrap();
        let refused = moss_db::restore(&bad, &restored);
        assert!(
            matches!(refused, Err(BackupError::NoDatabase(_))),
            "{refused:?}"
        );
        assert_eq!(names(&restored), [""; 0], "nothing is left");
    }
    moss_db::restore(&backup, &restored).unwrap();
    let (copy, copied) = open(&restored);
    assert_eq!(copy.check().unwrap(), []);
    assert_eq!(copy.read(|txn| copied.rows.len(txn)).unwrap(), 5000);
}

/// LMDB itself would take each of these for a database: it looks at the meta pages and at no page
/// that nobody asks for.
#[test]
fn a_damaged_backup_is_not_restored() {
    let folder = tempfile::tempdir().unwrap();
    let environment = filled(&folder.path().join("live"));
    let backup = folder.path().join("backup.mdb");
    environment.backup(&backup).unwrap();
    let whole = std::fs::read(&backup).unwrap();
    let pages = whole.len() / PAGE;
    assert!(pages > 20, "only {pages} pages");
    let middle = pages / 2 * PAGE;
    let row = middle + PAGE - 10;
    let bad = folder.path().join("bad.mdb");
    let restored = folder.path().join("restored");
    for hole in [
        middle..middle + PAGE,
        middle..middle + 4 * PAGE,
        row..row + 1,
    ] {
        for byte in [0, 7, 255] {
            let mut bytes = whole.clone();
            bytes[hole.clone()].fill(byte);
            if bytes == whole {
                continue;
            }
            std::fs::write(&bad, bytes).unwrap();
            let refused = moss_db::restore(&bad, &restored);
            assert!(
                matches!(refused, Err(BackupError::Damaged(_))),
                "{byte} at {hole:?}: {refused:?}"
            );
            assert_eq!(names(&restored), [""; 0], "nothing is left");
        }
    }
    // The end tells of the rest, so it must not go unnoticed either that it is gone.
    let mut bytes = whole;
    bytes[middle..].fill(0);
    std::fs::write(&bad, bytes).unwrap();
    let refused = moss_db::restore(&bad, &restored);
    assert!(
        matches!(refused, Err(BackupError::NoDatabase(_))),
        "{refused:?}"
    );
}

#[test]
fn a_backup_is_a_data_file_and_a_data_file_is_restored() {
    let folder = tempfile::tempdir().unwrap();
    let [live, by_hand, restored] =
        ["live", "by-hand", "restored"].map(|name| folder.path().join(name));
    let (environment, tables) = open(&live);
    let put = |environment: &Environment, tables: &Plain, keys: std::ops::Range<u64>| {
        environment
            .write(|txn| {
                keys.clone()
                    .try_for_each(|key| tables.rows.put(txn, &key, &"row".to_owned()))
            })
            .unwrap();
    };
    put(&environment, &tables, 0..1000);
    let backup = folder.path().join("backup.mdb");
    environment.backup(&backup).unwrap();
    drop(environment);

    std::fs::create_dir(&by_hand).unwrap();
    std::fs::copy(&backup, by_hand.join("data.mdb")).unwrap();
    {
        let (environment, tables) = open(&by_hand);
        put(&environment, &tables, 1000..2000);
        assert_eq!(environment.check().unwrap(), []);
        assert_eq!(environment.read(|txn| tables.rows.len(txn)).unwrap(), 2000);
    }

    moss_db::restore(&live.join("data.mdb"), &restored).unwrap();
    let (environment, tables) = open(&restored);
    assert_eq!(environment.read(|txn| tables.rows.len(txn)).unwrap(), 1000);
}

#[test]
fn only_the_owner_may_read_copies() {
    let folder = tempfile::tempdir().unwrap();
    let (environment, _) = open(&folder.path().join("live"));
    let backup = folder.path().join("backup.mdb");
    environment.backup(&backup).unwrap();
    assert_eq!(mode(&backup), 0o600);
    // Whatever became of the backup meanwhile.
    std::fs::set_permissions(&backup, std::fs::Permissions::from_mode(0o644)).unwrap();
    let restored = folder.path().join("restored");
    moss_db::restore(&backup, &restored).unwrap();
    assert_eq!(mode(&restored.join("data.mdb")), 0o600);
    assert_eq!(names(&restored), ["data.mdb"], "nothing else is left");
}

#[test]
fn of_backups_to_one_target_at_once_one_succeeds() {
    const AT_ONCE: usize = 8;
    let folder = tempfile::tempdir().unwrap();
    let environment = filled(&folder.path().join("live"));
    let backups = folder.path().join("backups");
    std::fs::create_dir(&backups).unwrap();
    let target = backups.join("backup.mdb");
    let start = Barrier::new(AT_ONCE);
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                scope.spawn(|| {
                    start.wait();
                    environment.backup(&target)
                })
            })
            .collect();
        running.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let succeeded = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(succeeded, 1, "{outcomes:?}");
    for outcome in outcomes {
        assert!(
            matches!(outcome, Ok(()) | Err(BackupError::Exists(_))),
            "{outcome:?}"
        );
    }
    assert_eq!(names(&backups), ["backup.mdb"], "nothing else is left");
    moss_db::restore(&target, &folder.path().join("restored")).unwrap();
}

#[test]
fn what_a_crash_or_somebody_else_left_is_neither_touched_nor_in_the_way() {
    let folder = tempfile::tempdir().unwrap();
    let (environment, _) = open(&folder.path().join("live"));
    let backups = folder.path().join("backups");
    let restored = folder.path().join("restored");
    let left = [
        backups.join("backup.mdb.part"),
        backups.join(".backup.mdb.a1b2c3.part"),
        restored.join("data.mdb.part"),
        restored.join("data.mdb.part.probe/data.mdb"),
        restored.join(".restore-a1b2c3/data.mdb"),
    ];
    for left in &left {
        std::fs::create_dir_all(left.parent().unwrap()).unwrap();
        std::fs::write(left, "left").unwrap();
    }
    let target = backups.join("backup.mdb");
    environment.backup(&target).unwrap();
    moss_db::restore(&target, &restored).unwrap();
    for left in &left {
        assert_eq!(std::fs::read_to_string(left).unwrap(), "left");
    }
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

/// The names in `folder`, in order.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}
