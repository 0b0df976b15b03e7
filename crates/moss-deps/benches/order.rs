//! Ordering recipes: those of the corpus, and many more of their kind.
//!
//! Run by `cargo bench -p moss-deps` or, with the other benchmarks, by `cargo xtask bench`; needs
//! `SNEKBOOK_CORPUS`.

#![expect(clippy::print_stdout, reason = "the figures are what it is run for")]

use std::collections::HashMap;
use std::hint::black_box;
use std::process::ExitCode;
use std::time::Duration;

use criterion::{Criterion, SamplingMode};
use moss_deps::{Graph, Node};
use moss_format::{Dependency, Provider};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use rustix::thread::{CpuSet, sched_getcpu, sched_setaffinity};
use rustix::time::ClockId;
use testbed::Ratio;
use testbed::ratio::{Target, conclude};

use history::History;

#[expect(
    clippy::unwrap_used,
    reason = "the corpus is read as by the tests: one that is broken is to be seen"
)]
#[path = "../tests/suite/corpus/history.rs"]
mod history;

/// What the order of the corpus tip may take.
const LIMIT: Duration = Duration::from_millis(20);
/// How many synthetic recipes the time for each is compared with.
const FEW: u32 = 1000;
/// How many there are instead of these, with hardly more time for each.
const SIZES: [u32; 2] = [10_000, 100_000];
/// How often what takes next to no time is done at a time.
const MANY: u32 = 1000;
/// How often the thousand are measured beside one measurement of the many.
const TIMES: usize = 61;
/// How long the many are measured, without the thousand beside them. A processor may be half as fast
/// for a second, and then as fast again: only the median of dozens of pairs says something.
const LONG: Duration = Duration::from_secs(30);
/// How long all else is measured.
const SHORT: Duration = Duration::from_secs(5);
/// How many in a hundred needs of a synthetic recipe are met by its own copy of the corpus.
const NEAR: u32 = 90;

/// What a recipe of the corpus needs, runs with and provides.
struct Model {
    needs: Vec<Dependency>,
    runs_with: Vec<Dependency>,
    provides: Vec<Provider>,
}

fn main() -> ExitCode {
    let Some(history) = History::read() else {
        println!("the corpus is needed: set {}", testbed::corpus::VARIABLE);
        return ExitCode::FAILURE;
    };
    let models: Vec<Model> = history.tip().values().map(model).collect();
    stay_on_one_processor();
    let mut criterion = Criterion::default()
        .sample_size(10)
        .measurement_time(SHORT)
        .configure_from_args();
    let few = Few::new(&models);
    let mut ratios = tip(&mut criterion, &models);
    for count in SIZES {
        ratios.extend(growth(&mut criterion, &models, &few, count));
    }
    criterion.final_summary();
    conclude(&ratios)
}

/// All threads from now on: what else the machine does may make one processor half as fast as the other
/// one for minutes.
fn stay_on_one_processor() {
    let mut this_one = CpuSet::new();
    this_one.set(sched_getcpu());
    sched_setaffinity(None, &this_one).expect("a process may stay where it is");
}

fn model(entry: &history::Entry<'_>) -> Model {
    let mut model = Model {
        needs: entry.build_dependencies().collect(),
        runs_with: Vec::new(),
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
        model.runs_with.extend(package.depends.iter().cloned());
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
            Target::AtLeast(50.0),
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
///
/// Both are measured by turns, since what else the machine does makes the processor faster or slower
/// for minutes. The thousand have a thread of their own, and so an arena of the allocator: millions
/// of pieces of memory that the many gave back would slow down whoever asks for some next. So the
/// thousand are found in the cache, and the many are not. Copying the recipes before and dropping
/// the graph after is not measured.
fn growth(criterion: &mut Criterion, models: &[Model], few: &Few, count: u32) -> [Ratio; 2] {
    let nodes = synthetic(models, count);
    let graph = Graph::new(nodes.iter().cloned());
    describe(&graph);
    let per_recipe = |what, target| {
        let name = format!("{what}, per recipe: {count} recipes by {FEW}");
        Ratio::new(name, target).per_unit(count, FEW)
    };
    let mut ratios = [
        per_recipe("ordering from recipes", Target::AtMost(1.5)),
        per_recipe("the part of it that orders the graph", Target::Told),
    ];
    let [whole, part] = &mut ratios;
    let mut group = criterion.benchmark_group(format!("{count} recipes"));
    group.sampling_mode(SamplingMode::Flat);
    for (name, long, ratio, few, many) in [
        (
            "from recipes",
            LONG,
            whole,
            &(|| few.whole()) as &dyn Fn() -> Duration,
            &(|| graph_and_order(&nodes)) as &dyn Fn() -> Duration,
        ),
        ("from the graph", SHORT, part, &|| few.part(), &|| {
            order(&graph)
        }),
    ] {
        group.measurement_time(long);
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|turns| {
                let mut measured = Duration::ZERO;
                let upper = || {
                    let time = many();
                    measured += time;
                    time
                };
                ratio.measure(turns, upper, few);
                measured
            });
        });
    }
    group.finish();
    ratios
}

