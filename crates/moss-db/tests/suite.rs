//! Tests of moss-db through its public interface.

#[cfg(test)]
#[path = "suite/backup.rs"]
mod backup;
#[cfg(test)]
#[path = "suite/check.rs"]
mod check;
#[cfg(test)]
#[path = "suite/group_commit.rs"]
mod group_commit;
#[cfg(test)]
#[path = "suite/indexed.rs"]
mod indexed;
#[cfg(test)]
#[path = "suite/migration.rs"]
mod migration;
#[cfg(test)]
#[path = "suite/opening.rs"]
mod opening;
#[cfg(test)]
#[path = "suite/table.rs"]
mod table;

/// One table with numbers as keys, which is enough for most tests.
#[derive(Debug)]
struct Plain {
    rows: moss_db::Table<u64, String>,
    ids: moss_db::Sequence,
}

impl moss_db::Schema for Plain {
    const NAME: &'static str = "plain";
    const MIGRATIONS: &'static [moss_db::Migration] = &[];

    fn declare(opener: &mut moss_db::Opener) -> Self {
        Self {
            rows: opener.table("rows"),
            ids: opener.sequence("ids"),
        }
    }
}
