use proptest::prelude::{Just, Strategy, any, proptest};

use std::collections::{BTreeMap, BTreeSet};

use moss_format::{Manifest, Meta};

use super::*;
use crate::Node;

fn dependency(text: &str) -> Dependency {
    text.parse().unwrap()
}

/// `"gcc: binary(as) | binary(gcc)"` needs the first and provides the second. Every node also
/// provides its name.
fn node(line: &str) -> Node<&str> {
    let (id, rest) = line.split_once(':').unwrap();
    let (needs, provides) = rest.split_once('|').unwrap_or((rest, ""));
    Node::new(id)
        .needs(needs.split_whitespace().map(dependency))
        .provides(
            provides
                .split_whitespace()
                .map(|text| text.parse().unwrap()),
        )
        .package(id)
        .unwrap()
}

fn graph<'a>(lines: &[&'a str]) -> Graph<&'a str> {
    Graph::new(lines.iter().map(|line| node(line)))
}

/// A small distribution with two cycles, one of which needs the other.
const LINES: [&str; 9] = [
    "nano: pkgconfig(ncursesw) binary(gcc) binary(git)",
    "ncurses: binary(gcc) | pkgconfig(ncursesw)",
    "gcc: binary(as) binary(gcc) glibc | binary(gcc)",
    "binutils: binary(gcc) | binary(as)",
    "glibc: binary(gcc) python",
    "meson: python binary(ninja)",
    "ninja: meson | binary(ninja)",
    "python:",
    "docs: nano meson",
];

#[test]
fn batches_come_in_the_order_of_needs() {
    let one = Step::One;
    let cycle = |members: &[&'static str]| Step::Cycle(members.to_vec());
    assert_eq!(
        graph(&LINES).batches(),
        [
            vec![one("python")],
            vec![
                cycle(&["binutils", "gcc", "glibc"]),
                cycle(&["meson", "ninja"])
            ],
            vec![one("ncurses")],
            vec![one("nano")],
            vec![one("docs")],
        ]
    );
}

#[test]
fn edges_say_what_caused_them() {
    let graph = graph(&LINES);
    let edges: Vec<_> = graph.dependencies_of(&"gcc").collect();
    let (assembler, libc) = (dependency("binary(as)"), dependency("glibc"));
    assert_eq!(
        edges,
        [
            Edge {
                on: &"binutils",
                needs: vec![&assembler]
            },
            Edge {
                on: &"glibc",
                needs: vec![&libc]
            },
        ]
    );
    assert_eq!(graph.dependencies_of(&"unknown").count(), 0);
}

#[test]
fn what_no_other_recipe_provides_is_unmet() {
    let graph = graph(&LINES);
    assert_eq!(graph.unmet(&"nano"), [&dependency("binary(git)")]);
    assert_eq!(
        graph.unmet(&"gcc"),
        [&dependency("binary(gcc)")],
        "only the last gcc has it"
    );
    assert!(graph.unmet(&"python").is_empty());
}

#[test]
fn every_provider_of_a_need_comes_first() {
    let graph = graph(&["a: binary(cc)", "clang: | binary(cc)", "gcc: | binary(cc)"]);
    let on: Vec<_> = graph.dependencies_of(&"a").map(|edge| *edge.on).collect();
    assert_eq!(on, ["clang", "gcc"]);
}

#[test]
fn dependents_are_found_around_corners() {
    let graph = graph(&LINES);
    assert_eq!(
        graph.dependents_of(&"ncurses"),
        BTreeSet::from([&"docs", &"nano"])
    );
    let of_gcc = BTreeSet::from([&"binutils", &"docs", &"glibc", &"nano", &"ncurses"]);
    assert_eq!(graph.dependents_of(&"gcc"), of_gcc);
}

#[test]
fn what_a_soname_takes_along_is_found() {
    let graph = graph(&LINES);
    let affected = |gone| graph.affected_by(&dependency(gone)).into_iter().copied();
    assert_eq!(
        affected("pkgconfig(ncursesw)").collect::<Vec<_>>(),
        ["docs", "nano"]
    );
    // A recipe that needs what only itself provides has to be built again, too.
    assert!(affected("binary(gcc)").any(|id| id == "gcc"));
    assert_eq!(
        affected("binary(git)").collect::<Vec<_>>(),
        ["docs", "nano"]
    );
    assert_eq!(affected("binary(unknown)").count(), 0);
}

/// Who is built against zlib needs its pkgconfig file, and only when built is linked with its soname.
const LIBZ: &str = "soname(libz.so.1(x86_64))";

fn linked_with_zlib() -> Graph<&'static str> {
    let linked = |line, with| node(line).runs_with([dependency(with)]);
    Graph::new([
        node("zlib: | pkgconfig(zlib) soname(libz.so.1(x86_64))"),
        linked("git: pkgconfig(zlib)", LIBZ),
        node("preload: soname(libz.so.1(x86_64))"),
        linked("both: soname(libz.so.1(x86_64))", LIBZ),
        node("static: pkgconfig(zlib)"),
        node("docs: git"),
        node("site: docs"),
        linked("forge:", "git"),
        node("runner: forge"),
    ])
}

