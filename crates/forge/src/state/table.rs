//! A table in memory that remembers which of its rows changed, so that just these are written to
//! the database.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;

/// Rows by their keys. It reads like the [`BTreeMap`] that it is; every way to change a row notes
/// the row.
#[derive(Debug)]
pub(crate) struct Table<K, V> {
    rows: BTreeMap<K, V>,
    changed: BTreeSet<K>,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self::from(BTreeMap::new())
    }
}

/// The rows as the database has them: none has changed.
impl<K, V> From<BTreeMap<K, V>> for Table<K, V> {
    fn from(rows: BTreeMap<K, V>) -> Self {
        Self {
            rows,
            changed: BTreeSet::new(),
        }
    }
}

impl<K, V> Deref for Table<K, V> {
    type Target = BTreeMap<K, V>;

    fn deref(&self) -> &BTreeMap<K, V> {
        &self.rows
    }
}

impl<K: Ord + Clone, V> Table<K, V> {
    pub(crate) fn insert(&mut self, key: K, row: V) {
        self.changed.insert(key.clone());
        self.rows.insert(key, row);
    }

    /// The row, to be changed.
    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let row = self.rows.get_mut(key)?;
        self.changed.insert(key.clone());
        Some(row)
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let row = self.rows.remove(key)?;
        self.changed.insert(key.clone());
        Some(row)
    }

    /// Removes the rows that are not to stay.
    pub(crate) fn retain(&mut self, mut stays: impl FnMut(&K, &V) -> bool) {
        let changed = &mut self.changed;
        self.rows.retain(|key, row| {
            let stays = stays(key, row);
            if !stays {
                changed.insert(key.clone());
            }
            stays
        });
    }

    /// The rows that changed since the last call, as they are now; none for those removed.
    pub(crate) fn take_changes(&mut self) -> BTreeMap<K, Option<V>>
    where
        V: Clone,
    {
        let changed = std::mem::take(&mut self.changed);
        changed
            .into_iter()
            .map(|key| {
                let row = self.rows.get(&key).cloned();
                (key, row)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_change_a_row_notes_it_and_no_other() {
        let mut table = Table::from(BTreeMap::from([(1, "a"), (2, "b"), (3, "c"), (4, "d")]));
        assert_eq!(table.take_changes(), BTreeMap::new());
        *table.get_mut(&1).unwrap() = "changed";
        table.remove(&2);
        table.insert(5, "new");
        table.retain(|key, _| *key != 3);
        assert!(table.get_mut(&9).is_none() && table.remove(&9).is_none());
        let changes = [(1, Some("changed")), (2, None), (3, None), (5, Some("new"))];
        assert_eq!(table.take_changes(), BTreeMap::from(changes));
        assert_eq!(table.take_changes(), BTreeMap::new(), "each is told once");
        assert_eq!(table.get(&4), Some(&"d"));
    }
}
