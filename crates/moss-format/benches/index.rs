//! An index of 10,000 packages after one of them changed, against writing it anew; both in memory.
//!
//! Run by `cargo bench -p moss-format` or, with the other benchmarks, by `cargo xtask bench`.

#![expect(clippy::print_stdout, reason = "the figures are what it is run for")]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use criterion::{Criterion, SamplingMode, Throughput};
use moss_format::index::{self, Entry};
use moss_format::payload::Encoding;
use moss_format::{Index, Meta};
use testbed::Ratio;
use testbed::ratio::{Target, conclude};

const PACKAGES: u64 = 10_000;

fn main() -> ExitCode {
    let mut index = Index::new((0..PACKAGES).map(meta).collect());
    let entries: Vec<Entry> = index.packages.iter().map(entry).collect();
    let before = written(&entries);
    let changed = Meta {
        release: 2,
        hash: Some(format!("{:064x}", u64::MAX)),
        ..meta(PACKAGES / 2)
    };
    let place = usize::try_from(PACKAGES / 2).expect("a small number");
    index.packages[place] = changed.clone();
    // What is compared must be the same work.
    let expected = anew(&index).1;
    assert_eq!(kept(&entries, place, &changed).1, expected);
    assert_eq!(taken(&before, place, &changed).1, expected);
    println!("an index of {PACKAGES} packages, {} bytes", expected.len());

    let mut criterion = Criterion::default()
        .sample_size(10)
        .measurement_time(Duration::from_secs(10))
        .configure_from_args();
    let mut ratios = [
        Ratio::new(
            "time to write an index anew, by that after one change with its entries kept",
            Target::AtLeast(50.0),
        ),
        Ratio::new(
            "time to write an index anew, by that after one change with its entries read from the last index",
            Target::Told,
        ),
    ];
    let mut group = criterion.benchmark_group("index");
    group.throughput(Throughput::Elements(PACKAGES));
    group.sampling_mode(SamplingMode::Flat);
    let [by_kept, by_taken] = &mut ratios;
    group.bench_function("one change, entries kept", |bencher| {
        bencher.iter_custom(|turns| {
            by_kept.measure(
                turns,
                || anew(&index).0,
                || kept(&entries, place, &changed).0,
            )
        });
    });
    group.bench_function("one change, entries read", |bencher| {
        bencher.iter_custom(|turns| {
            by_taken.measure(
                turns,
                || anew(&index).0,
                || taken(&before, place, &changed).0,
            )
        });
    });
    group.finish();
    criterion.final_summary();
    conclude(&ratios)
}

fn anew(index: &Index) -> (Duration, Vec<u8>) {
    let start = Instant::now();
    let bytes = index.encode(&Encoding::default()).expect("it is valid");
    (start.elapsed(), bytes)
}

/// One new payload, and copies of the others, each checked before it is copied.
fn kept(entries: &[Entry], place: usize, changed: &Meta) -> (Duration, Vec<u8>) {
    let start = Instant::now();
    let changed = entry(changed);
    for entry in entries {
        entry.payload().verify().expect("nothing damaged it");
    }
    let others = entries.iter().enumerate().filter(|(at, _)| *at != place);
    let mut bytes = Vec::new();
    let all = others.map(|(_, entry)| entry).chain([&changed]);
    index::write(all, &mut bytes).expect("it is valid");
    (start.elapsed(), bytes)
}

/// As after a start, when nothing is kept: reading checks and decodes every payload.
fn taken(before: &[u8], place: usize, changed: &Meta) -> (Duration, Vec<u8>) {
    let start = Instant::now();
    let mut entries = index::entries(before).expect("it was written well").entries;
    let name = format!("package-{place:05}");
    entries.retain(|entry| entry.key().name != name);
    entries.push(entry(changed));
    let bytes = written(&entries);
    (start.elapsed(), bytes)
}

fn written(entries: &[Entry]) -> Vec<u8> {
    let mut bytes = Vec::new();
    index::write(entries, &mut bytes).expect("it is valid");
    bytes
}

fn entry(meta: &Meta) -> Entry {
    Entry::new(meta, &Encoding::default()).expect("it is valid")
}

fn meta(number: u64) -> Meta {
    let soname = |of: u64| format!("soname(libdependency-{of}.so.1(x86_64))");
    Meta {
        name: format!("package-{number:05}"),
        version: format!("{}.{}.{}", number % 7, number % 31, number % 11),
        release: 1,
        build_release: 1,
        architecture: "x86_64".to_owned(),
        summary: format!("Does the {number}th of many things"),
        description: format!("{number} things are done by it,\nand these are some of them.\n")
            .repeat(3),
        source_id: format!("source-{:05}", number / 3),
        homepage: format!("https://example.org/projects/{number}"),
        uri: Some(format!(
            "../../../pool/v0/s/source-{:05}/package-{number:05}-1-1-x86_64.stone",
            number / 3
        )),
        hash: Some(format!(
            "{:064x}",
            number.wrapping_mul(0x9e37_79b9_7f4a_7c15)
        )),
        size: Some(1000 + number),
        licenses: vec!["MPL-2.0".to_owned()],
        depends: (0..6)
            .map(|of| soname(number * 7 + of).parse().expect("a dependency"))
            .collect(),
        provides: (0..4)
            .map(|of| soname(number + of).parse().expect("a provider"))
            .collect(),
        ..Meta::default()
    }
}
