//! The order of a real distribution's recipes, at the tip of the corpus bundle.

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet, HashMap};
    use std::path::Path;
    use std::sync::LazyLock;

    use moss_deps::{Graph, Node, Step, Universe};
    use moss_format::recipe::{FILE_NAMES, Recipe};
    use moss_format::{Dependency, Manifest, Provider};

    struct Entry {
        recipe: Recipe,
        manifest: Manifest,
    }

    /// The recipes with their manifests by folder. `None` where there is no corpus.
    fn tip() -> Option<&'static BTreeMap<String, Entry>> {
        static TIP: LazyLock<Option<BTreeMap<String, Entry>>> = LazyLock::new(read_tip);
        TIP.as_ref()
    }

    fn read_tip() -> Option<BTreeMap<String, Entry>> {
        let bundle = testbed::corpus::find()?.join("recipes-2025.bundle");
        let folder = tempfile::tempdir().unwrap();
        let cloned = testbed::git()
            .args(["clone", "--quiet", "--branch", "main"])
            .arg(&bundle)
            .arg(folder.path())
            .status()
            .unwrap();
        assert!(cloned.success(), "cannot clone {}", bundle.display());
        let mut entries = BTreeMap::new();
        for found in walkdir::WalkDir::new(folder.path()) {
            let path = found.unwrap().into_path();
            if FILE_NAMES.iter().any(|name| path.ends_with(name)) {
                let folder = path.parent().unwrap().strip_prefix(folder.path()).unwrap();
                if let Some(entry) = read(&path) {
                    entries.insert(folder.display().to_string(), entry);
                }
            }
        }
        Some(entries)
    }

    fn read(path: &Path) -> Option<Entry> {
        let manifest = path.with_file_name("manifest.x86_64.bin");
        if !manifest.exists() {
            return None;
        }
        let manifest = Manifest::decode(&std::fs::read(manifest).unwrap()).unwrap();
        let (recipe, _) = Recipe::parse(&std::fs::read_to_string(path).unwrap()).unwrap();
        Some(Entry { recipe, manifest })
    }

    fn build_dependencies(recipe: &Recipe) -> impl Iterator<Item = Dependency> {
        recipe
            .build_dependencies()
            .map(|dependency| (**dependency).clone())
    }

    fn graph(entries: &'static BTreeMap<String, Entry>) -> Graph<&'static str> {
        Graph::new(entries.iter().map(|(folder, entry)| {
            Node::new(folder.as_str())
                .needs(build_dependencies(&entry.recipe))
                .manifest(&entry.manifest)
                .unwrap()
        }))
    }

    #[test]
    fn the_corpus_tip_orders_without_a_dropped_edge() {
        let Some(entries) = tip() else { return };
        assert_eq!(entries.len(), 835);
        let graph = graph(entries);
        let order = graph.order();
        let place: HashMap<&str, usize> = order
            .iter()
            .enumerate()
            .flat_map(|(place, step)| step.members().iter().map(move |&member| (member, place)))
            .collect();
        assert_eq!(place.len(), 835);

        // Every need again, the long way: whoever provides it comes earlier or in the same
        // cycle, and where nobody does, it is reported.
        let mut providers: BTreeMap<Provider, BTreeSet<&str>> = BTreeMap::new();
        for (folder, entry) in entries {
            for package in &entry.manifest.packages {
                let name: Provider = package.name.parse().unwrap();
                for provider in package.provides.iter().chain([&name]) {
                    providers
                        .entry(provider.clone())
                        .or_default()
                        .insert(folder);
                }
            }
        }
        let mut edges = 0;
        for (folder, entry) in entries {
            let folder = folder.as_str();
            let mut needs: BTreeSet<Dependency> = build_dependencies(&entry.recipe).collect();
            for package in &entry.manifest.packages {
                needs.extend(package.build_depends.iter().cloned());
            }
            for need in needs {
                let others: BTreeSet<&str> = providers
                    .get(&need.to_provider())
                    .into_iter()
                    .flatten()
                    .copied()
                    .filter(|&other| other != folder)
                    .collect();
                let reported = graph.unmet(&folder).contains(&need);
                assert_eq!(reported, others.is_empty(), "{folder} needs {need}");
                edges += others.len();
                for other in others {
                    assert!(
                        place[other] <= place[folder],
                        "{folder} needs {need} of {other}"
                    );
                    let edge = graph
                        .dependencies_of(&folder)
                        .find(|edge| *edge.on == other);
                    assert!(edge.unwrap().needs.contains(&&need));
                }
            }
        }
        let kept: usize = graph
            .ids()
            .flat_map(|folder| graph.dependencies_of(folder))
            .map(|edge| edge.needs.len())
            .sum();
        assert_eq!(kept, edges);
        println!("{edges} needs met by other recipes");
    }

    #[test]
    fn the_largest_cycle_of_the_corpus_tip_has_69_members() {
        let Some(entries) = tip() else { return };
        let graph = graph(entries);
        let mut cycles: Vec<Vec<&str>> = graph
            .order()
            .into_iter()
            .filter_map(|step| match step {
                Step::One(_) => None,
                Step::Cycle(members) => Some(members),
            })
            .collect();
        cycles.sort_by_key(|members| std::cmp::Reverse(members.len()));
        let sizes: Vec<_> = cycles.iter().map(Vec::len).collect();
        println!(
            "cycles of {sizes:?} members in {} batches",
            graph.batches().len()
        );
        insta::assert_snapshot!(cycles[0].join("\n"));
        assert_eq!(cycles[0].len(), 69);

        // With everything published once, the cycle can be built again in its own order.
        assert_eq!(
            graph.order_cycle(&cycles[0], |_, _| true),
            Ok(cycles[0].clone())
        );
        let stuck = graph.order_cycle(&cycles[0], |_, _| false).unwrap_err();
        assert!(!stuck.missing.is_empty());
    }

    #[test]
    fn the_closure_of_a_real_program_is_closed() {
        let Some(entries) = tip() else { return };
        let packages = entries.values().flat_map(|entry| &entry.manifest.packages);
        let universe = Universe::new(packages);
        let root: Dependency = "nano".parse().unwrap();
        let closure = universe.closure([root], |_| false);
        let names: Vec<_> = closure
            .packages
            .iter()
            .map(|package| package.name.as_str())
            .collect();
        let missing: Vec<_> = closure.missing.iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(format!("{}\n\n{}", names.join("\n"), missing.join("\n")));
    }
}
