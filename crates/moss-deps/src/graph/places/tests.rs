use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

const SYMBOLS: usize = 8;

proptest! {
    #[test]
    fn each_symbol_has_its_places_sorted_and_once(
        edits in proptest::collection::vec((any::<bool>(), 0..SYMBOLS, 0..6_u32), 0..100)
    ) {
        let mut places = Places::default();
        let mut sets: BTreeMap<usize, BTreeSet<u32>> = BTreeMap::new();
        for (is_added, number, place) in edits {
            let set = sets.entry(number).or_default();
            if is_added {
                places.insert(Symbol::of(number), place);
                set.insert(place);
            } else {
                places.remove(Symbol::of(number), place);
                set.remove(&place);
            }
            for number in 0..SYMBOLS {
                let expected = sets.get(&number).into_iter().flatten();
                prop_assert!(places.of(Symbol::of(number)).iter().eq(expected));
            }
            // A list that is no longer needed is taken for another symbol.
            prop_assert!(places.lists.len() <= SYMBOLS);
        }
    }
}

#[test]
#[should_panic(expected = "so many recipes do not fit into memory")]
fn a_place_is_never_taken_for_a_list() {
    Places::default().insert(Symbol::of(0), LIST);
}
