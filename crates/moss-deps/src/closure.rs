//! The packages that some dependencies drag along.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fmt;

use moss_format::dependency::Kind;
use moss_format::{Dependency, Meta};

/// The packages to choose from: those of a channel.
///
/// Of several packages with one name only the newest counts, that with the highest release and
/// then the highest build release.
#[derive(Debug)]
pub struct Universe<'a> {
    packages: BTreeMap<&'a str, &'a Meta>,
    /// The names of the packages that provide something, sorted.
    providers: HashMap<(Kind, &'a str), BTreeSet<&'a str>>,
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

impl<'a> Universe<'a> {
    /// The universe of these packages.
    pub fn new(packages: impl IntoIterator<Item = &'a Meta>) -> Self {
        let mut newest: BTreeMap<&str, &Meta> = BTreeMap::new();
        for package in packages {
            match newest.entry(&package.name) {
                Entry::Vacant(entry) => {
                    entry.insert(package);
                }
                Entry::Occupied(mut entry) => {
                    if rank(package) > rank(entry.get()) {
                        entry.insert(package);
                    }
                }
            }
        }
        let mut providers: HashMap<_, BTreeSet<_>> = HashMap::new();
        for (&name, package) in &newest {
            providers
                .entry((Kind::PackageName, name))
                .or_default()
                .insert(name);
            for provider in &package.provides {
                providers
                    .entry((provider.kind(), provider.name()))
                    .or_default()
                    .insert(name);
            }
        }
        Self {
            packages: newest,
            providers,
        }
    }

    /// The package of this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&'a Meta> {
        self.packages.get(name).copied()
    }

    /// The package that meets a dependency: of several that with the same name as what is
    /// needed, else the first by name.
    #[must_use]
    pub fn provider_of(&self, dependency: &Dependency) -> Option<&'a Meta> {
        let names = self
            .providers
            .get(&(dependency.kind(), dependency.name()))?;
        let name = names.get(dependency.name()).or_else(|| names.first())?;
        self.find(name)
    }

    /// The run-time closure: packages that meet the roots, packages that meet what those depend
    /// on, and so on. What no package provides is asked of the host.
    pub fn closure(
        &self,
        roots: impl IntoIterator<Item = Dependency>,
        host_provides: impl Fn(&Dependency) -> bool,
    ) -> Closure<'a> {
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
        universe: &Universe<'a>,
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