#[test]
fn a_soname_takes_along_who_is_linked_with_it() {
    let mut graph = linked_with_zlib();
    let affected = |graph: &Graph<&'static str>, gone| {
        let affected = graph.affected_by(&dependency(gone)).into_iter().copied();
        affected.collect::<Vec<_>>()
    };
    let direct_and_built_with_those = ["both", "docs", "git", "preload", "site"];
    assert_eq!(affected(&graph, LIBZ), direct_and_built_with_those);
    assert_eq!(
        affected(&graph, "git"),
        ["docs", "forge", "runner", "site"],
        "what runs with a recipe is affected when it goes, and not when it is rebuilt"
    );

    assert!(graph.remove(&"git"));
    assert_eq!(affected(&graph, LIBZ), ["both", "preload"]);
    graph.insert(node("both: soname(libz.so.1(x86_64))"));
    assert_eq!(affected(&graph, LIBZ), ["both", "preload"]);
    graph.insert(node("both:").runs_with([dependency(LIBZ)]));
    graph.insert(node("preload:"));
    assert_eq!(affected(&graph, LIBZ), ["both"]);
    graph.remove(&"zlib");
    assert_eq!(affected(&graph, LIBZ), ["both"], "nobody has to provide it");
}

#[test]
fn what_a_recipe_runs_with_is_no_edge() {
    let graph = linked_with_zlib();
    assert_eq!(graph.dependencies_of(&"forge").count(), 0);
    assert!(graph.unmet(&"forge").is_empty());
    assert_eq!(graph.why(&"forge", &"git"), None);
    assert!(!graph.dependents_of(&"git").contains(&"forge"));
    let first = &graph.batches()[0];
    assert_eq!(*first, [Step::One("forge"), Step::One("zlib")]);
}

#[test]
fn a_manifest_tells_what_its_packages_run_with() {
    let package = |name: &str, depends: &str| Meta {
        name: name.to_owned(),
        depends: BTreeSet::from([dependency(depends)]),
        build_depends: vec![dependency("pkgconfig(zlib)")],
        ..Meta::default()
    };
    let manifest = Manifest::new(vec![package("git", LIBZ), package("git-svn", "perl")]);
    let graph = Graph::new([Node::new("git").manifest(&manifest).unwrap()]);
    for gone in [LIBZ, "perl", "pkgconfig(zlib)"] {
        assert_eq!(
            graph.affected_by(&dependency(gone)),
            BTreeSet::from([&"git"])
        );
    }
    assert_eq!(graph.unmet(&"git"), [&dependency("pkgconfig(zlib)")]);
}

#[test]
fn why_gives_a_shortest_chain() {
    let graph = graph(&LINES);
    let chain = |from, to| {
        let edges = graph.why(&from, &to)?;
        Some(edges.into_iter().map(|edge| *edge.on).collect::<Vec<_>>())
    };
    assert_eq!(chain("docs", "python"), Some(vec!["meson", "python"]));
    assert_eq!(chain("nano", "binutils"), Some(vec!["gcc", "binutils"]));
    assert_eq!(chain("gcc", "gcc"), Some(vec!["binutils", "gcc"]));
    assert_eq!(chain("python", "docs"), None);
    assert_eq!(chain("python", "unknown"), None);
}

