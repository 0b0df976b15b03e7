//! The packages that some dependencies drag along.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use moss_format::dependency::Kind;
use moss_format::{Dependency, Meta};

/// The packages to choose from: those of a channel, or some more before them.
///
/// Of several packages with one name only the newest counts, that with the highest release and
/// then the highest build release.
#[derive(Debug, Default)]
pub struct Universe {
    /// Sorted by name, one of each.
    packages: Vec<Meta>,
    /// Which packages provide something, by its kind and name; sorted, so that they are so by name.
    providers: HashMap<Kind, HashMap<Box<str>, Vec<usize>>>,
    /// The packages that count where none of ours has the name.
    base: Option<Arc<Universe>>,
}

/// What dependencies come to; see [`Universe::closure`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Closure<'a> {
    /// The chosen packages, sorted by name.
    pub packages: Vec<&'a Meta>,
    /// The dependencies that the host meets.
    pub host: BTreeSet<Dependency>,
    /// The dependencies that nobody meets, sorted.
    pub missing: Vec<Missing>,
}

/// A dependency that nobody meets, and why it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Missing {
    /// What is missing.
    pub dependency: Dependency,
    /// The packages that lead from a root to the one that needs it; empty for a root itself.
    pub chain: Vec<String>,
    /// The root dependency.
    pub root: Dependency,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "nothing provides `{}`", self.dependency)?;
        for package in self.chain.iter().rev() {
            write!(f, ", needed by `{package}`")?;
        }
        if self.chain.is_empty() {
            Ok(())
        } else {
            write!(f, ", which was chosen for `{}`", self.root)
        }
    }
}

impl Universe {
    /// The universe of these packages.
    pub fn new(packages: impl IntoIterator<Item = Meta>) -> Self {
        let mut newest: BTreeMap<String, Meta> = BTreeMap::new();
        for package in packages {
            match newest.entry(package.name.clone()) {
                Entry::Vacant(entry) => drop(entry.insert(package)),
                Entry::Occupied(mut entry) if rank(&package) > rank(entry.get()) => {
                    entry.insert(package);
                }
                Entry::Occupied(_) => {}
            }
        }
        let packages: Vec<Meta> = newest.into_values().collect();
        let mut providers: HashMap<Kind, HashMap<Box<str>, Vec<usize>>> = HashMap::new();
        let mut provide = |kind, name: &str, place| {
            let of_kind = providers.entry(kind).or_default();
            match of_kind.get_mut(name) {
                Some(places) => places.push(place),
                None => drop(of_kind.insert(name.into(), vec![place])),
            }
        };
        for (place, package) in packages.iter().enumerate() {
            provide(Kind::PackageName, &package.name, place);
            for provider in &package.provides {
                let is_own =
                    provider.kind() == Kind::PackageName && provider.name() == package.name;
                if !is_own {
                    provide(provider.kind(), provider.name(), place);
                }
            }
        }
        Self {
            packages,
            providers,
            base: None,
        }
    }

    /// These packages, and behind them those of `base`: one of ours stands for those of its name. What
    /// `base` holds is not looked at again.
    pub fn over(base: Arc<Self>, packages: impl IntoIterator<Item = Meta>) -> Self {
        debug_assert!(base.base.is_none(), "there are two layers and no more");
        Self {
            base: Some(base),
            ..Self::new(packages)
        }
    }

    /// All packages, those of the base last.
    pub fn packages(&self) -> impl Iterator<Item = &Meta> {
        let base = self.base.iter().flat_map(|base| base.packages.iter());
        self.packages
            .iter()
            .chain(base.filter(|package| self.find_own(&package.name).is_none()))
    }

