//! What is needed, run with and provided, each named by a number.
//!
//! Names are told apart by keyed hashes of 128 bits, so that none has to be looked at twice, and
//! those of many recipes are numbered one shard of the hashes after the other: a shard's table fits
//! into the processor's cache, where one table of millions of names would not. All else goes through
//! memory from its beginning to its end: names are dealt out to the shards in the order of the
//! recipes, and their numbers are taken back in the same order.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::vec;

use hashbrown::HashTable;
use moss_format::dependency::Kind;
use moss_format::{Dependency, Provider};

use super::slots::Slots;
use crate::node::Node;

/// About how many names a shard is to hold at first.
const SHARD: usize = 16 * 1024;

/// A number for a kind and a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Symbol(u32);

/// All that some recipe needs, runs with or provides.
#[derive(Debug, Clone)]
pub(super) struct Symbols {
    /// Recipes are written by strangers: the hashes are keyed, so that none can be aimed at.
    hasher: RandomState,
    /// Whose number is a power of two.
    shards: Vec<HashTable<(Key, Symbol)>>,
    providers: Vec<Slots>,
    needed_by: Vec<Slots>,
    /// Reaches as far as the last symbol that a recipe ran with: it is empty where none did, so that
    /// ordering pays nothing for it.
    running_with: Vec<Slots>,
    unused: Vec<Symbol>,
}

/// What stands for a kind and a name.
///
/// The two halves are one keyed hash of the name with either of two ends. Nobody without the key
/// can find two names with one such hash, and by chance it takes 2^64 names to expect two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Key {
    hash: u64,
    shard: u64,
}

/// A kind and a name.
pub(super) trait Named {
    /// What sort of thing it names.
    fn kind(&self) -> Kind;
    /// The name, without its kind.
    fn name(&self) -> &str;
}

impl Named for Dependency {
    fn kind(&self) -> Kind {
        self.kind()
    }

    fn name(&self) -> &str {
        self.name()
    }
}

impl Named for Provider {
    fn kind(&self) -> Kind {
        self.kind()
    }

    fn name(&self) -> &str {
        self.name()
    }
}

/// What a recipe has to do with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Needs,
    RunsWith,
    Provides,
}

/// Names of many recipes that are to be numbered.
struct Mentions {
    /// Of each name, in the order of the recipes.
    shards: Vec<u32>,
    /// The names of each shard, in the same order.
    by_shard: Vec<Vec<Mention>>,
}

struct Mention {
    key: Key,
    place: u32,
}

/// The symbols of the names of many recipes, which come one after the other.
pub(super) struct Numbers {
    shards: vec::IntoIter<u32>,
    by_shard: Vec<vec::IntoIter<Symbol>>,
}

