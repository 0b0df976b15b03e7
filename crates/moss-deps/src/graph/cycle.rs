//! A way through a cycle.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use moss_format::Dependency;

use super::Graph;

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
        let members: BTreeSet<usize> = members
            .iter()
            .filter_map(|member| self.position(member))
            .collect();
        let mut lacking: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        let mut dependents: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for &member in &members {
            lacking.insert(member, self.lacking(member, &members, &met_elsewhere));
            for &on in self.recipes[member].edges.keys() {
                dependents.entry(on).or_default().push(member);
            }
        }
        let mut ready: BTreeSet<usize> = members.clone();
        ready.retain(|member| lacking[member].is_empty());
        let mut order = Vec::with_capacity(members.len());
        while let Some(next) = ready.pop_first() {
            lacking.remove(&next);
            order.push(self.recipes[next].id.clone());
            for &dependent in dependents.get(&next).into_iter().flatten() {
                let Some(lacks) = lacking.get_mut(&dependent) else {
                    continue;
                };
                for need in &self.recipes[dependent].edges[&next] {
                    lacks.remove(need);
                }
                if lacks.is_empty() {
                    ready.insert(dependent);
                }
            }
        }
        if lacking.is_empty() {
            return Ok(order);
        }
        let missing = lacking.into_iter().map(|(member, needs)| {
            let recipe = &self.recipes[member];
            let needs = needs
                .into_iter()
                .map(|need| recipe.needs[need].clone())
                .collect();
            (recipe.id.clone(), needs)
        });
        Err(Stuck {
            missing: missing.collect(),
        })
    }

    /// The needs of a member that only other members can meet.
    fn lacking(
        &self,
        member: usize,
        members: &BTreeSet<usize>,
        met_elsewhere: &impl Fn(&Id, &Dependency) -> bool,
    ) -> BTreeSet<usize> {
        let recipe = &self.recipes[member];
        let (inside, outside): (Vec<_>, Vec<_>) = recipe
            .edges
            .iter()
            .partition(|(on, _)| members.contains(on));
        let met_outside: BTreeSet<_> = outside.into_iter().flat_map(|(_, needs)| needs).collect();
        let needs: BTreeSet<_> = inside.into_iter().flat_map(|(_, needs)| needs).collect();
        needs
            .difference(&met_outside)
            .filter(|&&&need| !met_elsewhere(&recipe.id, &recipe.needs[need]))
            .map(|&&need| need)
            .collect()
    }
}
