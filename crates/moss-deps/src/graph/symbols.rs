//! What is needed and provided, each named by a number.
//!
//! Names are told apart by keyed hashes of 128 bits, so that none has to be looked at twice, and
//! those of many recipes are numbered one shard of the hashes after the other: a shard's table fits
//! into the processor's cache, where one table of millions of names would not.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use hashbrown::HashTable;
use moss_format::dependency::Kind;
use moss_format::{Dependency, Provider};

use super::slots::Slots;

/// About how many names a shard is to hold at first.
const SHARD: usize = 16 * 1024;

/// A number for a kind and a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Symbol(u32);

/// All that some recipe needs or provides.
#[derive(Debug, Clone)]
pub(super) struct Symbols {
    /// Recipes are written by strangers: the hashes are keyed, so that none can be aimed at.
    hasher: RandomState,
    /// Whose number is a power of two.
    shards: Vec<HashTable<(Key, Symbol)>>,
    providers: Vec<Slots>,
    needed_by: Vec<Slots>,
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
    Provides,
}

/// A name of a recipe that is to be numbered.
struct Mention {
    key: Key,
    place: u32,
    /// Among all that are numbered together.
    position: u32,
}

impl Symbols {
    /// With shards for so many names.
    pub(super) fn for_names(count: usize) -> Self {
        let shards = count.div_ceil(SHARD).next_power_of_two();
        Self {
            hasher: RandomState::new(),
            shards: vec![HashTable::new(); shards],
            providers: Vec::new(),
            needed_by: Vec::new(),
            unused: Vec::new(),
        }
    }

    pub(super) fn providers(&self, symbol: Symbol) -> &Slots {
        &self.providers[symbol.0 as usize]
    }

    pub(super) fn needed_by(&self, symbol: Symbol) -> &Slots {
        &self.needed_by[symbol.0 as usize]
    }

    pub(super) fn find(&self, dependency: &Dependency) -> Option<Symbol> {
        let key = self.key(dependency);
        let found = self.shards[self.shard(key)].find(key.hash, |(other, _)| *other == key);
        found.map(|(_, symbol)| *symbol)
    }

    /// Notes what one recipe needs or provides.
    pub(super) fn add(&mut self, role: Role, place: u32, name: &impl Named) -> Symbol {
        self.note(role, place, self.key(name))
    }

    /// [`Self::add`] for `count` names of many recipes. The symbols come in the order of the names.
    pub(super) fn add_all<'a, N: Named + 'a>(
        &mut self,
        role: Role,
        count: usize,
        names: impl Iterator<Item = (u32, &'a N)>,
    ) -> Vec<Symbol> {
        // A little more than the mean, so that hardly a shard has to grow.
        let usual = count / self.shards.len();
        let room = usual + usual / 16;
        let mut mentions: Vec<Vec<Mention>> = Vec::new();
        mentions.resize_with(self.shards.len(), || Vec::with_capacity(room));
        for (position, (place, name)) in (0..).zip(names) {
            let key = self.key(name);
            mentions[self.shard(key)].push(Mention {
                key,
                place,
                position,
            });
        }
        let mut symbols = vec![Symbol(0); count];
        for mention in mentions.into_iter().flatten() {
            let symbol = self.note(role, mention.place, mention.key);
            symbols[mention.position as usize] = symbol;
        }
        symbols
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
            Role::Provides => self.providers[number].remove(place),
        }
        let is_unused = |slots: &Slots| slots.as_slice().is_empty();
        if is_unused(&self.needed_by[number]) && is_unused(&self.providers[number]) {
            entry.remove();
            self.unused.push(symbol);
        }
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
        match role {
            Role::Needs => self.needed_by[symbol.0 as usize].insert(place),
            Role::Provides => self.providers[symbol.0 as usize].insert(place),
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