#[test]
fn a_cycle_is_entered_where_published_stones_allow() {
    let graph = graph(&LINES);
    let members = ["binutils", "gcc", "glibc"];
    let all = graph.order_cycle(&members, |_, _| true);
    assert_eq!(all, Ok(members.to_vec()));
    let only_gcc = graph.order_cycle(&members, |_, need| *need == dependency("binary(gcc)"));
    assert_eq!(
        only_gcc,
        Ok(vec!["binutils", "glibc", "gcc"]),
        "gcc comes after what it lacks"
    );
    let no_gcc = graph.order_cycle(&members, |_, need| *need != dependency("binary(gcc)"));
    assert_eq!(no_gcc, Ok(vec!["gcc", "binutils", "glibc"]));
}

#[test]
fn a_cycle_without_a_way_in_is_named() {
    let graph = graph(&LINES);
    let members = ["binutils", "gcc", "glibc"];
    let stuck = graph
        .order_cycle(&members, |_, need| *need == dependency("glibc"))
        .unwrap_err();
    assert_eq!(
        stuck.to_string(),
        "the cycle has no member to begin with: `binutils` lacks `binary(gcc)`; `gcc` lacks \
         `binary(as)`; `glibc` lacks `binary(gcc)`"
    );
}

#[test]
fn nodes_of_one_id_are_taken_together() {
    let graph = graph(&["a: b", "b:", "a: c", "c: | binary(c)", "a: b binary(c)"]);
    assert_eq!(graph.len(), 3);
    let needs: Vec<_> = graph
        .dependencies_of(&"a")
        .map(|edge| edge.needs.len())
        .collect();
    assert_eq!(needs, [1, 2]);
}

#[test]
fn nodes_of_one_id_run_with_what_any_of_them_does() {
    let linked = |with| Node::new("a").runs_with([dependency(with)]);
    let graph = Graph::new([linked("b"), linked("c"), linked("b")]);
    for gone in ["b", "c"] {
        assert_eq!(graph.affected_by(&dependency(gone)), BTreeSet::from([&"a"]));
    }
}

#[test]
fn a_long_chain_does_not_exhaust_the_stack() {
    let chain = (0..100_000_u32).map(|number| {
        let node = Node::new(number).package(&number.to_string()).unwrap();
        let next = number + 1;
        node.needs([dependency(&next.to_string())])
    });
    assert_eq!(Graph::new(chain).batches().len(), 100_000);
}

/// So many names that they are dealt in several blocks to several shards, of which a graph that grows
/// recipe by recipe has one.
#[test]
fn a_large_graph_is_as_one_that_grew() {
    const COUNT: u32 = 9000;
    assert!(deal::shards(6 * COUNT as usize) > 1);
    let named = |name: u32| dependency(&(name % (COUNT + 10)).to_string());
    let node = |id: u32, step: u32| {
        Node::new(id)
            .needs([7, 13, 17].map(|factor| named(id * factor + step)))
            .runs_with([named(id * 31 + step)])
            .provides([id, id / 2].map(|name| named(name + step).to_provider()))
    };
    let mut large = Graph::new((0..COUNT).map(|id| node(id, 0)));
    let mut grown = Graph::new([]);
    for id in 0..COUNT {
        grown.insert(node(id, 0));
    }
    let names: Vec<_> = (0..COUNT + 10).map(named).collect();
    assert_alike(&large, &grown, &names);
    for graph in [&mut large, &mut grown] {
        for id in (0..COUNT).step_by(3) {
            graph.insert(node(id, 1));
            graph.remove(&(id + 1));
        }
    }
    assert_alike(&large, &grown, &names);
    for graph in [&mut large, &mut grown] {
        for id in 0..COUNT {
            graph.remove(&id);
        }
        assert!(names.iter().all(|name| graph.symbols.find(name).is_none()));
        // Numbers that nothing has any more are given away again.
        assert!(graph.symbols.numbers() <= names.len());
        graph.insert(node(0, 0));
        assert!(graph.symbols.numbers() <= names.len());
    }
}

