//! Batches: components of the graph by how deep they stand.

use super::components::{self, Targets};
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
        for (number, members) in components.iter().enumerate() {
            for &member in members {
                component_of[member as usize] = number;
            }
        }
        // A component comes after all that it needs, so their levels are known by then.
        let mut levels: Vec<usize> = Vec::with_capacity(components.len());
        let mut batches: Vec<Vec<usize>> = Vec::new();
        for (number, members) in components.iter().enumerate() {
            let needed = members
                .iter()
                .flat_map(|&member| ranked.targets.of(member))
                .map(|&on| component_of[on as usize])
                .filter(|&other| other != number);
            let level = needed.map(|other| levels[other] + 1).max().unwrap_or(0);
            levels.push(level);
            if level >= batches.len() {
                batches.resize(level + 1, Vec::new());
            }
            batches[level].push(number);
        }
        let id = |rank: u32| self.recipe(ranked.places[rank as usize]).id.clone();
        let to_step = |number: usize| match components[number].as_slice() {
            [only] => Step::One(id(*only)),
            members => Step::Cycle(members.iter().map(|&member| id(member)).collect()),
        };
        for batch in &mut batches {
            batch.sort_unstable_by_key(|&number| components[number][0]);
        }
        batches
            .into_iter()
            .map(|batch| batch.into_iter().map(to_step).collect())
            .collect()
    }

    /// The edges between recipes numbered as their ids are sorted.
    fn ranked(&self) -> Ranked {
        let places: Vec<u32> = self.places.values().copied().collect();
        let mut rank_of = vec![0; self.recipes.len()];
        for (rank, &place) in (0..).zip(&places) {
            rank_of[place as usize] = rank;
        }
        let mut targets = Targets::with_capacity(places.len());
        for &place in &places {
            for &need in &self.recipe(place).needs {
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
    targets: Targets,
}
