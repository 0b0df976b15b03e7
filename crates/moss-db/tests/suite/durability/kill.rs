//! A process killed at random while it writes.
//!
//! `cargo xtask kill-loop` does this 200 times, or as often as it is told. A kill does not take the
//! page cache along, as a loss of power does: that the sync comes before the answer is shown by
//! the tests beside this one.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::load;
use crate::child;

const CALLERS: u64 = 32;
/// How often the process is killed, unless the environment says otherwise.
const KILLS: u64 = 10;

#[test]
fn a_killed_process_has_lost_nothing_that_was_acknowledged() {
    let kills = number("MOSS_DB_KILLS").unwrap_or(KILLS);
    let seed = number("MOSS_DB_SEED").unwrap_or_else(rand::random);
    child::tell(&format!(
        "killing {kills} times; again with: cargo xtask kill-loop --count {kills} --seed {seed}"
    ));
    let mut random = StdRng::seed_from_u64(seed);
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut made: Vec<u64> = (0..CALLERS).map(|_| 0).collect();
    let mut opened = 0;
    for kill in 1..=kills {
        // Some die while they open, most between two commits or in one.
        let (patience, pause) = if random.random_bool(0.2) {
            (0, random.random_range(0..20_000))
        } else {
            (random.random_range(1..400), random.random_range(0..4000))
        };
        let pause = Duration::from_micros(pause);
        let acknowledged = write_and_be_killed(folder.path(), seed, patience, pause);
        opened += u64::from(!acknowledged.is_empty());
        let mut least = made.clone();
        for (caller, number) in acknowledged {
            least[caller] = least[caller].max(number);
        }
        made = load::examine(folder.path(), seed, CALLERS);
        for (caller, (&made, &least)) in made.iter().zip(&least).enumerate() {
            // One change of each caller was under way; it may be there.
            assert!(
                made == least || made == least + 1,
                "kill {kill} of seed {seed}: caller {caller} was told of {least} changes, and \
                 {made} are there"
            );
        }
    }
    let total: u64 = made.iter().sum();
    child::tell(&format!(
        "{total} changes in {kills} loads, {opened} of which were killed after an answer"
    ));
    assert!(opened > 0, "no load came to write anything");
}

/// Starts a load and kills it when `patience` changes were acknowledged, and `pause` after that.
/// Returns all that were, as caller and number.
fn write_and_be_killed(
    folder: &Path,
    seed: u64,
    patience: usize,
    pause: Duration,
) -> Vec<(usize, u64)> {
    let command = Command::new(child::executable());
    let mut process = child::start(command, load::RUN, folder, &[seed, CALLERS, u64::MAX])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
    let mut acknowledged = Vec::new();
    while acknowledged.len() < patience {
        let line = lines.next().expect("the load goes on until it is killed");
        acknowledged.extend(parse(&line.unwrap()));
    }
    std::thread::sleep(pause);
    process.kill().unwrap();
    process.wait().unwrap();
    // What it had said before it died counts too; a line that it did not finish does not.
    acknowledged.extend(lines.filter_map(|line| parse(&line.unwrap())));
    acknowledged
}

/// The caller and the number in a line like `acknowledged caller 3 change 17.`
fn parse(line: &str) -> Option<(usize, u64)> {
    let rest = line
        .strip_prefix("acknowledged caller ")?
        .strip_suffix('.')?;
    let (caller, number) = rest.split_once(" change ")?;
    Some((caller.parse().unwrap(), number.parse().unwrap()))
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var_os(variable)?.into_string().unwrap();
    Some(text.parse().unwrap())
}
