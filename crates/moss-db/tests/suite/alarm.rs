//! The warning before a map is full. All that a process logs is looked at, so a process of its own
//! fills the map: other tests that log the same at the same time would be counted too.

use std::process::Command;

use moss_db::{Environment, Migration, Opener, Options, Schema, Table};

use crate::child;

struct Plain {
    rows: Table<u64, String>,
}

impl Schema for Plain {
    const NAME: &'static str = "plain";
    const MIGRATIONS: &'static [Migration] = &[];

    fn declare(opener: &mut Opener) -> Self {
        Self {
            rows: opener.table("rows"),
        }
    }
}

#[test]
fn a_map_that_fills_is_told_of_once_and_at_every_start() {
    let folder = tempfile::tempdir().unwrap();
    let command = Command::new(child::executable());
    let output = child::start(command, "alarm::fill_and_count", folder.path(), &[0])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}"
    );
}

#[test]
#[ignore = "run by another, in a process of its own"]
fn fill_and_count() {
    let Some((folder, [_])) = child::task() else {
        return;
    };
    let options = Options {
        map_size: 1 << 20,
        ..Options::default()
    };
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(log.clone())
        .with_ansi(false)
        .finish();
    // For all threads: the one that writes for async callers logs too.
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let (environment, tables) = Environment::open::<Plain>(&folder, &options).unwrap();
    for key in 0.. {
        let was_high = environment.usage().is_high();
        assert_eq!(log.warnings(), usize::from(was_high));
        let row = "x".repeat(10_000);
        if environment
            .write(|txn| tables.rows.put(txn, &key, &row))
            .is_err()
        {
            break;
        }
    }
    assert_eq!(log.warnings(), 1, "{:?}", environment.usage());
    drop(environment);
    drop(Environment::open::<Plain>(&folder, &options).unwrap());
    assert_eq!(log.warnings(), 2);
    submit_until_full(&folder.join("other"), &options);
    assert_eq!(log.warnings(), 3);
}

/// Fills a database as async code does. When this returns, its writer has ended.
fn submit_until_full(folder: &std::path::Path, options: &Options) {
    let (environment, tables) = Environment::open::<Plain>(folder, options).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    for key in 0.. {
        let rows = tables.rows.clone();
        let row = "x".repeat(10_000);
        let submitted = environment.submit(move |txn| rows.put(txn, &key, &row));
        if runtime.block_on(submitted).is_err() {
            break;
        }
    }
}

/// What was logged.
#[derive(Debug, Clone, Default)]
struct Log(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl Log {
    fn warnings(&self) -> usize {
        let log = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        log.matches("WARN moss_db::environment::room: the database is nearly full")
            .count()
    }
}

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl tracing_subscriber::fmt::MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}
