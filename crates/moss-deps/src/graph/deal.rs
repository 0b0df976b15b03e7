//! Dealing the names of many recipes to the shards that number them.
//!
//! A name that goes to one of hundreds of lists goes to a piece of memory that the processor does
//! not have at hand, and has to wait for. So names are dealt by blocks: the names of a block are
//! brought into the order of their shards within the cache, and each list gets many at once.

use std::vec;

use super::symbols::{Key, Symbol};

/// About how many names a shard is to hold at first.
const SHARD: usize = 16 * 1024;

/// How many names are brought into order at a time: so many that each of hundreds of shards gets
/// a dozen or more of them, and so few that all fit into the cache.
const BLOCK: usize = 8 * 1024;

/// How many shards so many names are to have: a power of two.
pub(super) fn shards(names: usize) -> usize {
    names.div_ceil(SHARD).next_power_of_two()
}

/// A name of one recipe.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mention {
    pub(super) key: Key,
    /// Of the recipe.
    pub(super) place: u32,
}

/// Names of many recipes that are to be numbered.
pub(super) struct Dealt {
    /// Of each name, in the order of the recipes.
    pub(super) shards: Vec<u32>,
    /// The names of each shard, in the same order.
    pub(super) by_shard: Vec<Vec<Mention>>,
}

impl Dealt {
    /// `count` names to so many shards.
    pub(super) fn new(
        shards: usize,
        count: usize,
        mut names: impl Iterator<Item = Mention>,
    ) -> Self {
        // A little more than the mean, so that hardly a list has to grow.
        let mean = count / shards;
        let mut by_shard = Vec::new();
        by_shard.resize_with(shards, || Vec::with_capacity(mean + mean / 16));
        let mut dealt = Self {
            shards: Vec::with_capacity(count),
            by_shard,
        };
        let mut block = Vec::with_capacity(BLOCK.min(count));
        loop {
            block.extend(names.by_ref().take(BLOCK));
            if block.is_empty() {
                return dealt;
            }
            dealt.add(&block);
            block.clear();
        }
    }

    /// Deals a block: counts the names of each shard, so that it is known where each goes.
    fn add(&mut self, block: &[Mention]) {
        let shards = self.by_shard.len();
        // Where the next name of each shard goes: at first where its names begin.
        let mut next = vec![0; shards];
        for mention in block {
            let shard = mention.key.shard(shards);
            next[shard] += 1;
            self.shards
                .push(u32::try_from(shard).expect("there are fewer shards than names"));
        }
        let mut begin = 0;
        for next in &mut next {
            begin += std::mem::replace(next, begin);
        }
        let mut order = vec![0; block.len()];
        for (position, mention) in (0_u32..).zip(block) {
            let next = &mut next[mention.key.shard(shards)];
            order[*next] = position;
            *next += 1;
        }
        let mut begin = 0;
        for (list, end) in self.by_shard.iter_mut().zip(next) {
            let names = &order[begin..end];
            list.extend(names.iter().map(|&position| block[position as usize]));
            begin = end;
        }
    }
}

/// The symbols of the names of many recipes, which come one after the other.
pub(super) struct Numbers {
    shards: vec::IntoIter<u32>,
    by_shard: Vec<vec::IntoIter<Symbol>>,
}

impl Numbers {
    pub(super) fn new(shards: Vec<u32>, by_shard: Vec<Vec<Symbol>>) -> Self {
        Self {
            shards: shards.into_iter(),
            by_shard: by_shard.into_iter().map(Vec::into_iter).collect(),
        }
    }

    /// Those of the next `count` names.
    pub(super) fn take(&mut self, count: usize) -> Box<[Symbol]> {
        let mut symbols = Vec::with_capacity(count);
        for shard in self.shards.by_ref().take(count) {
            symbols.extend(self.by_shard[shard as usize].next());
        }
        symbols.into_boxed_slice()
    }
}