fn assert_alike(left: &Graph<u32>, right: &Graph<u32>, names: &[Dependency]) {
    assert!(left.ids().eq(right.ids()));
    assert_eq!(left.batches(), right.batches());
    for id in left.ids() {
        assert!(left.dependencies_of(id).eq(right.dependencies_of(id)));
        assert_eq!(left.unmet(id), right.unmet(id));
    }
    for name in names {
        let recipes = |graph: &Graph<u32>| {
            let symbol = graph.symbols.find(name)?;
            let ids = |role| {
                let places = graph.symbols.recipes(role, symbol).iter();
                let ids = places.map(|place| graph.recipe(*place).node.id);
                ids.collect::<BTreeSet<_>>()
            };
            Some([Role::Needs, Role::RunsWith, Role::Provides].map(ids))
        };
        assert_eq!(recipes(left), recipes(right), "{name}");
    }
}

/// All that a recipe made at random can need, run with or provide.
const NAMES: [u32; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

/// Names of the nodes and for each those that it needs.
fn random() -> impl Strategy<Value = Vec<(u32, Vec<u32>)>> {
    (1..14_u32).prop_flat_map(|count| {
        let needs = proptest::collection::vec(0..count + 2, 0..4);
        let all = proptest::collection::vec(needs, count as usize);
        all.prop_map(|all| (0..).zip(all).collect::<Vec<_>>())
    })
}

fn build(nodes: &[(u32, Vec<u32>)]) -> Graph<u32> {
    Graph::new(nodes.iter().map(|(id, needs)| {
        let needs = needs.iter().map(|need| dependency(&need.to_string()));
        Node::new(*id)
            .needs(needs)
            .package(&id.to_string())
            .unwrap()
    }))
}

/// What a recipe needs, what it runs with, and what it provides.
type Numbers = (Vec<u32>, Vec<u32>, Vec<u32>);

/// What each of the recipes of [`random`] runs with; there may be fewer of them.
fn random_run_time() -> impl Strategy<Value = Vec<Vec<u32>>> {
    proptest::collection::vec(proptest::collection::vec(0..16_u32, 0..3), 14)
}

/// A recipe that is added or changed, with numbers of what it needs, runs with and provides, or
/// removed.
fn edit() -> impl Strategy<Value = (u32, Option<Numbers>)> {
    let numbers = || proptest::collection::vec(0..16_u32, 0..4);
    (
        0..14_u32,
        proptest::option::weighted(0.8, (numbers(), numbers(), numbers())),
    )
}

fn edited(id: u32, needs: &[u32], runs_with: &[u32], provides: &[u32]) -> Node<u32> {
    let node = Node::new(id)
        .needs(dependencies(needs))
        .runs_with(dependencies(runs_with));
    provides.iter().fold(node, |node, provided| {
        node.package(&provided.to_string()).unwrap()
    })
}

fn dependencies(numbers: &[u32]) -> impl Iterator<Item = Dependency> {
    numbers.iter().map(|number| dependency(&number.to_string()))
}

/// As [`build`], and what each recipe runs with.
fn build_linked(nodes: &[(u32, Vec<u32>)], runs_with: &[Vec<u32>]) -> Graph<u32> {
    let nodes = nodes.iter().zip(runs_with);
    Graph::new(nodes.map(|((id, needs), runs_with)| edited(*id, needs, runs_with, &[*id])))
}

fn assert_same(changed: &Graph<u32>, fresh: &Graph<u32>) {
    assert!(changed.ids().eq(fresh.ids()));
    assert_eq!(changed.batches(), fresh.batches());
    for id in fresh.ids() {
        assert!(changed.dependencies_of(id).eq(fresh.dependencies_of(id)));
        assert_eq!(changed.unmet(id), fresh.unmet(id));
        assert_eq!(changed.dependents_of(id), fresh.dependents_of(id));
        assert_eq!(changed.why(id, id), fresh.why(id, id));
    }
    for gone in dependencies(&NAMES) {
        assert_eq!(changed.affected_by(&gone), fresh.affected_by(&gone));
        let known = |graph: &Graph<u32>| graph.symbols.find(&gone).is_some();
        assert_eq!(known(changed), known(fresh), "{gone}");
    }
    for step in fresh.order() {
        let (members, never) = (step.members(), |_: &u32, _: &Dependency| false);
        assert_eq!(
            changed.order_cycle(members, never),
            fresh.order_cycle(members, never)
        );
    }
}

/// Whom each node reaches, the slow and obvious way.
fn reachable(nodes: &[(u32, Vec<u32>)]) -> BTreeMap<u32, BTreeSet<u32>> {
    let known: BTreeSet<_> = nodes.iter().map(|(id, _)| *id).collect();
    let mut reach: BTreeMap<u32, BTreeSet<u32>> = nodes
        .iter()
        .map(|(id, needs)| {
            let others = needs
                .iter()
                .copied()
                .filter(|need| known.contains(need) && need != id);
            (*id, others.collect())
        })
        .collect();
    for _ in nodes {
        let before = reach.clone();
        for reached in reach.values_mut() {
            let further: Vec<_> = reached.iter().flat_map(|on| &before[on]).copied().collect();
            reached.extend(further);
        }
    }
    reach
}

/// How many edges each node is away from `from`, by as many passes over all edges as there are nodes.
fn distances(nodes: &[(u32, Vec<u32>)], from: u32) -> BTreeMap<u32, usize> {
    let edges = || {
        let known = |need: &u32| nodes.iter().any(|(id, _)| id == need);
        nodes.iter().flat_map(move |(id, needs)| {
            let others = needs.iter().filter(move |need| known(need) && *need != id);
            others.map(move |need| (*id, *need))
        })
    };
    let mut distances = BTreeMap::new();
    distances.extend(
        edges()
            .filter(|(id, _)| *id == from)
            .map(|(_, need)| (need, 1)),
    );
    for length in 1..=nodes.len() {
        for (id, need) in edges() {
            if distances.get(&id) == Some(&length) {
                distances.entry(need).or_insert(length + 1);
            }
        }
    }
    distances
}

proptest! {
    /// The chain goes from the one to the other, each of its edges is one of the graph, and none is
    /// shorter.
    #[test]
    fn why_is_a_shortest_chain(nodes in random()) {
        let graph = build(&nodes);
        for (from, _) in &nodes {
            let distances = distances(&nodes, *from);
            for (to, _) in &nodes {
                let chain = graph.why(from, to);
                assert_eq!(chain.as_ref().map(Vec::len), distances.get(to).copied(), "{from} {to}");
                let mut at = from;
                for edge in chain.into_iter().flatten() {
                    assert!(graph.dependencies_of(at).any(|one| one == edge), "{at} {edge:?}");
                    at = edge.on;
                }
                assert!(at == to || !distances.contains_key(to));
            }
        }
    }

    /// Those who need what goes or run with it, whether it is provided or not, and all that reach
    /// one of them by needs of builds.
    #[test]
    fn what_goes_affects_those_who_need_it_and_their_dependents(
        nodes in random(),
        runs_with in random_run_time(),
    ) {
        let graph = build_linked(&nodes, &runs_with);
        let reach = reachable(&nodes);
        for gone in NAMES {
            let direct: BTreeSet<u32> = nodes
                .iter()
                .zip(&runs_with)
                .filter(|((_, needs), runs_with)| {
                    needs.contains(&gone) || runs_with.contains(&gone)
                })
                .map(|((id, _), _)| *id)
                .collect();
            let around = reach
                .iter()
                .filter(|(_, reached)| !direct.is_disjoint(reached))
                .map(|(id, _)| *id);
            let expected: BTreeSet<u32> = direct.iter().copied().chain(around).collect();
            let affected = graph.affected_by(&dependency(&gone.to_string()));
            assert_eq!(affected.into_iter().copied().collect::<BTreeSet<_>>(), expected);
        }
    }

    #[test]
    fn what_recipes_run_with_changes_no_order(nodes in random(), runs_with in random_run_time()) {
        let (linked, plain) = (build_linked(&nodes, &runs_with), build(&nodes));
        assert_eq!(linked.batches(), plain.batches());
        for id in plain.ids() {
            assert!(linked.dependencies_of(id).eq(plain.dependencies_of(id)));
            assert_eq!(linked.unmet(id), plain.unmet(id));
            assert_eq!(linked.dependents_of(id), plain.dependents_of(id));
        }
    }

    #[test]
    fn order_respects_all_edges_outside_of_cycles(nodes in random()) {
        let graph = build(&nodes);
        let order = graph.order();
        let place: BTreeMap<u32, usize> = order
            .iter()
            .enumerate()
            .flat_map(|(place, step)| step.members().iter().map(move |&id| (id, place)))
            .collect();
        assert_eq!(place.len(), nodes.len());
        assert_eq!(order.iter().map(|step| step.members().len()).sum::<usize>(), nodes.len());
        let reach = reachable(&nodes);
        for (id, _) in &nodes {
            for edge in graph.dependencies_of(id) {
                let cyclic = reach[edge.on].contains(id);
                assert_eq!(place[edge.on] == place[id], cyclic);
                assert!(place[edge.on] <= place[id], "{id} needs {}", edge.on);
            }
            assert_eq!(
                graph.dependents_of(id).into_iter().copied().collect::<Vec<_>>(),
                nodes
                    .iter()
                    .map(|(other, _)| *other)
                    .filter(|other| other != id && reach[other].contains(id))
                    .collect::<Vec<_>>()
            );
        }
    }

    /// A graph that was changed again and again is the graph made anew from what it then holds.
    #[test]
    fn a_changed_graph_is_as_one_made_anew(
        nodes in random(),
        runs_with in random_run_time(),
        edits in proptest::collection::vec(edit(), 0..30),
    ) {
        let mut nodes: BTreeMap<u32, Node<u32>> = nodes
            .iter()
            .zip(&runs_with)
            .map(|((id, needs), runs_with)| (*id, edited(*id, needs, runs_with, &[*id])))
            .collect();
        let mut graph = Graph::new(nodes.values().cloned());
        for (id, change) in edits {
            match change {
                Some((needs, runs_with, provides)) => {
                    let node = edited(id, &needs, &runs_with, &provides);
                    nodes.insert(id, node.clone());
                    graph.insert(node);
                }
                None => assert_eq!(graph.remove(&id), nodes.remove(&id).is_some()),
            }
            assert_same(&graph, &Graph::new(nodes.values().cloned()));
        }
        for id in nodes.into_keys() {
            graph.remove(&id);
        }
        assert!(graph.is_empty() && graph.batches().is_empty());
        assert_same(&graph, &Graph::new([]));
    }

    #[test]
    fn no_need_is_dropped(nodes in random()) {
        let graph = build(&nodes);
        for (id, needs) in &nodes {
            let mut kept: BTreeSet<_> = graph.unmet(id).into_iter().cloned().collect();
            for edge in graph.dependencies_of(id) {
                kept.extend(edge.needs.into_iter().cloned());
            }
            let needs: BTreeSet<_> = needs.iter().map(|need| dependency(&need.to_string())).collect();
            assert_eq!(kept, needs);
        }
    }

    #[test]
    fn the_order_of_the_input_does_not_matter(
        (nodes, shuffled) in random().prop_flat_map(|nodes| (Just(nodes.clone()), Just(nodes).prop_shuffle()))
    ) {
        assert_eq!(build(&nodes).batches(), build(&shuffled).batches());
    }

    #[test]
    fn a_way_through_a_cycle_meets_every_need(nodes in random(), published in any::<u16>()) {
        let graph = build(&nodes);
        let is_published = |need: &Dependency| {
            need.name().parse::<u32>().is_ok_and(|number| published >> number & 1 == 1)
        };
        for step in graph.order() {
            let Step::Cycle(members) = step else { continue };
            let (built, stuck) = match graph.order_cycle(&members, |_, need| is_published(need)) {
                Ok(order) => (order, Vec::new()),
                Err(stuck) => (Vec::new(), stuck.missing),
            };
            for (place, id) in built.iter().enumerate() {
                for edge in graph.dependencies_of(id).filter(|edge| members.contains(edge.on)) {
                    let met = built[..place].contains(edge.on);
                    assert!(met || edge.needs.iter().all(|need| is_published(need)));
                }
            }
            for (_, needs) in &stuck {
                assert!(!needs.is_empty());
                for need in needs {
                    assert!(!is_published(need));
                    assert!(stuck.iter().any(|(id, _)| id.to_string() == need.name()));
                }
            }
            assert!(built.len() == members.len() || !stuck.is_empty());
        }
    }
}
