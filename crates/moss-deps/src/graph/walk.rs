//! Ways through the graph: who needs a recipe, and why.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use moss_format::Dependency;

use super::symbols::{Role, Symbol};
use super::{Edge, Graph};

impl<Id: Ord + Clone> Graph<Id> {
    /// All recipes that need this one, directly or around corners. The recipe itself is not
    /// among them, although in a cycle it needs itself.
    #[must_use]
    pub fn dependents_of(&self, id: &Id) -> BTreeSet<&Id> {
        let Some(&start) = self.places.get(id) else {
            return BTreeSet::new();
        };
        let mut found = self.reach_back(self.needing_recipe(start).collect());
        found.remove(id);
        found
    }

    /// What must be rebuilt when something goes, such as a soname: the recipes whose builds need
    /// it or whose packages run with it, and all whose builds need those, directly or around
    /// corners.
    ///
    /// A soname is hardly ever a need of a build, which asks for `pkgconfig(zlib)` or the like. It
    /// is what the packages that were linked with the library depend on at run time, and these are
    /// broken when it goes.
    ///
    /// From there on only needs of builds count. A rebuilt recipe may differ in all that other
    /// builds take from it, such as headers, static libraries and the sonames they are linked with.
    /// What merely runs with it goes on with its new stones, as long as they provide the same. If
    /// they do not, that is another thing that goes, to be asked for itself.
    #[must_use]
    pub fn affected_by(&self, gone: &Dependency) -> BTreeSet<&Id> {
        let Some(symbol) = self.symbols.find(gone) else {
            return BTreeSet::new();
        };
        let needing = self.symbols.recipes(Role::Needs, symbol);
        self.reach_back([needing, self.symbols.recipes(Role::RunsWith, symbol)].concat())
    }

    /// Why one recipe needs another: a shortest chain of edges from `from` to `to`, each from
    /// the recipe that the one before leads to. `None` when it does not need it; for `from` and
    /// `to` the same, the shortest way around.
    #[must_use]
    pub fn why(&self, from: &Id, to: &Id) -> Option<Vec<Edge<'_, Id>>> {
        let (&start, &goal) = (self.places.get(from)?, self.places.get(to)?);
        let mut reached_by: BTreeMap<u32, (u32, Vec<Symbol>)> = BTreeMap::new();
        let mut pending = VecDeque::from([start]);
        while !reached_by.contains_key(&goal) {
            let place = pending.pop_front()?;
            for (on, needs) in self.edges(place) {
                reached_by.entry(on).or_insert_with(|| {
                    pending.push_back(on);
                    (place, needs)
                });
            }
        }
        let mut chain = Vec::new();
        let mut at = goal;
        while at != start || chain.is_empty() {
            let (before, needs) = &reached_by[&at];
            chain.push(self.edge(at, needs));
            at = *before;
        }
        chain.reverse();
        Some(chain)
    }

    /// The recipes other than `place` that need something it provides; some more than once.
    fn needing_recipe(&self, place: u32) -> impl Iterator<Item = u32> {
        self.recipe(place)
            .provides
            .iter()
            .flat_map(|&provided| self.symbols.recipes(Role::Needs, provided))
            .copied()
            .filter(move |&other| other != place)
    }

    /// These recipes and all whose builds need them.
    fn reach_back(&self, mut pending: Vec<u32>) -> BTreeSet<&Id> {
        let mut is_found = vec![false; self.recipes.len()];
        let mut found = BTreeSet::new();
        while let Some(place) = pending.pop() {
            if !std::mem::replace(&mut is_found[place as usize], true) {
                found.insert(&self.recipe(place).node.id);
                pending.extend(self.needing_recipe(place));
            }
        }
        found
    }
}
