//! Splitting a large plan into parts.

use std::collections::HashMap;

use api::id::BuildId;
use moss_deps::{Graph, Node};

use super::input::Candidate;

/// Splits candidates into parts of about `size`. What a recipe needs is in the same part or in an
/// earlier one, and a cycle is never split. Each part is planned like a push of its own, so a build
/// of an early part never waits for a later part.
pub fn batches(candidates: Vec<Candidate>, size: usize) -> Vec<Vec<Candidate>> {
    if candidates.len() <= size {
        return vec![candidates];
    }
    let nodes = candidates.iter().map(|candidate| {
        let node = Node::new(candidate.id);
        match &candidate.recipe {
            Ok(recipe) => node
                .needs(recipe.needs.iter().chain(&recipe.hints).cloned())
                .provides(recipe.provides.iter().cloned()),
            Err(_) => node,
        }
    });
    let graph = Graph::new(nodes);
    let mut candidates: HashMap<BuildId, Candidate> = candidates
        .into_iter()
        .map(|candidate| (candidate.id, candidate))
        .collect();
    let mut batches = Vec::new();
    let mut batch = Vec::new();
    for step in graph.order() {
        let members = step.members().iter();
        batch.extend(members.filter_map(|member| candidates.remove(member)));
        if batch.len() >= size {
            batches.push(std::mem::take(&mut batch));
        }
    }
    if !batch.is_empty() {
        batches.push(batch);
    }
    batches
}
