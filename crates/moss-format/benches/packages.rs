//! What an index says of 5,000 packages: hashing them and reading their metadata, against hashing
//! alone, over the same files on all cores.
//!
//! Run by `cargo bench -p moss-format` or, with the other benchmarks, by `cargo xtask bench`. The
//! packages have the shape of real small ones: 64 KB, of which nearly all is content that does not
//! compress any further.

#![expect(clippy::print_stdout, reason = "the figures are what it is run for")]

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use criterion::{Criterion, SamplingMode, Throughput};
use moss_format::layout::{Entry, Kind};
use moss_format::package::{self, Contents};
use moss_format::payload::{Encoding, Level};
use moss_format::{Digest, Limits, Meta};
use sha2::{Digest as _, Sha256};
use testbed::Ratio;
use testbed::ratio::{Target, conclude};

const PACKAGES: usize = 5000;
/// Files of each package.
const FILES: u64 = 20;
/// Bytes of each file; with metadata and layout they make 64 KB.
const FILE: usize = 3200;
/// Bytes read and hashed at a time.
const BUFFER: usize = 256 << 10;

fn main() -> ExitCode {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("target is writable");
    let paths = make(folder.path()).expect("packages are written");
    let size = std::fs::metadata(&paths[0]).expect("it was written").len();
    let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    assert!((63_000..67_000).contains(&size), "64 KB, not {size} bytes");
    println!("{PACKAGES} packages of about {size} bytes, {threads} threads");
    let mut criterion = Criterion::default()
        .sample_size(20)
        .measurement_time(Duration::from_secs(10))
        .configure_from_args();
    let name = "time to hash packages and read their metadata, by that to hash them";
    // The upper one is what is measured, so the sum that criterion sees is that of hashing alone.
    let mut ratio = Ratio::new(name, Target::AtMost(1.3));
    let mut group = criterion.benchmark_group("packages");
    group.throughput(Throughput::Bytes(size * PACKAGES as u64));
    group.sampling_mode(SamplingMode::Flat);
    group.bench_function("hashed alone", |bencher| {
        bencher.iter_custom(|turns| {
            ratio.measure(
                turns,
                || surveyed(&paths, threads),
                || hashed(&paths, threads),
            )
        });
    });
    group.finish();
    criterion.final_summary();
    conclude(&[ratio])
}

fn surveyed(paths: &[PathBuf], threads: NonZeroUsize) -> Duration {
    let start = Instant::now();
    let answers = package::survey(paths, threads, Limits::default());
    let elapsed = start.elapsed();
    assert_eq!(answers.len(), PACKAGES);
    for answer in answers {
        answer.expect("it was written well");
    }
    elapsed
}

/// SHA-256 and nothing else, with the same threads and reads as the survey.
fn hashed(paths: &[PathBuf], threads: NonZeroUsize) -> Duration {
    let start = Instant::now();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut buffer = vec![0; BUFFER];
        let mut hashes = Vec::new();
        while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
            let mut file = File::open(path).expect("it was written");
            let mut hasher = Sha256::new();
            loop {
                match file.read(&mut buffer).expect("it can be read") {
                    0 => break,
                    count => hasher.update(&buffer[..count]),
                }
            }
            hashes.push(hasher.finalize());
        }
        hashes
    };
    let count: usize = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads.get()).map(|_| scope.spawn(work)).collect();
        let own = work().len();
        let join = |other: std::thread::ScopedJoinHandle<'_, Vec<_>>| {
            other.join().expect("it does not panic").len()
        };
        own + others.into_iter().map(join).sum::<usize>()
    });
    let elapsed = start.elapsed();
    assert_eq!(count, PACKAGES);
    elapsed
}

fn make(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let encoding = Encoding {
        level: Level::FASTEST,
        workers: 0,
    };
    let mut paths = Vec::new();
    for number in 0..PACKAGES as u64 {
        let files: Vec<Vec<u8>> = (0..FILES)
            .map(|file| noise(number * FILES + file))
            .collect();
        let entry = |(place, bytes): (usize, &Vec<u8>)| Entry {
            uid: 0,
            gid: 0,
            mode: 0o100_644,
            tag: 0,
            kind: Kind::Regular(Digest::of(bytes)),
            target: format!("share/package-{number}/data/file-{place}.bin"),
        };
        let layout: Vec<Entry> = files.iter().enumerate().map(entry).collect();
        let out = Cursor::new(Vec::new());
        let mut contents = Files(files);
        let bytes = package::write(out, &meta(number), &layout, &mut contents, &encoding);
        let path = folder.join(format!("package-{number}-1.0-1-1-x86_64.stone"));
        std::fs::write(&path, bytes.expect("memory takes it").into_inner())?;
        paths.push(path);
    }
    Ok(paths)
}

fn meta(number: u64) -> Meta {
    let dependency = |of: u64| format!("soname(libdependency-{of}.so.1(x86_64))");
    Meta {
        name: format!("package-{number}"),
        version: "1.0".to_owned(),
        release: 1,
        build_release: 1,
        architecture: "x86_64".to_owned(),
        summary: "One of many packages".to_owned(),
        description: "It has some lines on what it is,\nand on what it is for.\n".repeat(3),
        source_id: format!("source-{}", number / 3),
        homepage: format!("https://example.org/{number}"),
        licenses: vec!["MPL-2.0".to_owned()],
        depends: (0..6)
            .map(|of| dependency(number * 7 + of).parse().expect("a dependency"))
            .collect(),
        provides: (0..4)
            .map(|of| dependency(number + of).parse().expect("a provider"))
            .collect(),
        ..Meta::default()
    }
}

/// Bytes that do not compress, the same for the same number (splitmix64).
fn noise(number: u64) -> Vec<u8> {
    // Another factor than below, or one file would be another's rest.
    let mut state = number.wrapping_mul(0xd6e8_feb8_6659_fd93);
    let mut bytes = Vec::with_capacity(FILE);
    while bytes.len() < FILE {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bytes.extend_from_slice(&(mixed ^ (mixed >> 31)).to_le_bytes());
    }
    bytes
}

/// The files of one package, in the order of its layout.
struct Files(Vec<Vec<u8>>);

impl Files {
    fn find(&self, entry: &Entry) -> io::Result<&[u8]> {
        let found = self
            .0
            .iter()
            .find(|bytes| entry.digest() == Some(Digest::of(bytes)));
        found
            .map(Vec::as_slice)
            .ok_or(io::ErrorKind::NotFound.into())
    }
}

impl Contents for Files {
    fn size(&mut self, entry: &Entry) -> io::Result<u64> {
        Ok(self.find(entry)?.len() as u64)
    }

    fn open(&mut self, entry: &Entry) -> io::Result<Box<dyn Read + '_>> {
        Ok(Box::new(self.find(entry)?))
    }
}
