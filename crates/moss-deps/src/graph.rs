//! The graph of the recipes to be built now.
//!
//! There is an edge from a recipe to every *other* one that provides something it needs. Needs
//! that no other recipe provides are not edges: [`Graph::unmet`] gives them, to be met by the
//! channel or the host. That includes what only the recipe itself provides, as a compiler that
//! needs a compiler: its last published self has to serve.
//!
//! What packages depend on at run time makes no edges either: it does not have to be there before
//! they are built. It is known all the same, since it tells who was linked with a library that
//! goes: see [`Graph::affected_by`].
//!
//! What is needed and provided is named by a [symbol](symbols), and edges are not kept at all: a
//! recipe knows its symbols, and a symbol the recipes that provide it, need it and run with it. So a
//! recipe that changes touches nothing but itself and its symbols, and the rest of the graph stays.
//! The names themselves stay in the nodes, where they came from: moving millions of them takes longer
//! than ordering the recipes.

mod components;
mod cycle;
mod deal;
mod edit;
mod order;
mod places;
mod symbols;
mod walk;

use std::collections::BTreeMap;

use moss_format::Dependency;

use symbols::{Role, Symbol, Symbols};

use crate::node::Node;

pub use cycle::Stuck;

/// Recipes and what they need from each other.
#[derive(Debug, Clone)]
pub struct Graph<Id> {
    /// Where each recipe is in `recipes`.
    places: BTreeMap<Id, u32>,
    /// With places that are empty since a recipe was removed.
    recipes: Vec<Option<Recipe<Id>>>,
    empty: Vec<u32>,
    symbols: Symbols,
}

#[derive(Debug, Clone)]
struct Recipe<Id> {
    node: Node<Id>,
    /// Of each of the node's needs.
    needs: Box<[Symbol]>,
    /// Of each of what it provides.
    provides: Box<[Symbol]>,
}

/// What one recipe needs from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge<'graph, Id> {
    /// The recipe that must be built first.
    pub on: &'graph Id,
    /// What it provides that is needed, sorted; at least one.
    pub needs: Vec<&'graph Dependency>,
}

/// What to build next.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step<Id> {
    /// A recipe whose needs are met by then.
    One(Id),
    /// Recipes that need each other, directly or around corners; at least two, sorted. See
    /// [`Graph::order_cycle`] for a way through.
    Cycle(Vec<Id>),
}

impl<Id> Step<Id> {
    /// The recipes of this step.
    #[must_use]
    pub fn members(&self) -> &[Id] {
        match self {
            Self::One(id) => std::slice::from_ref(id),
            Self::Cycle(members) => members,
        }
    }
}

impl<Id: Ord + Clone> Graph<Id> {
    /// The number of recipes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there is no recipe.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The recipes, sorted.
    pub fn ids(&self) -> impl Iterator<Item = &Id> {
        self.places.keys()
    }

    /// What a recipe needs directly from others, sorted; nothing for an unknown recipe.
    pub fn dependencies_of(&self, id: &Id) -> impl Iterator<Item = Edge<'_, Id>> {
        let edges = self.places.get(id).map(|&place| self.edges(place));
        edges
            .into_iter()
            .flatten()
            .map(|(on, needs)| self.edge(on, &needs))
    }

    /// The needs of a recipe that no other recipe provides, sorted; nothing for an unknown
    /// recipe.
    #[must_use]
    pub fn unmet(&self, id: &Id) -> Vec<&Dependency> {
        let Some(&place) = self.places.get(id) else {
            return Vec::new();
        };
        let needs = self.recipe(place).needs.iter().copied();
        self.texts(needs.filter(|&need| self.providers(place, need).next().is_none()))
    }

    fn recipe(&self, place: u32) -> &Recipe<Id> {
        self.recipes[place as usize]
            .as_ref()
            .expect("places and symbols name no place that is empty")
    }

    /// The recipes other than `place` that provide something.
    fn providers(&self, place: u32, symbol: Symbol) -> impl Iterator<Item = u32> {
        let all = self.symbols.recipes(Role::Provides, symbol);
        all.iter().copied().filter(move |&other| other != place)
    }

    /// The recipes that this one needs, sorted, with what it needs of each.
    fn edges(&self, place: u32) -> Vec<(u32, Vec<Symbol>)> {
        let mut edges: BTreeMap<u32, Vec<Symbol>> = BTreeMap::new();
        for &need in self.recipe(place).needs.iter() {
            for other in self.providers(place, need) {
                edges.entry(other).or_default().push(need);
            }
        }
        let mut edges: Vec<_> = edges.into_iter().collect();
        edges.sort_by(|(left, _), (right, _)| {
            self.recipe(*left).node.id.cmp(&self.recipe(*right).node.id)
        });
        edges
    }

    fn edge(&self, on: u32, needs: &[Symbol]) -> Edge<'_, Id> {
        Edge {
            on: &self.recipe(on).node.id,
            needs: self.texts(needs.iter().copied()),
        }
    }

    /// What needs stand for, sorted, each once.
    fn texts(&self, needs: impl Iterator<Item = Symbol>) -> Vec<&Dependency> {
        let mut texts: Vec<_> = needs.map(|need| self.text(need)).collect();
        texts.sort();
        texts.dedup();
        texts
    }

    /// What a need stands for, in the words of the first recipe that has it.
    fn text(&self, need: Symbol) -> &Dependency {
        let place = self.symbols.recipes(Role::Needs, need)[0];
        let recipe = self.recipe(place);
        let position = recipe.needs.iter().position(|other| *other == need);
        &recipe.node.needs[position.expect("a need is one of those of who needs it")]
    }
}

#[cfg(test)]
mod tests;
