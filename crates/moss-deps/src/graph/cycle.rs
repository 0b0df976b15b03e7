//! A way through a cycle.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use moss_format::Dependency;

use super::Graph;
use super::symbols::{Role, Symbol};

/// No member of what is left of a cycle can be built before the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stuck<Id> {
    /// The members that cannot be built, each with those of its needs that are met neither
    /// elsewhere nor by a member built before it. Sorted; at least one, and at least one need
    /// each.
    pub missing: Vec<(Id, Vec<Dependency>)>,
}

impl<Id: fmt::Display> fmt::Display for Stuck<Id> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the cycle has no member to begin with: ")?;
        for (number, (id, needs)) in self.missing.iter().enumerate() {
            let separator = if number == 0 { "" } else { "; " };
            write!(f, "{separator}`{id}` lacks ")?;
            for (number, need) in needs.iter().enumerate() {
                let separator = if number == 0 { "" } else { ", " };
                write!(f, "{separator}`{need}`")?;
            }
        }
        Ok(())
    }
}

impl<Id: fmt::Display + fmt::Debug> std::error::Error for Stuck<Id> {}

impl<Id: Ord + Clone> Graph<Id> {
    /// An order in which the members of a cycle can be built one at a time: each against what
    /// is met elsewhere, that is by stones already published or by the host, and against the
    /// members before it. Where several could be next, the least is taken.
    ///
    /// `met_elsewhere` is asked for needs that other members provide. Needs that come from
    /// outside the cycle are taken as met: they are earlier steps' or [`Self::unmet`]'s concern.
    ///
    /// # Errors
    ///
    /// [`Stuck`] when some members cannot be built at all without each other.
    pub fn order_cycle(
        &self,
        members: &[Id],
        met_elsewhere: impl Fn(&Id, &Dependency) -> bool,
    ) -> Result<Vec<Id>, Stuck<Id>> {
        let mut places: Vec<u32> = members
            .iter()
            .filter_map(|member| self.places.get(member).copied())
            .collect();
        places.sort_by(|left, right| self.recipe(*left).node.id.cmp(&self.recipe(*right).node.id));
        places.dedup();
        // By the member's position among the sorted ones.
        let position: HashMap<u32, usize> = places.iter().copied().zip(0..).collect();
        let lacking = places.iter().map(|&member| {
            let needs = self.recipe(member).needs.iter().copied();
            needs
                .filter(|&need| self.lacks(member, need, &position, &met_elsewhere))
                .collect::<BTreeSet<Symbol>>()
        });
        let mut lacking: BTreeMap<usize, BTreeSet<Symbol>> = (0..).zip(lacking).collect();
        let mut ready: BTreeSet<usize> = (0..places.len()).collect();
        ready.retain(|member| lacking[member].is_empty());
        let mut order = Vec::with_capacity(places.len());
        while let Some(next) = ready.pop_first() {
            lacking.remove(&next);
            let built = self.recipe(places[next]);
            order.push(built.node.id.clone());
            for &provided in built.provides.iter() {
                for dependent in self.symbols.recipes(Role::Needs, provided) {
                    let Some(dependent) = position.get(dependent) else {
                        continue;
                    };
                    let Some(lacks) = lacking.get_mut(dependent) else {
                        continue;
                    };
                    if lacks.remove(&provided) && lacks.is_empty() {
                        ready.insert(*dependent);
                    }
                }
            }
        }
        if lacking.is_empty() {
            return Ok(order);
        }
        let missing = lacking.into_iter().map(|(member, needs)| {
            let needs = self.texts(needs.into_iter()).into_iter().cloned();
            (self.recipe(places[member]).node.id.clone(), needs.collect())
        });
        Err(Stuck {
            missing: missing.collect(),
        })
    }

    /// Whether only other members can meet a need.
    fn lacks(
        &self,
        member: u32,
        need: Symbol,
        members: &HashMap<u32, usize>,
        met_elsewhere: &impl Fn(&Id, &Dependency) -> bool,
    ) -> bool {
        let mut providers = self.providers(member, need).peekable();
        providers.peek().is_some()
            && providers.all(|provider| members.contains_key(&provider))
            && !met_elsewhere(&self.recipe(member).node.id, self.text(need))
    }
}
