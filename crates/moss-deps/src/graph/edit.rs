//! Making a graph, and changing one.

use super::symbols::{Role, Symbols};
use super::{Graph, Recipe};
use crate::node::Node;

impl<Id: Ord + Clone> Graph<Id> {
    /// The graph of these recipes. Nodes of one id are taken together.
    ///
    /// Takes time in proportion to the recipes and to what they need, run with and provide, apart
    /// from sorting the recipes.
    pub fn new(nodes: impl IntoIterator<Item = Node<Id>>) -> Self {
        let nodes = merge(nodes);
        let (symbols, mut needs, mut provides) = Symbols::of(&nodes);
        let places = nodes.iter().map(|node| node.id.clone()).zip(0..).collect();
        let recipes = nodes.into_iter().map(|node| {
            Some(Recipe {
                needs: needs.take(node.needs.len()),
                provides: provides.take(node.provides.len()),
                node,
            })
        });
        Self {
            places,
            recipes: recipes.collect(),
            empty: Vec::new(),
            symbols,
        }
    }

    /// Adds a recipe, in place of the one of this id, if there is one. The graph is then the same
    /// as one made anew.
    ///
    /// Takes time in proportion to what the old and the new recipe need, run with and provide, and
    /// hardly more in a large graph than in a small one.
    pub fn insert(&mut self, node: Node<Id>) {
        self.remove(&node.id);
        let place = self.empty.pop().unwrap_or_else(|| {
            self.recipes.push(None);
            u32::try_from(self.recipes.len() - 1).expect("so many recipes do not fit into memory")
        });
        self.places.insert(node.id.clone(), place);
        self.recipes[place as usize] = Some(link(&mut self.symbols, place, node));
    }

    /// Removes a recipe and says whether there was one. Takes as long as [`Self::insert`].
    pub fn remove(&mut self, id: &Id) -> bool {
        let Some(place) = self.places.remove(id) else {
            return false;
        };
        let recipe = self.recipes[place as usize]
            .take()
            .expect("places name no place that is empty");
        for need in &recipe.node.needs {
            self.symbols.remove(Role::Needs, place, need);
        }
        for dependency in &recipe.node.runs_with {
            self.symbols.remove(Role::RunsWith, place, dependency);
        }
        for provided in &recipe.node.provides {
            self.symbols.remove(Role::Provides, place, provided);
        }
        self.empty.push(place);
        true
    }
}

/// Sorts the nodes by id and takes those of one id together.
fn merge<Id: Ord>(nodes: impl IntoIterator<Item = Node<Id>>) -> Vec<Node<Id>> {
    let mut nodes: Vec<_> = nodes.into_iter().collect();
    nodes.sort_by(|left, right| left.id.cmp(&right.id));
    nodes.dedup_by(|later, kept| {
        let same = later.id == kept.id;
        if same {
            kept.needs.append(&mut later.needs);
            kept.runs_with.append(&mut later.runs_with);
            kept.provides.append(&mut later.provides);
        }
        same
    });
    nodes
}

fn link<Id>(symbols: &mut Symbols, place: u32, node: Node<Id>) -> Recipe<Id> {
    let needs = node.needs.iter();
    let needs = needs
        .map(|need| symbols.add(Role::Needs, place, need))
        .collect();
    for dependency in &node.runs_with {
        symbols.add(Role::RunsWith, place, dependency);
    }
    let provides = node.provides.iter();
    let provides = provides
        .map(|provided| symbols.add(Role::Provides, place, provided))
        .collect();
    Recipe {
        node,
        needs,
        provides,
    }
}
