//! Tests of moss-db through its public interface.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod alarm;
mod backup;
mod check;
mod child;
mod durability;
mod group_commit;
mod indexed;
mod migration;
mod opening;
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
