//! The graph of the recipes to be built now.
//!
//! There is an edge from a recipe to every *other* one that provides something it needs. Needs
//! that no other recipe provides are not edges: [`Graph::unmet`] gives them, to be met by the
//! channel or the host. That includes what only the recipe itself provides, as a compiler that
//! needs a compiler: its last published self has to serve.

mod components;
mod cycle;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use moss_format::Dependency;
use moss_format::dependency::Kind;

use crate::node::Node;

pub use cycle::Stuck;

/// Recipes and what they need from each other.
#[derive(Debug, Clone)]
pub struct Graph<Id> {
    /// Sorted by id, so that positions compare as ids do.
    recipes: Vec<Recipe<Id>>,
}

#[derive(Debug, Clone)]
struct Recipe<Id> {
    id: Id,
    /// Sorted, each once.
    needs: Vec<Dependency>,
    /// The recipes that provide some of the needs, and which: positions in `needs`.
    edges: BTreeMap<usize, Vec<usize>>,
    unmet: Vec<Dependency>,
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
    /// The graph of these recipes. Nodes of one id are taken together.
    ///
    /// Takes time in proportion to the recipes, their needs and the edges between them, apart
    /// from sorting.
    pub fn new(nodes: impl IntoIterator<Item = Node<Id>>) -> Self {
        let nodes = merge(nodes);
        let mut providers: HashMap<(Kind, &str), Vec<usize>> = HashMap::new();
        for (position, node) in nodes.iter().enumerate() {
            for provider in &node.provides {
                let recipes = providers
                    .entry((provider.kind(), provider.name()))
                    .or_default();
                if recipes.last() != Some(&position) {
                    recipes.push(position);
                }
            }
        }
        let links: Vec<_> = nodes
            .iter()
            .enumerate()
            .map(|(position, node)| link(position, node, &providers))
            .collect();
        let recipes = nodes
            .into_iter()
            .zip(links)
            .map(|(node, (edges, unmet))| Recipe {
                id: node.id,
                needs: node.needs,
                edges,
                unmet,
            })
            .collect();
        Self { recipes }
    }

