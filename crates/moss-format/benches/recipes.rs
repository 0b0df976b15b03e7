//! Recipes made to be dear, against shorter ones of the same shape: reading takes time in proportion
//! to the length.
//!
//! Run by `cargo bench -p moss-format` or, with the other benchmarks, by `cargo xtask bench`.

use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use criterion::{Criterion, SamplingMode};
use moss_format::recipe::Recipe;
use testbed::Ratio;
use testbed::ratio::{Target, conclude};

use shapes::{SHAPES, Shape};

#[path = "../tests/suite/recipes/shapes.rs"]
mod shapes;

/// The length of the short text in bytes, and how many times as long the other is.
const SHORT: usize = 24 << 10;
const TIMES: u32 = 8;

fn main() -> ExitCode {
    let mut criterion = Criterion::default()
        .sample_size(10)
        // The ratios are read, and not criterion's own statistics.
        .nresamples(1001)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    let mut group = criterion.benchmark_group("recipes");
    group.sampling_mode(SamplingMode::Flat);
    let mut ratios = Vec::new();
    for shape in SHAPES {
        let mut ratio = growth(shape);
        let (long, short) = (shape.text(SHORT * TIMES as usize), shape.text(SHORT));
        group.bench_function(shape.name, |bencher| {
            bencher.iter_custom(|turns| {
                let mut measured = Duration::ZERO;
                let upper = || {
                    let time = read(&long);
                    measured += time;
                    time
                };
                // The short one as often as it goes into the long one, so that both are long enough.
                let lower = || (0..TIMES).map(|_| read(&short)).sum();
                ratio.measure(turns, upper, lower);
                measured
            });
        });
        ratios.push(ratio);
    }
    group.finish();
    criterion.final_summary();
    conclude(&ratios)
}

/// Work that grew with the square would give 8. CI runs this too, on machines that do other work.
fn growth(shape: &Shape) -> Ratio {
    let name = format!("time for each byte of {}, long by short", shape.name);
    Ratio::new(name, Target::AtMost(4.0))
}

fn read(text: &str) -> Duration {
    let start = Instant::now();
    let _ = black_box(Recipe::parse(text));
    start.elapsed()
}