/// A thousand recipes.
struct Few {
    nodes: Vec<Node<usize>>,
    graph: Graph<usize>,
}

impl Few {
    fn new(models: &[Model]) -> Self {
        let nodes = synthetic(models, FEW);
        let graph = Graph::new(nodes.iter().cloned());
        describe(&graph);
        Self { nodes, graph }
    }

    fn whole(&self) -> Duration {
        median(|| graph_and_order(&self.nodes))
    }

    fn part(&self) -> Duration {
        median(|| order(&self.graph))
    }
}

/// The median of some runs in a thread of their own.
fn median(what: impl FnMut() -> Duration + Send) -> Duration {
    let runs = || {
        let mut times: Vec<_> = std::iter::repeat_with(what).take(TIMES).collect();
        times.sort();
        times[times.len() / 2]
    };
    std::thread::scope(|scope| scope.spawn(runs).join().expect("it does not panic"))
}

#[expect(clippy::cast_precision_loss, reason = "a share need not be exact")]
fn describe(graph: &Graph<usize>) {
    let recipes = graph.len();
    let edges: usize = graph
        .ids()
        .map(|id| graph.dependencies_of(id).count())
        .sum();
    let share = edges as f64 / recipes as f64;
    let order = graph.order();
    let cycle = order
        .iter()
        .map(|step| step.members().len())
        .max()
        .unwrap_or(0);
    println!("{recipes} recipes with {share:.2} edges each, {cycle} of them in one cycle");
}

/// Recipes that need, run with and provide as those of the corpus do: copies of it, where some needs
/// are met by another copy. Cycles come along, and are joined by that. The last copy is not whole, and
/// what it lacks is taken from others, so that there are as many edges for each recipe at any size.
fn synthetic(models: &[Model], count: u32) -> Vec<Node<usize>> {
    let count = count as usize;
    let mut last_provider: HashMap<String, usize> = HashMap::new();
    for (number, model) in models.iter().enumerate() {
        for provider in &model.provides {
            last_provider.insert(provider.to_string(), number);
        }
    }
    let mut random = StdRng::seed_from_u64(1);
    let named = |name: &str, copy: usize| format!("{name}-{copy}");
    (0..count)
        .map(|number| {
            let (model, copy) = (&models[number % models.len()], number / models.len());
            // All that it needs of one recipe comes from one copy, as in the corpus.
            let mut chosen: HashMap<usize, usize> = HashMap::new();
            let mut in_some_copy = |need: &Dependency| {
                let provider = last_provider.get(&need.to_string()).copied().unwrap_or(0);
                let copies = (count - provider).div_ceil(models.len());
                // What a recipe provides itself makes no edge in the corpus, nor does it here.
                let copy = if model.provides.contains(&need.to_provider()) {
                    copy
                } else {
                    *chosen.entry(provider).or_insert_with(|| {
                        let near = copy < copies && random.random_ratio(NEAR, 100);
                        if near {
                            copy
                        } else {
                            random.random_range(0..copies)
                        }
                    })
                };
                Dependency::new(need.kind(), named(need.name(), copy)).expect("it has a name")
            };
            let needs: Vec<_> = model.needs.iter().map(&mut in_some_copy).collect();
            let runs_with: Vec<_> = model.runs_with.iter().map(in_some_copy).collect();
            let provides = model.provides.iter().map(|provider| {
                Provider::new(provider.kind(), named(provider.name(), copy)).expect("it has a name")
            });
            Node::new(number)
                .needs(needs)
                .runs_with(runs_with)
                .provides(provides)
        })
        .collect()
}

fn node(id: usize, model: &Model) -> Node<usize> {
    Node::new(id)
        .needs(model.needs.iter().cloned())
        .runs_with(model.runs_with.iter().cloned())
        .provides(model.provides.iter().cloned())
}

/// The time of the processor, of which what else the machine does takes nothing.
fn time<T>(what: impl FnOnce() -> T) -> Duration {
    let start = clock();
    let result = black_box(what());
    let elapsed = clock().saturating_sub(start);
    drop(result);
    elapsed
}

fn clock() -> Duration {
    let now = rustix::time::clock_gettime(ClockId::ThreadCPUTime);
    now.try_into()
        .expect("no thread runs for less than no time")
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
