//! Ordering recipes: those of the corpus, and many more of their kind.
//!
//! Run by `cargo bench -p moss-deps` or, with the other benchmarks, by `cargo xtask bench`; needs
//! `SNEKBOOK_CORPUS`.

#![expect(clippy::print_stdout, reason = "the figures are what it is run for")]

use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use criterion::{Criterion, SamplingMode};
use moss_deps::{Graph, Node};
use moss_format::{Dependency, Provider};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use testbed::Ratio;
use testbed::ratio::Target;

use history::History;

#[expect(
    clippy::unwrap_used,
    reason = "the corpus is read as by the tests: one that is broken is to be seen"
)]
#[path = "../tests/corpus/history.rs"]
mod history;

/// What the order of the corpus tip may take.
const LIMIT: Duration = Duration::from_millis(20);
/// How often the small graphs are ordered for each time that a large one is.
const REPEATED: u32 = 20;
/// How often what takes next to no time is done at a time.
const MANY: u32 = 1000;
/// How many in a hundred needs of a synthetic recipe are met by its own copy of the corpus.
const NEAR: u32 = 90;

/// What a recipe of the corpus needs and provides.
struct Model {
    needs: Vec<Dependency>,
    provides: Vec<Provider>,
}

fn main() -> ExitCode {
    let Some(history) = History::read() else {
        println!("the corpus is needed: set {}", testbed::corpus::VARIABLE);
        return ExitCode::FAILURE;
    };
    let models: Vec<Model> = history.tip().values().map(model).collect();
    let mut criterion = Criterion::default()
        .sample_size(10)
        .measurement_time(Duration::from_secs(5))
        .configure_from_args();
    let mut ratios = tip(&mut criterion, &models);
    for (count, target) in [(10_000, Target::Told), (100_000, Target::AtMost(1.5))] {
        ratios.extend(growth(&mut criterion, &models, count, target));
    }
    criterion.final_summary();
    for ratio in &ratios {
        println!("{ratio}");
    }
    if ratios.iter().any(Ratio::misses) {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn model(entry: &history::Entry<'_>) -> Model {
    let mut model = Model {
        needs: entry.build_dependencies().collect(),
        provides: Vec::new(),
    };
    for package in entry
        .manifest
        .iter()
        .flat_map(|manifest| &manifest.packages)
    {
        let name = package.name.parse::<Provider>();
        model.provides.push(name.expect("a package has a name"));
        model.provides.extend(package.provides.iter().cloned());
        model.needs.extend(package.build_depends.iter().cloned());
    }
    model
}

fn tip(criterion: &mut Criterion, models: &[Model]) -> Vec<Ratio> {
    let nodes: Vec<_> = (0_usize..)
        .zip(models)
        .map(|(id, model)| node(id, model))
        .collect();
    let graph = Graph::new(nodes.iter().cloned());
    let edges: Vec<Vec<usize>> = graph
        .ids()
        .map(|id| graph.dependencies_of(id).map(|edge| *edge.on).collect())
        .collect();
    let mut changed = graph.clone();
    let mut next = nodes.iter().cycle();
    let mut group = criterion.benchmark_group("corpus tip");
    let mut ratios = [
        Ratio::new(
            "ordering the corpus tip from its recipes, by 20 ms",
            Target::AtMost(1.0),
        ),
        Ratio::new(
            "ordering a graph of the corpus tip, by one pass over its edges",
            Target::Told,
        )
        .per_unit(1, MANY),
        Ratio::new(
            "making the graph of the corpus tip, by changing one recipe in it",
            Target::Told,
        )
        .per_unit(1, MANY),
    ];
    let [whole, passing, changing] = &mut ratios;
    group.bench_function("by 20 ms", |bencher| {
        bencher.iter_custom(|turns| {
            // criterion is to be told the time of what is measured, and not 20 ms.
            let mut measured = Duration::ZERO;
            let ordering = || {
                let time = graph_and_order(&nodes);
                measured += time;
                time
            };
            whole.measure(turns, ordering, || LIMIT);
            measured
        });
    });
    group.bench_function("passes over the edges", |bencher| {
        let passes = || (0..MANY).map(|_| pass(&edges)).sum();
        bencher.iter_custom(|turns| passing.measure(turns, || order(&graph), passes));
    });
    group.bench_function("changed recipes", |bencher| {
        bencher.iter_custom(|turns| {
            let change = || {
                let node = next.next().expect("it begins anew").clone();
                time(|| changed.insert(node))
            };
            let mut changes = std::iter::repeat_with(change);
            let lower = || changes.by_ref().take(MANY as usize).sum();
            changing.measure(turns, || graph_only(&nodes), lower)
        });
    });
    group.finish();
    ratios.into()
}

/// The time for each of `count` recipes, by that for each of a thousand.
fn growth(criterion: &mut Criterion, models: &[Model], count: u32, target: Target) -> [Ratio; 2] {
    let (few, many) = (synthetic(models, 1000), synthetic(models, count));
    let (few_graph, many_graph) = (
        Graph::new(few.iter().cloned()),
        Graph::new(many.iter().cloned()),
    );
    let cycles = many_graph
        .order()
        .iter()
        .map(|step| step.members().len())
        .max();
    println!(
        "{count} recipes; {} members in the largest cycle",
        cycles.unwrap_or(0)
    );
    let per_recipe = |what| {
        let name = format!("{what}, per recipe: {count} recipes by 1000");
        Ratio::new(name, target).per_unit(count, REPEATED * 1000)
    };
    let mut ratios = [
        per_recipe("ordering a graph"),
        per_recipe("ordering from recipes"),
    ];
    let [ordering, both] = &mut ratios;
    let repeated = |what: &dyn Fn() -> Duration| (0..REPEATED).map(|_| what()).sum();
    let mut group = criterion.benchmark_group(format!("{count} recipes"));
    group.sampling_mode(SamplingMode::Flat);
    group.bench_function("order", |bencher| {
        bencher.iter_custom(|turns| {
            ordering.measure(
                turns,
                || order(&many_graph),
                || repeated(&|| order(&few_graph)),
            )
        });
    });
    group.bench_function("graph and order", |bencher| {
        bencher.iter_custom(|turns| {
            both.measure(
                turns,
                || graph_and_order(&many),
                || repeated(&|| graph_and_order(&few)),
            )
        });
    });
    group.finish();
    ratios
}

/// Recipes that need and provide as those of the corpus do: copies of it, where some needs are
/// met by another copy. Cycles come along, and are joined by that.
fn synthetic(models: &[Model], count: u32) -> Vec<Node<usize>> {
    let provided: std::collections::HashSet<_> =
        models.iter().flat_map(|model| &model.provides).collect();
    let mut random = StdRng::seed_from_u64(1);
    let copies = (count as usize).div_ceil(models.len());
    let named = |name: &str, copy: usize| format!("{name}-{copy}");
    (0..count as usize)
        .map(|number| {
            let (model, copy) = (&models[number % models.len()], number / models.len());
            let needs = model.needs.iter().map(|need| {
                let near =
                    !provided.contains(&need.to_provider()) || random.random_ratio(NEAR, 100);
                let copy = if near {
                    copy
                } else {
                    random.random_range(0..copies)
                };
                Dependency::new(need.kind(), named(need.name(), copy))
            });
            let needs: Vec<_> = needs.map(|need| need.expect("it has a name")).collect();
            let provides = model.provides.iter().map(|provider| {
                Provider::new(provider.kind(), named(provider.name(), copy)).expect("it has a name")
            });
            Node::new(number).needs(needs).provides(provides)
        })
        .collect()
}

fn node(id: usize, model: &Model) -> Node<usize> {
    Node::new(id)
        .needs(model.needs.iter().cloned())
        .provides(model.provides.iter().cloned())
}

fn time<T>(what: impl FnOnce() -> T) -> Duration {
    let start = Instant::now();
    let result = black_box(what());
    let elapsed = start.elapsed();
    drop(result);
    elapsed
}

fn order(graph: &Graph<usize>) -> Duration {
    time(|| graph.batches())
}

fn graph_only(nodes: &[Node<usize>]) -> Duration {
    let nodes = nodes.to_vec();
    time(|| Graph::new(nodes))
}

fn graph_and_order(nodes: &[Node<usize>]) -> Duration {
    let nodes = nodes.to_vec();
    time(|| {
        let graph = Graph::new(nodes);
        (graph.batches(), graph)
    })
}

fn pass(edges: &[Vec<usize>]) -> Duration {
    time(|| {
        black_box(edges)
            .iter()
            .flatten()
            .fold(0_usize, |sum, on| sum.wrapping_add(*on))
    })
}
