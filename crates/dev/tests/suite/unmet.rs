//! What clients would refuse of a channel.

use moss_deps::Universe;
use moss_format::Meta;

/// The dependencies of `packages` that none of them provides, with who has them; sorted.
pub(crate) fn dependencies(packages: &[Meta]) -> Vec<String> {
    let universe = Universe::new(packages.iter().cloned());
    let mut unmet: Vec<String> = packages
        .iter()
        .flat_map(|meta| {
            meta.depends
                .iter()
                .map(move |dependency| (meta, dependency))
        })
        .filter(|(_, dependency)| universe.provider_of(dependency).is_none())
        .map(|(meta, dependency)| format!("{} needs {dependency}", meta.name))
        .collect();
    unmet.sort();
    unmet
}
