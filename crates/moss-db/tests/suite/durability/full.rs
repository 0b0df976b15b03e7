//! A disk without room: a file system of a few megabytes, in a namespace of its own.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use moss_db::{
    BackupError, Environment, Error, Migration, OpenError, Opener, Options, Schema, Table,
};
use tokio::task::JoinSet;

use crate::child;

const READERS: u32 = 1000;

struct Tables {
    rows: Table<u64, String>,
}

impl Schema for Tables {
    const NAME: &'static str = "full";
    const MIGRATIONS: &'static [Migration] = &[];

    fn declare(opener: &mut Opener) -> Self {
        Self {
            rows: opener.table("rows"),
        }
    }
}

/// Mounts the disk over the folder, and goes on as the executable that it is given.
const MOUNT: &str = r#"mount -t tmpfs -o size=4m none "$MOSS_DB_CHILD_FOLDER" && exec "$0" "$@""#;

#[test]
fn a_full_disk_refuses_changes_whole_and_takes_them_again_once_there_is_room() {
    run_on_small_disk("durability::full::fill");
}

#[test]
fn a_disk_too_full_to_open_a_database_says_so() {
    run_on_small_disk("durability::full::open_without_room");
}

#[test]
fn a_disk_too_full_for_a_restore_is_not_blamed_on_the_backup() {
    run_on_small_disk("durability::full::restore_without_room");
}

fn run_on_small_disk(test: &str) {
    let refused = Command::new("unshare").args(["-rm", "true"]).output();
    if !refused.is_ok_and(|output| output.status.success()) {
        testbed::skip::lacks("a disk of its own needs user namespaces, which are refused here");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let options = ["-rm", "sh", "-c", MOUNT].map(OsStr::new);
    let command = child::wrapped("unshare", &options);
    let output = child::start(command, test, folder.path(), &[0])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}"
    );
}

fn open(folder: &Path) -> Result<(Environment, Tables), OpenError> {
    let options = Options {
        map_size: 1 << 30,
        max_readers: READERS,
        ..Options::default()
    };
    Environment::open::<Tables>(&folder.join("db"), &options)
}

fn row(key: u64) -> String {
    format!("row {key} ").repeat(500)
}

/// Whether what is there is the rows up to `count`, whole.
fn is_whole(environment: &Environment, tables: &Tables, count: u64) -> Result<bool, Error> {
    environment.read(|txn| {
        let rows = tables.rows.iter(txn)?.collect::<Result<Vec<_>, _>>()?;
        Ok(rows == (0..count).map(|key| (key, row(key))).collect::<Vec<_>>())
    })
}

/// Begins reading while `more` others do.
fn read_at_once(environment: &Environment, more: u32) -> Result<(), Error> {
    environment.read(|_| match more.checked_sub(1) {
        Some(more) => read_at_once(environment, more),
        None => Ok(()),
    })
}

#[test]
#[ignore = "run by another, on a disk of its own"]
fn fill() {
    let Some((folder, [_])) = child::task() else {
        return;
    };
    let ballast = folder.join("ballast");
    std::fs::write(&ballast, vec![1; 1 << 20]).unwrap();
    let (environment, tables) = open(&folder).unwrap();
    let mut count = 0;
    let refused = loop {
        match environment.write(|txn| tables.rows.put(txn, &count, &row(count))) {
            Ok(()) => count += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, Error::DiskFull), "{refused}");
    assert!(count > 100, "only {count} rows came to the disk");
    assert!(is_whole(&environment, &tables, count).unwrap());

    // All that share a commit are refused together.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let refused = runtime.block_on(async {
        let mut waiting = JoinSet::new();
        for key in count..count + 100 {
            let (environment, rows) = (environment.clone(), tables.rows.clone());
            waiting.spawn(async move {
                environment
                    .submit(move |txn| rows.put(txn, &key, &row(key)))
                    .await
            });
        }
        waiting.join_all().await
    });
    for refused in refused {
        assert!(matches!(refused, Err(Error::DiskFull)), "{refused:?}");
    }
    assert!(is_whole(&environment, &tables, count).unwrap());

    // Readers need nothing of the disk, however many there are; nor does a new start.
    read_at_once(&environment, READERS - 1).unwrap();
    drop(environment);
    let (environment, tables) = open(&folder).unwrap();
    assert!(is_whole(&environment, &tables, count).unwrap());

    std::fs::remove_file(ballast).unwrap();
    for key in count..count + 50 {
        environment
            .write(|txn| tables.rows.put(txn, &key, &row(key)))
            .unwrap();
    }
    drop(environment);
    let (environment, tables) = open(&folder).unwrap();
    assert!(is_whole(&environment, &tables, count + 50).unwrap());
}

#[test]
#[ignore = "run by another, on a disk of its own"]
fn open_without_room() {
    let Some((folder, [_])) = child::task() else {
        return;
    };
    // Room for the folder and no more.
    let ballast = folder.join("ballast");
    let mut length: usize = 4 << 20;
    while std::fs::write(&ballast, vec![1; length]).is_err() {
        length -= 4096;
    }
    let Err(error) = open(&folder) else {
        panic!("there is room after all");
    };
    assert!(matches!(error, OpenError::DiskFull { .. }), "{error}");
    std::fs::remove_file(ballast).unwrap();
    let (environment, tables) = open(&folder).unwrap();
    assert!(is_whole(&environment, &tables, 0).unwrap());
}

#[test]
#[ignore = "run by another, on a disk of its own"]
fn restore_without_room() {
    let Some((folder, [_])) = child::task() else {
        return;
    };
    let elsewhere = tempfile::tempdir().unwrap();
    let backup = elsewhere.path().join("backup.mdb");
    {
        let (environment, tables) = open(elsewhere.path()).unwrap();
        environment
            .write(|txn| (0..20).try_for_each(|key| tables.rows.put(txn, &key, &row(key))))
            .unwrap();
        environment.backup(&backup).unwrap();
    }
    // One page more each time: for more of the copy, and then for more of what LMDB needs beside.
    let ballast = folder.join("ballast");
    let mut length: usize = 4 << 20;
    let mut refusals = Vec::new();
    loop {
        if std::fs::write(&ballast, vec![1; length]).is_ok() {
            match moss_db::restore(&backup, &folder.join("db")) {
                Ok(()) => break,
                Err(error) => refusals.push(error),
            }
        }
        length -= 4096;
    }
    let count = |is: fn(&BackupError) -> bool| refusals.iter().filter(|error| is(error)).count();
    let copying = count(|error| matches!(error, BackupError::File { .. }));
    let probing = count(|error| {
        matches!(
            error,
            BackupError::Probe {
                source: OpenError::DiskFull { .. },
                ..
            }
        )
    });
    assert!(copying > 0 && probing > 0, "{refusals:?}");
    assert_eq!(copying + probing, refusals.len(), "{refusals:?}");
    std::fs::remove_file(ballast).unwrap();
    let (environment, tables) = open(&folder).unwrap();
    assert!(is_whole(&environment, &tables, 20).unwrap());
}
