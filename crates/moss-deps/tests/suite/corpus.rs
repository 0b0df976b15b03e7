//! The order of a real distribution's recipes, at the tip of the corpus bundle.

mod history;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::LazyLock;

use moss_deps::{Graph, Node, Step, Universe};
use moss_format::{Dependency, Provider};

use history::{Entry, History, State};

/// None where there is no corpus.
fn history() -> Option<&'static History> {
    static HISTORY: LazyLock<Option<History>> = LazyLock::new(History::read);
    HISTORY.as_ref()
}

fn node(folder: &str, entry: &Entry<'_>) -> Node<String> {
    let node = Node::new(folder.to_owned()).needs(entry.build_dependencies());
    match entry.manifest {
        Some(manifest) => node.manifest(manifest).unwrap(),
        None => node.package(&entry.recipe.name).unwrap(),
    }
}

fn graph(entries: &BTreeMap<String, Entry<'_>>) -> Graph<String> {
    Graph::new(entries.iter().map(|(folder, entry)| node(folder, entry)))
}

/// Which folders provide what, the long way.
fn providers<'a>(
    entries: &'a BTreeMap<String, Entry<'_>>,
) -> BTreeMap<Provider, BTreeSet<&'a str>> {
    let mut providers: BTreeMap<Provider, BTreeSet<&str>> = BTreeMap::new();
    for (folder, entry) in entries {
        for package in &entry.manifest.unwrap().packages {
            let name: Provider = package.name.parse().unwrap();
            for provider in package.provides.iter().chain([&name]) {
                providers
                    .entry(provider.clone())
                    .or_default()
                    .insert(folder);
            }
        }
    }
    providers
}

/// What a recipe's build needs, the long way.
fn needs(entry: &Entry<'_>) -> BTreeSet<Dependency> {
    let mut needs: BTreeSet<Dependency> = entry.build_dependencies().collect();
    for package in &entry.manifest.unwrap().packages {
        needs.extend(package.build_depends.iter().cloned());
    }
    needs
}

/// Who else provides what a recipe needs.
fn others<'a>(
    providers: &BTreeMap<Provider, BTreeSet<&'a str>>,
    folder: &str,
    need: &Dependency,
) -> BTreeSet<&'a str> {
    let all = providers.get(&need.to_provider()).into_iter().flatten();
    all.copied().filter(|other| *other != folder).collect()
}

#[test]
fn the_corpus_tip_orders_without_a_dropped_edge() {
    let Some(history) = history() else { return };
    let entries = history.tip();
    assert_eq!(entries.len(), 835);
    let graph = graph(&entries);
    let order = graph.order();
    let place: HashMap<&str, usize> = order
        .iter()
        .enumerate()
        .flat_map(|(place, step)| {
            let members = step.members().iter();
            members.map(move |member| (member.as_str(), place))
        })
        .collect();
    assert_eq!(place.len(), 835);

    // Every need again, the long way: whoever provides it comes earlier or in the same
    // cycle, and where nobody does, it is reported.
    let providers = providers(&entries);
    let mut edges = 0;
    for (folder, entry) in &entries {
        for need in needs(entry) {
            let others = others(&providers, folder, &need);
            let reported = graph.unmet(folder).contains(&&need);
            assert_eq!(reported, others.is_empty(), "{folder} needs {need}");
            edges += others.len();
            for other in others {
                assert!(
                    place[other] <= place[folder.as_str()],
                    "{folder} needs {need} of {other}"
                );
                let edge = graph.dependencies_of(folder).find(|edge| *edge.on == other);
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
    let Some(history) = history() else { return };
    let entries = history.tip();
    let graph = graph(&entries);
    let mut cycles: Vec<Vec<String>> = graph
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
    let Some(history) = history() else { return };
    let entries = history.tip();
    let packages = entries
        .values()
        .flat_map(|entry| &entry.manifest.unwrap().packages);
    let universe = Universe::new(packages.cloned());
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

#[test]
fn a_soname_of_the_corpus_tip_affects_who_is_linked_with_it() {
    let Some(history) = history() else { return };
    let entries = history.tip();
    let gone: Dependency = "soname(libz.so.1(x86_64))".parse().unwrap();
    let built: BTreeSet<&str> = entries
        .iter()
        .filter(|(_, entry)| needs(entry).contains(&gone))
        .map(|(folder, _)| folder.as_str())
        .collect();
    let linked: BTreeSet<&str> = entries
        .iter()
        .filter(|(_, entry)| {
            let mut packages = entry.manifest.unwrap().packages.iter();
            packages.any(|package| package.depends.contains(&gone))
        })
        .map(|(folder, _)| folder.as_str())
        .collect();

    // The closure again, the long way: as long as there is one more, whoever needs one of it.
    let providers = providers(&entries);
    let mut expected: BTreeSet<&str> = built.union(&linked).copied().collect();
    let mut before = 0;
    while before != expected.len() {
        before = expected.len();
        for (folder, entry) in &entries {
            let needs_one = needs(entry)
                .iter()
                .any(|need| !others(&providers, folder, need).is_disjoint(&expected));
            if needs_one {
                expected.insert(folder);
            }
        }
    }
    let graph = graph(&entries);
    let affected: BTreeSet<&str> = graph
        .affected_by(&gone)
        .into_iter()
        .map(String::as_str)
        .collect();
    assert_eq!(affected, expected);
    assert!(affected.is_superset(&linked));
    assert_eq!((built.len(), linked.len(), affected.len()), (0, 81, 589));
}

/// One graph goes through all commits, recipe by recipe; now and then it is compared with one
/// made anew.
#[test]
fn a_graph_that_follows_the_history_is_as_one_made_anew() {
    const INTERVAL: usize = 250;
    let Some(history) = history() else { return };
    let (mut state, mut graph) = (State::default(), Graph::new([]));
    let (mut changes, mut compared) = (0, 0);
    for commit in 0..history.commits() {
        for folder in history.step(&mut state, commit) {
            changes += 1;
            match history.entry(&state, folder) {
                Some(entry) => graph.insert(node(folder, &entry)),
                None => drop(graph.remove(&folder.to_owned())),
            }
        }
        if commit % INTERVAL == 0 || commit + 1 == history.commits() {
            let fresh = self::graph(&history.entries(&state));
            assert!(graph.ids().eq(fresh.ids()), "commit {commit}");
            assert_eq!(graph.batches(), fresh.batches(), "commit {commit}");
            for folder in fresh.ids() {
                let edges = graph.dependencies_of(folder);
                assert!(
                    edges.eq(fresh.dependencies_of(folder)),
                    "commit {commit}: {folder}"
                );
                assert_eq!(graph.unmet(folder), fresh.unmet(folder), "commit {commit}");
            }
            for gone in [
                "soname(libz.so.1(x86_64))",
                "soname(libc.so.6(x86_64))",
                "zlib",
            ] {
                let gone = gone.parse().unwrap();
                let (affected, anew) = (graph.affected_by(&gone), fresh.affected_by(&gone));
                assert_eq!(affected, anew, "commit {commit}: {gone}");
            }
            compared += 1;
        }
    }
    println!(
        "{changes} changes in {} commits, {compared} comparisons, {} recipes at the tip",
        history.commits(),
        graph.len()
    );
    assert!(graph.len() >= 835);
}
