//! How many writes went to GitHub in the last hour, so that a restart does not forget them.

use jiff::{SignedDuration, Timestamp};
use moss_db::{Error, RoTxn, RwTxn};

use super::Tables;

/// GitHub's longest limit of writes.
const HOUR: SignedDuration = SignedDuration::from_hours(1);

impl Tables {
    /// Adds writes that were sent now, and forgets those of more than an hour ago. So it does with
    /// those from more than an hour ahead: the clock was wrong then.
    ///
    /// # Errors
    /// When the database fails.
    pub fn add_writes(&self, txn: &mut RwTxn<'_>, now: Timestamp, count: u64) -> Result<(), Error> {
        let mut old = Vec::new();
        for row in self.writes.iter(txn)? {
            let (second, _) = row?;
            if is_over(second, now) {
                old.push(second);
            }
        }
        for second in old {
            self.writes.delete(txn, &second)?;
        }
        let second = now.as_second();
        let before = self.writes.find(txn, &second)?.unwrap_or_default();
        self.writes.put(txn, &second, &(before + count))
    }

    /// How many writes were sent in each second of the last hour, the oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub fn writes_of_the_hour(
        &self,
        txn: &RoTxn<'_>,
        now: Timestamp,
    ) -> Result<Vec<(Timestamp, u64)>, Error> {
        let mut writes = Vec::new();
        for row in self.writes.iter(txn)? {
            let (second, count) = row?;
            if let Ok(at) = Timestamp::from_second(second)
                && !is_over(second, now)
            {
                writes.push((at, count));
            }
        }
        Ok(writes)
    }
}

fn is_over(second: i64, now: Timestamp) -> bool {
    second.abs_diff(now.as_second()) >= HOUR.as_secs().unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::tests::store;
    use crate::domain::build::example::at;

    #[test]
    fn writes_are_kept_for_an_hour() {
        let store = store();
        let add = |second, count| {
            let added = store.write(|txn| store.tables.add_writes(txn, at(second), count));
            added.unwrap();
        };
        let known = |second| {
            let read = |txn: &RoTxn<'_>| store.tables.writes_of_the_hour(txn, at(second));
            store.env.read(read).unwrap()
        };
        add(10, 2);
        add(10, 3);
        add(12, 1);
        assert_eq!(known(12), [(at(10), 5), (at(12), 1)]);
        assert_eq!(known(3610), [(at(12), 1)]);
        add(3700, 4);
        let rows = store.env.read(|txn| store.tables.writes.len(txn));
        assert_eq!(rows.unwrap(), 1, "old rows are deleted");
        // The clock was put back by a day.
        assert_eq!(known(3700 - 24 * 3600), []);
    }
}
