//! Sorted lists of recipes, one for each symbol, mostly of one recipe: most things are provided by
//! one.

use super::symbols::Symbol;

/// No recipe.
const NONE: u32 = u32::MAX;
/// Added to the number of a list: no recipe has such a place.
const LIST: u32 = 1 << 31;

/// Of each symbol the places of recipes, sorted, each once.
///
/// There are millions of symbols, and most have one place at most: they take four bytes each.
#[derive(Debug, Clone, Default)]
pub(super) struct Places {
    /// Of each symbol its only place, or [`LIST`] and the number of its list, or [`NONE`]. It ends
    /// after the last symbol that ever had a place.
    slots: Vec<u32>,
    lists: Vec<Vec<u32>>,
    unused: Vec<u32>,
}

impl Places {
    pub(super) fn of(&self, symbol: Symbol) -> &[u32] {
        match self.slots.get(symbol.index()) {
            None | Some(&NONE) => &[],
            Some(&list) if list >= LIST => &self.lists[(list - LIST) as usize],
            Some(only) => std::slice::from_ref(only),
        }
    }

    /// # Panics
    /// When there are two thousand million recipes or lists of them.
    pub(super) fn insert(&mut self, symbol: Symbol, place: u32) {
        assert!(place < LIST, "so many recipes do not fit into memory");
        let number = symbol.index();
        if self.slots.len() <= number {
            self.slots.resize(number + 1, NONE);
        }
        match self.slots[number] {
            NONE => self.slots[number] = place,
            list if list >= LIST => insert(&mut self.lists[(list - LIST) as usize], place),
            only if only == place => {}
            only => {
                let list = vec![place.min(only), place.max(only)];
                self.slots[number] = LIST + self.keep(list);
            }
        }
    }

    pub(super) fn remove(&mut self, symbol: Symbol, place: u32) {
        let Some(slot) = self.slots.get_mut(symbol.index()) else {
            return;
        };
        if *slot == place {
            *slot = NONE;
        } else if *slot >= LIST && *slot != NONE {
            let number = *slot - LIST;
            let list = &mut self.lists[number as usize];
            if let Ok(position) = list.binary_search(&place) {
                list.remove(position);
            }
            if let [only] = list[..] {
                *slot = only;
                *list = Vec::new();
                self.unused.push(number);
            }
        }
    }

    /// The number of a list that is kept from now on.
    fn keep(&mut self, list: Vec<u32>) -> u32 {
        if let Some(number) = self.unused.pop() {
            self.lists[number as usize] = list;
            return number;
        }
        self.lists.push(list);
        let number = u32::try_from(self.lists.len() - 1).unwrap_or(NONE);
        assert!(number < NONE - LIST, "so many lists do not fit into memory");
        number
    }
}

fn insert(list: &mut Vec<u32>, place: u32) {
    // Recipes that are added in their order come last.
    if list.last().is_some_and(|last| *last < place) {
        list.push(place);
    } else if let Err(position) = list.binary_search(&place) {
        list.insert(position, place);
    }
}

#[cfg(test)]
mod tests;