    /// The package of this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Meta> {
        let base = || self.base.as_ref()?.find(name);
        self.find_own(name).or_else(base)
    }

    fn find_own(&self, name: &str) -> Option<&Meta> {
        let found = self
            .packages
            .binary_search_by(|package| package.name.as_str().cmp(name));
        found.ok().map(|place| &self.packages[place])
    }

    /// The package that meets a dependency: of several that with the same name as what is
    /// needed, else the first by name.
    #[must_use]
    pub fn provider_of(&self, dependency: &Dependency) -> Option<&Meta> {
        let own = self.providers_of(dependency);
        let base = self.base.iter().flat_map(|base| {
            let found = base.providers_of(dependency);
            found.filter(|package| self.find_own(&package.name).is_none())
        });
        let others = own.chain(base);
        others.min_by_key(|package| (package.name != dependency.name(), package.name.as_str()))
    }

    /// Our own packages that meet a dependency, sorted by name.
    fn providers_of(&self, dependency: &Dependency) -> impl Iterator<Item = &Meta> {
        let of_kind = self.providers.get(&dependency.kind());
        let places = of_kind.and_then(|names| names.get(dependency.name()));
        let places = places.into_iter().flatten();
        places.map(|place| &self.packages[*place])
    }

    /// The run-time closure: packages that meet the roots, packages that meet what those depend
    /// on, and so on. What no package provides is asked of the host.
    pub fn closure(
        &self,
        roots: impl IntoIterator<Item = Dependency>,
        host_provides: impl Fn(&Dependency) -> bool,
    ) -> Closure<'_> {
        let roots: BTreeSet<Dependency> = roots.into_iter().collect();
        let mut search = Search {
            chosen: BTreeMap::new(),
            pending: VecDeque::new(),
        };
        let mut closure = Closure::default();
        let mut missing: BTreeMap<Dependency, Option<&str>> = BTreeMap::new();
        for root in &roots {
            search.meet(self, root, Reason::Root(root), &mut |dependency| {
                note(
                    &mut closure.host,
                    &mut missing,
                    &host_provides,
                    dependency,
                    None,
                );
            });
        }
        while let Some(package) = search.pending.pop_front() {
            for dependency in &package.depends {
                search.meet(
                    self,
                    dependency,
                    Reason::Package(&package.name),
                    &mut |dependency| {
                        let needed_by = Some(package.name.as_str());
                        note(
                            &mut closure.host,
                            &mut missing,
                            &host_provides,
                            dependency,
                            needed_by,
                        );
                    },
                );
            }
        }
        closure.missing = missing
            .into_iter()
            .map(|(dependency, needed_by)| search.explain(dependency, needed_by))
            .collect();
        closure.packages = search
            .chosen
            .keys()
            .filter_map(|name| self.find(name))
            .collect();
        closure
    }
}

/// Writes down a dependency that no package meets.
fn note<'a>(
    host: &mut BTreeSet<Dependency>,
    missing: &mut BTreeMap<Dependency, Option<&'a str>>,
    host_provides: &impl Fn(&Dependency) -> bool,
    dependency: &Dependency,
    needed_by: Option<&'a str>,
) {
    if host.contains(dependency) || missing.contains_key(dependency) {
        return;
    }
    if host_provides(dependency) {
        host.insert(dependency.clone());
    } else {
        missing.insert(dependency.clone(), needed_by);
    }
}

/// Why a package was chosen.
#[derive(Debug, Clone, Copy)]
enum Reason<'a, 'r> {
    Root(&'r Dependency),
    Package(&'a str),
}

struct Search<'a, 'r> {
    chosen: BTreeMap<&'a str, Reason<'a, 'r>>,
    pending: VecDeque<&'a Meta>,
}

impl<'a, 'r> Search<'a, 'r> {
    fn meet(
        &mut self,
        universe: &'a Universe,
        dependency: &Dependency,
        reason: Reason<'a, 'r>,
        not_met: &mut dyn FnMut(&Dependency),
    ) {
        let Some(package) = universe.provider_of(dependency) else {
            not_met(dependency);
            return;
        };
        if let Entry::Vacant(entry) = self.chosen.entry(&package.name) {
            entry.insert(reason);
            self.pending.push_back(package);
        }
    }

    fn explain(&self, dependency: Dependency, needed_by: Option<&'a str>) -> Missing {
        let mut chain = Vec::new();
        let mut at = needed_by;
        let mut root = dependency.clone();
        while let Some(package) = at {
            chain.push(package.to_owned());
            at = match self.chosen.get(package) {
                Some(Reason::Package(before)) => Some(before),
                Some(Reason::Root(first)) => {
                    root = (*first).clone();
                    None
                }
                None => None,
            };
        }
        chain.reverse();
        Missing {
            dependency,
            chain,
            root,
        }
    }
}

/// Which of two packages with one name is newer. The rest of a package decides between equal
/// releases, which a sound channel does not have, only so that the answer is always the same.
fn rank(package: &Meta) -> impl Ord + '_ {
    (
        package.release,
        package.build_release,
        &package.version,
        &package.hash,
        &package.uri,
    )
}

#[cfg(test)]
mod tests;