    /// The number of recipes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.recipes.len()
    }

    /// Whether there is no recipe.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.recipes.is_empty()
    }

    /// The recipes, sorted.
    pub fn ids(&self) -> impl Iterator<Item = &Id> {
        self.recipes.iter().map(|recipe| &recipe.id)
    }

    /// All recipes, each once, in an order in which every need is met by an earlier step or
    /// within a cycle.
    #[must_use]
    pub fn order(&self) -> Vec<Step<Id>> {
        self.batches().into_iter().flatten().collect()
    }

    /// [`Self::order`] in batches: the steps of one batch do not need each other, and each needs
    /// one of the batch before, if there is one. Within a batch steps are sorted by their first
    /// member.
    #[must_use]
    pub fn batches(&self) -> Vec<Vec<Step<Id>>> {
        let components = components::find(&self.recipes, |recipe| recipe.edges.keys().copied());
        let mut component_of = vec![0; self.recipes.len()];
        for (number, members) in components.iter().enumerate() {
            for &member in members {
                component_of[member] = number;
            }
        }
        // A component comes after all that it needs, so their levels are known by then.
        let mut levels: Vec<usize> = Vec::with_capacity(components.len());
        let mut batches: Vec<Vec<usize>> = Vec::new();
        for (number, members) in components.iter().enumerate() {
            let needed = members
                .iter()
                .flat_map(|&member| self.recipes[member].edges.keys())
                .map(|&on| component_of[on])
                .filter(|&other| other != number);
            let level = needed.map(|other| levels[other] + 1).max().unwrap_or(0);
            levels.push(level);
            if level >= batches.len() {
                batches.resize(level + 1, Vec::new());
            }
            batches[level].push(number);
        }
        let to_step = |number: usize| match components[number].as_slice() {
            [only] => Step::One(self.recipes[*only].id.clone()),
            members => Step::Cycle(
                members
                    .iter()
                    .map(|&member| self.recipes[member].id.clone())
                    .collect(),
            ),
        };
        for batch in &mut batches {
            batch.sort_by_key(|&number| components[number][0]);
        }
        batches
            .into_iter()
            .map(|batch| batch.into_iter().map(to_step).collect())
            .collect()
    }

    /// What a recipe needs directly from others, sorted; nothing for an unknown recipe.
    pub fn dependencies_of(&self, id: &Id) -> impl Iterator<Item = Edge<'_, Id>> {
        let recipe = self.find(id);
        recipe.into_iter().flat_map(|recipe| {
            recipe.edges.iter().map(|(&on, needs)| Edge {
                on: &self.recipes[on].id,
                needs: needs.iter().map(|&need| &recipe.needs[need]).collect(),
            })
        })
    }

    /// The needs of a recipe that no other recipe provides, sorted; nothing for an unknown
    /// recipe.
    #[must_use]
    pub fn unmet(&self, id: &Id) -> &[Dependency] {
        self.find(id).map_or(&[], |recipe| &recipe.unmet)
    }

    /// All recipes that need this one, directly or around corners. The recipe itself is not
    /// among them, although in a cycle it needs itself.
    #[must_use]
    pub fn dependents_of(&self, id: &Id) -> BTreeSet<&Id> {
        let Some(start) = self.position(id) else {
            return BTreeSet::new();
        };
        let mut dependents = vec![Vec::new(); self.recipes.len()];
        for (position, recipe) in self.recipes.iter().enumerate() {
            for &on in recipe.edges.keys() {
                dependents[on].push(position);
            }
        }
        let mut found = BTreeSet::new();
        let mut pending = vec![start];
        while let Some(position) = pending.pop() {
            for &dependent in &dependents[position] {
                if dependent != start && found.insert(dependent) {
                    pending.push(dependent);
                }
            }
        }
        found
            .into_iter()
            .map(|position| &self.recipes[position].id)
            .collect()
    }

    /// Why one recipe needs another: a shortest chain of edges from `from` to `to`, each from
    /// the recipe that the one before leads to. `None` when it does not need it; for `from` and
    /// `to` the same, the shortest way around.
    #[must_use]
    pub fn why(&self, from: &Id, to: &Id) -> Option<Vec<Edge<'_, Id>>> {
        let (start, goal) = (self.position(from)?, self.position(to)?);
        let mut reached_from: BTreeMap<usize, usize> = BTreeMap::new();
        let mut pending = VecDeque::from([start]);
        while let Some(position) = pending.pop_front() {
            for &on in self.recipes[position].edges.keys() {
                if let std::collections::btree_map::Entry::Vacant(entry) = reached_from.entry(on) {
                    entry.insert(position);
                    pending.push_back(on);
                }
            }
            if reached_from.contains_key(&goal) {
                break;
            }
        }
        let mut chain = Vec::new();
        let mut at = goal;
        while at != start || chain.is_empty() {
            let before = *reached_from.get(&at)?;
            let recipe = &self.recipes[before];
            let needs = recipe.edges[&at]
                .iter()
                .map(|&need| &recipe.needs[need])
                .collect();
            chain.push(Edge {
                on: &self.recipes[at].id,
                needs,
            });
            at = before;
        }
        chain.reverse();
        Some(chain)
    }

    fn position(&self, id: &Id) -> Option<usize> {
        self.recipes
            .binary_search_by(|recipe| recipe.id.cmp(id))
            .ok()
    }

    fn find(&self, id: &Id) -> Option<&Recipe<Id>> {
        self.position(id).map(|position| &self.recipes[position])
    }
}

/// Sorts the nodes by id, takes those of one id together, and sorts their needs.
fn merge<Id: Ord>(nodes: impl IntoIterator<Item = Node<Id>>) -> Vec<Node<Id>> {
    let mut nodes: Vec<_> = nodes.into_iter().collect();
    nodes.sort_by(|left, right| left.id.cmp(&right.id));
    nodes.dedup_by(|later, kept| {
        let same = later.id == kept.id;
        if same {
            kept.needs.append(&mut later.needs);
            kept.provides.append(&mut later.provides);
        }
        same
    });
    for node in &mut nodes {
        node.needs.sort();
        node.needs.dedup();
    }
    nodes
}

/// The edges and the unmet needs of a node.
fn link<Id>(
    position: usize,
    node: &Node<Id>,
    providers: &HashMap<(Kind, &str), Vec<usize>>,
) -> (BTreeMap<usize, Vec<usize>>, Vec<Dependency>) {
    let mut edges: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let mut unmet = Vec::new();
    for (number, need) in node.needs.iter().enumerate() {
        let recipes = providers.get(&(need.kind(), need.name()));
        let mut others = recipes
            .into_iter()
            .flatten()
            .copied()
            .filter(|&other| other != position)
            .peekable();
        if others.peek().is_none() {
            unmet.push(need.clone());
        }
        for other in others {
            edges.entry(other).or_default().push(number);
        }
    }
    (edges, unmet)
}

#[cfg(test)]
mod tests;
