//! The numbers that ids are made of.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::Sequence;

/// The last number of each sequence.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counters {
    /// What sequences begin after that have no number yet: the last id of a database in which one
    /// counter served all.
    #[serde(rename = "last_id")]
    floor: u64,
    #[serde(default)]
    last: BTreeMap<Sequence, u64>,
}

impl Counters {
    /// The next number of a sequence.
    pub(crate) fn next(&mut self, sequence: Sequence) -> u64 {
        let last = self.last.entry(sequence).or_insert(self.floor);
        *last += 1;
        *last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_go_on_from_the_one_counter_of_old() {
        let mut counters: Counters = serde_json::from_str(r#"{"last_id":41}"#).unwrap();
        let of = |counters: &mut Counters, sequence| counters.next(sequence);
        assert_eq!(of(&mut counters, Sequence::Accounts), 42);
        assert_eq!(of(&mut counters, Sequence::CheckRuns), 42);
        assert_eq!(of(&mut counters, Sequence::CheckRuns), 43);
        assert_eq!(of(&mut Counters::default(), Sequence::CheckRuns), 1);
    }
}