impl Numbers {
    fn new(shards: Vec<u32>, by_shard: Vec<Vec<Symbol>>) -> Self {
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

impl Symbols {
    /// All names of these recipes, of which each is at its position. Returns the symbols of their
    /// needs, and of what they provide.
    pub(super) fn of<Id>(nodes: &[Node<Id>]) -> (Self, Numbers, Numbers) {
        let needed: usize = nodes.iter().map(|node| node.needs.len()).sum();
        let run_with: usize = nodes.iter().map(|node| node.runs_with.len()).sum();
        let provided: usize = nodes.iter().map(|node| node.provides.len()).sum();
        let shards = (needed + run_with + provided)
            .div_ceil(SHARD)
            .next_power_of_two();
        let mut symbols = Self {
            hasher: RandomState::new(),
            shards: vec![HashTable::new(); shards],
            providers: Vec::with_capacity(provided),
            needed_by: Vec::with_capacity(provided),
            running_with: Vec::new(),
            unused: Vec::new(),
        };
        let lists = nodes.iter().map(|node| node.needs.as_slice());
        let needing = symbols.mentions(needed, lists);
        let lists = nodes.iter().map(|node| node.runs_with.as_slice());
        let running = symbols.mentions(run_with, lists);
        let lists = nodes.iter().map(|node| node.provides.as_slice());
        let providing = symbols.mentions(provided, lists);
        let (mut needs, mut provides) = (Vec::new(), Vec::new());
        let mentions = needing.by_shard.into_iter().zip(running.by_shard);
        let mentions = mentions.zip(providing.by_shard);
        for (shard, ((needing, running), providing)) in mentions.enumerate() {
            symbols.shards[shard].reserve(providing.len(), |(key, _)| key.hash);
            provides.push(symbols.note_all(Role::Provides, providing));
            needs.push(symbols.note_all(Role::Needs, needing));
            symbols.note_all(Role::RunsWith, running);
        }
        let needs = Numbers::new(needing.shards, needs);
        let provides = Numbers::new(providing.shards, provides);
        (symbols, needs, provides)
    }

    pub(super) fn providers(&self, symbol: Symbol) -> &Slots {
        &self.providers[symbol.0 as usize]
    }

    pub(super) fn needed_by(&self, symbol: Symbol) -> &Slots {
        &self.needed_by[symbol.0 as usize]
    }

    pub(super) fn running_with(&self, symbol: Symbol) -> &[u32] {
        let slots = self.running_with.get(symbol.0 as usize);
        slots.map_or(&[], Slots::as_slice)
    }

    pub(super) fn find(&self, dependency: &Dependency) -> Option<Symbol> {
        let key = self.key(dependency);
        let found = self.shards[self.shard(key)].find(key.hash, |(other, _)| *other == key);
        found.map(|(_, symbol)| *symbol)
    }

    /// Notes what one recipe needs, runs with or provides.
    pub(super) fn add(&mut self, role: Role, place: u32, name: &impl Named) -> Symbol {
        self.note(role, place, self.key(name))
    }

    /// Undoes [`Self::add`].
    pub(super) fn remove(&mut self, role: Role, place: u32, name: &impl Named) {
        let key = self.key(name);
        let shard = self.shard(key);
        let Ok(entry) = self.shards[shard].find_entry(key.hash, |(other, _)| *other == key) else {
            return;
        };
        let (_, symbol) = *entry.get();
        let number = symbol.0 as usize;
        match role {
            Role::Needs => self.needed_by[number].remove(place),
            Role::RunsWith => self.running_with[number].remove(place),
            Role::Provides => self.providers[number].remove(place),
        }
        let is_unused = self.needed_by[number].as_slice().is_empty()
            && self.providers[number].as_slice().is_empty()
            && self
                .running_with
                .get(number)
                .is_none_or(|slots| slots.as_slice().is_empty());
        if is_unused {
            entry.remove();
            self.unused.push(symbol);
        }
    }

    /// The `count` names of the recipes.
    fn mentions<'a, N: Named + 'a>(
        &self,
        count: usize,
        recipes: impl Iterator<Item = &'a [N]>,
    ) -> Mentions {
        // A little more than the mean, so that hardly a shard has to grow.
        let mean = count / self.shards.len();
        let mut by_shard = Vec::new();
        by_shard.resize_with(self.shards.len(), || Vec::with_capacity(mean + mean / 16));
        let mut shards = Vec::with_capacity(count);
        for (place, names) in (0..).zip(recipes) {
            for name in names {
                let key = self.key(name);
                let shard = self.shard(key);
                shards.push(u32::try_from(shard).expect("there are fewer shards than names"));
                by_shard[shard].push(Mention { key, place });
            }
        }
        Mentions { shards, by_shard }
    }

    /// Notes the names of one shard, whose table stays in the cache meanwhile. Gives back the memory
    /// of the mentions, which is in the cache, too, for the next table.
    fn note_all(&mut self, role: Role, mentions: Vec<Mention>) -> Vec<Symbol> {
        let mut symbols = Vec::with_capacity(mentions.len());
        for Mention { key, place } in mentions {
            symbols.push(self.note(role, place, key));
        }
        symbols
    }

    fn key(&self, name: &impl Named) -> Key {
        let mut hash = self.hasher.build_hasher();
        hash.write(name.name().as_bytes());
        let mut shard = hash.clone();
        // Ends of one length: they cannot be taken for more of a name.
        hash.write(&[name.kind().as_byte(), 0]);
        shard.write(&[name.kind().as_byte(), 1]);
        Key {
            hash: hash.finish(),
            shard: shard.finish(),
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "the low bits are all that is wanted"
    )]
    fn shard(&self, key: Key) -> usize {
        key.shard as usize & (self.shards.len() - 1)
    }

    fn note(&mut self, role: Role, place: u32, key: Key) -> Symbol {
        let symbol = self.symbol(key);
        let number = symbol.0 as usize;
        match role {
            Role::Needs => self.needed_by[number].insert(place),
            Role::RunsWith => {
                if self.running_with.len() <= number {
                    self.running_with.resize_with(number + 1, Slots::default);
                }
                self.running_with[number].insert(place);
            }
            Role::Provides => self.providers[number].insert(place),
        }
        symbol
    }

    fn symbol(&mut self, key: Key) -> Symbol {
        let shard = self.shard(key);
        let entry =
            self.shards[shard].entry(key.hash, |(other, _)| *other == key, |(key, _)| key.hash);
        let (_, symbol) = *entry
            .or_insert_with(|| {
                let symbol = self.unused.pop().unwrap_or_else(|| {
                    let number = u32::try_from(self.providers.len())
                        .expect("four thousand million names do not fit into memory");
                    self.providers.push(Slots::None);
                    self.needed_by.push(Slots::None);
                    Symbol(number)
                });
                (key, symbol)
            })
            .get();
        symbol
    }
}
