//! What is needed and provided, each kept once and named by a number.

use std::hash::{BuildHasher as _, RandomState};

use hashbrown::HashTable;
use moss_format::dependency::Kind;
use moss_format::{Dependency, Provider};

use super::slots::Slots;

/// A number for a kind and a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Symbol(u32);

/// All that some recipe needs or provides.
#[derive(Debug, Clone, Default)]
pub(super) struct Symbols {
    /// Recipes are written by strangers: the hashes are keyed, so that none can be aimed at.
    hasher: RandomState,
    /// By hash, which is kept so that a full table grows without reading all names again.
    table: HashTable<(u64, Symbol)>,
    entries: Vec<Entry>,
    providers: Vec<Slots>,
    unused: Vec<Symbol>,
}

#[derive(Debug, Clone)]
struct Entry {
    text: Dependency,
    needed_by: Slots,
}

impl Symbols {
    /// With room for so many.
    pub(super) fn with_capacity(count: usize) -> Self {
        Self {
            hasher: RandomState::new(),
            table: HashTable::with_capacity(count),
            entries: Vec::with_capacity(count),
            providers: Vec::with_capacity(count),
            unused: Vec::new(),
        }
    }

    pub(super) fn text(&self, symbol: Symbol) -> &Dependency {
        &self.entries[symbol.0 as usize].text
    }

    pub(super) fn providers(&self, symbol: Symbol) -> &Slots {
        &self.providers[symbol.0 as usize]
    }

    pub(super) fn needed_by(&self, symbol: Symbol) -> &Slots {
        &self.entries[symbol.0 as usize].needed_by
    }

    pub(super) fn find(&self, dependency: &Dependency) -> Option<Symbol> {
        let hash = self.hash(dependency.kind(), dependency.name());
        self.find_hashed(hash, dependency.kind(), dependency.name())
    }

    /// Notes that a recipe needs something.
    pub(super) fn need(&mut self, place: u32, need: Dependency) -> Symbol {
        let symbol = self.symbol(need);
        self.entries[symbol.0 as usize].needed_by.insert(place);
        symbol
    }

    /// Notes that a recipe provides something.
    pub(super) fn provide(&mut self, place: u32, provider: Provider) -> Symbol {
        let symbol = self.symbol(provider.into());
        self.providers[symbol.0 as usize].insert(place);
        symbol
    }

    /// Undoes [`Self::need`].
    pub(super) fn need_no_more(&mut self, place: u32, symbol: Symbol) {
        self.entries[symbol.0 as usize].needed_by.remove(place);
        self.forget_unused(symbol);
    }

    /// Undoes [`Self::provide`].
    pub(super) fn provide_no_more(&mut self, place: u32, symbol: Symbol) {
        self.providers[symbol.0 as usize].remove(place);
        self.forget_unused(symbol);
    }

    fn symbol(&mut self, text: Dependency) -> Symbol {
        let hash = self.hash(text.kind(), text.name());
        match self.find_hashed(hash, text.kind(), text.name()) {
            Some(symbol) => symbol,
            None => self.add(hash, text),
        }
    }

    fn hash(&self, kind: Kind, name: &str) -> u64 {
        self.hasher.hash_one((kind, name))
    }

    fn find_hashed(&self, hash: u64, kind: Kind, name: &str) -> Option<Symbol> {
        let found = self.table.find(hash, |(other, symbol)| {
            let text = self.text(*symbol);
            *other == hash && text.kind() == kind && text.name() == name
        });
        found.map(|(_, symbol)| *symbol)
    }

    fn add(&mut self, hash: u64, text: Dependency) -> Symbol {
        let entry = Entry {
            text,
            needed_by: Slots::None,
        };
        let symbol = if let Some(symbol) = self.unused.pop() {
            self.entries[symbol.0 as usize] = entry;
            symbol
        } else {
            let number = u32::try_from(self.entries.len())
                .expect("four thousand million names do not fit into memory");
            self.entries.push(entry);
            self.providers.push(Slots::None);
            Symbol(number)
        };
        self.table
            .insert_unique(hash, (hash, symbol), |(hash, _)| *hash);
        symbol
    }

    fn forget_unused(&mut self, symbol: Symbol) {
        let is_used = |slots: &Slots| !slots.as_slice().is_empty();
        if is_used(self.needed_by(symbol)) || is_used(self.providers(symbol)) {
            return;
        }
        let text = self.text(symbol);
        let hash = self.hash(text.kind(), text.name());
        if let Ok(entry) = self.table.find_entry(hash, |(_, other)| *other == symbol) {
            entry.remove();
            self.unused.push(symbol);
        }
    }
}
