//! What is needed, run with and provided, each named by a number.
//!
//! Names are told apart by keyed hashes of 96 bits, so that none has to be looked at twice, and
//! those of many recipes are numbered one shard of the hashes after the other: a shard's table fits
//! into the processor's cache, where one table of millions of names would not. All else goes through
//! memory from its beginning to its end: names are [dealt](deal) to the shards in the order of the
//! recipes, and their numbers are taken back in the same order.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use moss_format::dependency::Kind;
use moss_format::{Dependency, Provider};

use super::deal::{self, Dealt, Mention, Numbers};
use super::places::Places;
use crate::node::Node;

/// A number for a kind and a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Symbol(u32);

impl Symbol {
    pub(super) fn of(index: usize) -> Self {
        Self(u32::try_from(index).expect("so many names do not fit into memory"))
    }

    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// All that some recipe needs, runs with or provides.
#[derive(Debug, Clone)]
pub(super) struct Symbols {
    /// Recipes are written by strangers: the hashes are keyed, so that none can be aimed at.
    hasher: RandomState,
    /// Of each symbol.
    keys: Vec<Key>,
    /// The symbols by their keys. The number of shards is a power of two.
    shards: Vec<HashTable<Symbol>>,
    unused: Vec<Symbol>,
    needed_by: Places,
    running_with: Places,
    provided_by: Places,
}

/// What stands for a kind and a name, in twelve bytes: there are millions, and they all go through
/// memory.
///
/// It is taken from one keyed hash of the name with either of two ends. Who does not know how the
/// hash is keyed cannot find two names that get the same, and by chance it takes 2^48 names to
/// expect two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    high: u32,
    low: u32,
    shard: u32,
}

impl Key {
    /// Which of so many shards it is in; their number is a power of two.
    pub(super) fn shard(self, shards: usize) -> usize {
        self.shard as usize & (shards - 1)
    }

    /// By which it is found in its shard.
    fn hash(self) -> u64 {
        u64::from(self.high) << 32 | u64::from(self.low)
    }
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

impl Symbols {
    /// All names of these recipes, of which each is at its position. Returns the symbols of their
    /// needs, and of what they provide.
    pub(super) fn of<Id>(nodes: &[Node<Id>]) -> (Self, Numbers, Numbers) {
        let needed: usize = nodes.iter().map(|node| node.needs.len()).sum();
        let run_with: usize = nodes.iter().map(|node| node.runs_with.len()).sum();
        let provided: usize = nodes.iter().map(|node| node.provides.len()).sum();
        let shards = deal::shards(needed + run_with + provided);
        let mut symbols = Self {
            hasher: RandomState::new(),
            keys: Vec::with_capacity(provided),
            shards: vec![HashTable::new(); shards],
            unused: Vec::new(),
            needed_by: Places::default(),
            running_with: Places::default(),
            provided_by: Places::default(),
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
            let keys = &symbols.keys;
            symbols.shards[shard].reserve(providing.len(), |symbol| keys[symbol.index()].hash());
            provides.push(symbols.note_all(Role::Provides, providing));
            needs.push(symbols.note_all(Role::Needs, needing));
            symbols.note_all(Role::RunsWith, running);
        }
        let needs = Numbers::new(needing.shards, needs);
        let provides = Numbers::new(providing.shards, provides);
        (symbols, needs, provides)
    }

    /// The recipes that have this to do with something.
    pub(super) fn recipes(&self, role: Role, symbol: Symbol) -> &[u32] {
        let places = match role {
            Role::Needs => &self.needed_by,
            Role::RunsWith => &self.running_with,
            Role::Provides => &self.provided_by,
        };
        places.of(symbol)
    }

    /// How many numbers were ever given away at a time.
    #[cfg(test)]
    pub(super) fn numbers(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn find(&self, dependency: &Dependency) -> Option<Symbol> {
        self.find_key(self.key(dependency))
    }

    fn find_key(&self, key: Key) -> Option<Symbol> {
        let shard = &self.shards[self.shard(key)];
        let found = shard.find(key.hash(), |symbol| self.keys[symbol.index()] == key);
        found.copied()
    }

    /// Notes what one recipe needs, runs with or provides.
    pub(super) fn add(&mut self, role: Role, place: u32, name: &impl Named) -> Symbol {
        self.note(role, place, self.key(name))
    }

    /// Undoes [`Self::add`].
    pub(super) fn remove(&mut self, role: Role, place: u32, name: &impl Named) {
        let key = self.key(name);
        let Some(symbol) = self.find_key(key) else {
            return;
        };
        self.places_mut(role).remove(symbol, place);
        let mut roles = [Role::Needs, Role::RunsWith, Role::Provides].into_iter();
        if roles.all(|role| self.recipes(role, symbol).is_empty()) {
            let shard = self.shard(key);
            let found = self.shards[shard].find_entry(key.hash(), |other| *other == symbol);
            found.expect("it was just found").remove();
            self.unused.push(symbol);
        }
    }

    /// The `count` names of the recipes.
    fn mentions<'a, N: Named + 'a>(
        &self,
        count: usize,
        recipes: impl Iterator<Item = &'a [N]>,
    ) -> Dealt {
        let names = (0..).zip(recipes).flat_map(|(place, names)| {
            names.iter().map(move |name| {
                let key = self.key(name);
                Mention { key, place }
            })
        });
        Dealt::new(self.shards.len(), count, names)
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

    #[expect(
        clippy::cast_possible_truncation,
        reason = "one hash is taken in its two halves, and a half of the other"
    )]
    fn key(&self, name: &impl Named) -> Key {
        let mut hash = self.hasher.build_hasher();
        hash.write(name.name().as_bytes());
        let mut shard = hash.clone();
        // Ends of one length: they cannot be taken for more of a name.
        hash.write(&[name.kind().as_byte(), 0]);
        shard.write(&[name.kind().as_byte(), 1]);
        let hash = hash.finish();
        Key {
            high: (hash >> 32) as u32,
            low: hash as u32,
            shard: shard.finish() as u32,
        }
    }

    fn shard(&self, key: Key) -> usize {
        key.shard(self.shards.len())
    }

    fn note(&mut self, role: Role, place: u32, key: Key) -> Symbol {
        let symbol = self.symbol(key);
        self.places_mut(role).insert(symbol, place);
        symbol
    }

    fn places_mut(&mut self, role: Role) -> &mut Places {
        match role {
            Role::Needs => &mut self.needed_by,
            Role::RunsWith => &mut self.running_with,
            Role::Provides => &mut self.provided_by,
        }
    }

    fn symbol(&mut self, key: Key) -> Symbol {
        let shard = self.shard(key);
        let keys = &mut self.keys;
        let entry = self.shards[shard].entry(
            key.hash(),
            |symbol| keys[symbol.index()] == key,
            |symbol| keys[symbol.index()].hash(),
        );
        match entry {
            Entry::Occupied(entry) => *entry.get(),
            Entry::Vacant(entry) => {
                let symbol = if let Some(symbol) = self.unused.pop() {
                    keys[symbol.index()] = key;
                    symbol
                } else {
                    keys.push(key);
                    Symbol::of(keys.len() - 1)
                };
                *entry.insert(symbol).get()
            }
        }
    }
}
