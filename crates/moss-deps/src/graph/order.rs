//! Batches: components of the graph by how deep they stand.

use super::components::{self, Lists};
use super::{Graph, Step};

impl<Id: Ord + Clone> Graph<Id> {
    /// All recipes, each once, in an order in which every need is met by an earlier step or
    /// within a cycle.
    #[must_use]
    pub fn order(&self) -> Vec<Step<Id>> {
        self.batches().into_iter().flatten().collect()
    }

    /// [`Self::order`] in batches: the steps of one batch do not need each other, and each needs
    /// one of the batch before, if there is one. Within a batch steps are sorted by their first
    /// member.
    ///
    /// Takes time in proportion to the recipes and the edges between them.
    #[must_use]
    pub fn batches(&self) -> Vec<Vec<Step<Id>>> {
        let ranked = self.ranked();
        let components = components::find(&ranked.targets);
        let mut component_of = vec![0; ranked.places.len()];
        for (number, members) in (0..).zip(components.iter()) {
            for &member in members {
                component_of[member as usize] = number;
            }
        }
        // A component comes after all that it needs, so their levels are known by then.
        let mut levels: Vec<u32> = Vec::with_capacity(components.len());
        for (number, members) in (0..).zip(components.iter()) {
            let needed = members
                .iter()
                .flat_map(|&member| ranked.targets.of(member))
                .map(|&on| component_of[on as usize])
                .filter(|&other: &u32| other != number);
            let level = needed.map(|other| levels[other as usize] + 1).max();
            levels.push(level.unwrap_or(0));
        }
        let depth = levels
            .iter()
            .max()
            .map_or(0, |deepest| *deepest as usize + 1);
        let mut batches: Vec<Vec<Step<Id>>> = (0..depth).map(|_| Vec::new()).collect();
        let id = |rank: u32| self.recipe(ranked.places[rank as usize]).node.id.clone();
        // Taken by their first members, steps come sorted.
        for (rank, &number) in (0..).zip(&component_of) {
            let step = match components.of(number) {
                [only] => Step::One(id(*only)),
                members if members[0] == rank => {
                    Step::Cycle(members.iter().map(|&member| id(member)).collect())
                }
                _ => continue,
            };
            batches[levels[number as usize] as usize].push(step);
        }
        batches
    }

    /// The edges between recipes numbered as their ids are sorted.
    fn ranked(&self) -> Ranked {
        let places: Vec<u32> = self.places.values().copied().collect();
        let mut rank_of = vec![0; self.recipes.len()];
        for (rank, &place) in (0..).zip(&places) {
            rank_of[place as usize] = rank;
        }
        let mut targets = Lists::with_capacity(places.len());
        for &place in &places {
            for &need in self.recipe(place).needs.iter() {
                for other in self.providers(place, need) {
                    targets.push(rank_of[other as usize]);
                }
            }
            targets.finish();
        }
        Ranked { places, targets }
    }
}

struct Ranked {
    /// By rank.
    places: Vec<u32>,
    targets: Lists,
}
