//! A process with less address space than the map of a database has.

use std::ffi::OsStr;
use std::io::ErrorKind;

use moss_db::{BackupError, Environment, Migration, OpenError, Opener, Options, Schema, Table};

use crate::child;

struct Tables {
    _rows: Table<u64, String>,
}

impl Schema for Tables {
    const NAME: &'static str = "memory";
    const MIGRATIONS: &'static [Migration] = &[];

    fn declare(opener: &mut Opener) -> Self {
        Self {
            _rows: opener.table("rows"),
        }
    }
}

/// Takes 64 GiB at most, and goes on as the executable that it is given.
const LIMIT: &str = r#"ulimit -v 67108864 && exec "$0" "$@""#;

#[test]
fn memory_that_a_restore_lacks_is_not_blamed_on_the_backup() {
    let folder = tempfile::tempdir().unwrap();
    let command = child::wrapped("sh", &["-c", LIMIT].map(OsStr::new));
    let output = child::start(
        command,
        "durability::memory::restore_without_memory",
        folder.path(),
        &[0],
    )
    .output()
    .unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}"
    );
}

#[test]
#[ignore = "run by another, with little memory"]
fn restore_without_memory() {
    let Some((folder, [_])) = child::task() else {
        return;
    };
    let options = Options {
        map_size: 1 << 30,
        ..Options::default()
    };
    let (environment, _) = Environment::open::<Tables>(&folder.join("db"), &options).unwrap();
    let backup = folder.join("backup.mdb");
    environment.backup(&backup).unwrap();
    let refused = moss_db::restore(&backup, &folder.join("restored")).unwrap_err();
    assert!(
        matches!(
            &refused,
            BackupError::Probe {
                source: OpenError::Storage {
                    source: heed::Error::Io(source),
                    ..
                },
                ..
            } if source.kind() == ErrorKind::OutOfMemory
        ),
        "{refused:?}"
    );
}
