//! Benchmarks that compare: what is measured and its floor run by turns in one process, so that a
//! busy or slow machine weighs on both.

use std::fmt;
use std::process::ExitCode;
use std::time::Duration;

/// How often one thing goes into another, measured pair by pair.
///
/// In a criterion benchmark `iter_custom` is given what [`Self::measure`] returns:
///
/// ```ignore
/// bencher.iter_custom(|turns| ratio.measure(turns, floor, measured))
/// ```
#[derive(Debug)]
pub struct Ratio {
    name: String,
    target: Target,
    /// How much more work is done below than above.
    share: f64,
    pairs: Vec<f64>,
}

/// What a ratio has to keep to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    /// This or more, such as "8 times as many".
    AtLeast(f64),
    /// This or less, such as "1.3 times as long".
    AtMost(f64),
    /// Nothing: it is only told.
    Told,
}

impl Ratio {
    /// A ratio by a name that says what is divided by what.
    #[must_use]
    pub fn new(name: impl Into<String>, target: Target) -> Self {
        Self {
            name: name.into(),
            target,
            share: 1.0,
            pairs: Vec::new(),
        }
    }

    /// Compares the times of one unit where the two do different amounts of work at a time.
    #[must_use]
    pub fn per_unit(mut self, upper: u32, lower: u32) -> Self {
        self.share = f64::from(lower) / f64::from(upper);
        self
    }

    /// Runs both by turns, each of which says how long it took, and notes `upper / lower`. Returns
    /// the sum of the times of `lower`.
    ///
    /// # Panics
    /// When `lower` took no time at all.
    pub fn measure(
        &mut self,
        turns: u64,
        mut upper: impl FnMut() -> Duration,
        mut lower: impl FnMut() -> Duration,
    ) -> Duration {
        (0..turns)
            .map(|_| {
                let (upper, lower) = (upper(), lower());
                assert!(!lower.is_zero(), "{} cannot be measured", self.name);
                let times = upper.as_secs_f64() / lower.as_secs_f64();
                self.pairs.push(times * self.share);
                lower
            })
            .sum()
    }

    /// The median of all pairs; none when nothing was measured.
    #[must_use]
    pub fn median(&self) -> Option<f64> {
        let mut pairs = self.pairs.clone();
        pairs.sort_by(f64::total_cmp);
        pairs.get(pairs.len() / 2).copied()
    }

    /// Whether the median misses the target. What was not measured, because a filter left it out,
    /// misses nothing.
    #[must_use]
    pub fn misses(&self) -> bool {
        self.median().is_some_and(|median| match self.target {
            Target::AtLeast(least) => median < least,
            Target::AtMost(most) => median > most,
            Target::Told => false,
        })
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(median) = self.median() else {
            return write!(f, "{}: not measured", self.name);
        };
        let (name, count) = (&self.name, self.pairs.len());
        write!(f, "{name}: {median:.2} (median of {count} pairs")?;
        match self.target {
            Target::AtLeast(least) => write!(f, ", at least {least})")?,
            Target::AtMost(most) => write!(f, ", at most {most})")?,
            Target::Told => write!(f, ")")?,
        }
        f.write_str(if self.misses() { " MISSED" } else { "" })
    }
}

/// Prints the ratios, and fails when one misses its target: how a benchmark ends.
#[expect(
    clippy::print_stdout,
    reason = "the figures are what benchmarks are run for"
)]
#[must_use]
pub fn conclude(ratios: &[Ratio]) -> ExitCode {
    for ratio in ratios {
        println!("{ratio}");
    }
    if ratios.iter().any(Ratio::misses) {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ratio(target: Target, upper: &[u64]) -> Ratio {
        let mut ratio = Ratio::new("a by b", target);
        let mut upper = upper.iter();
        let turns = upper.len() as u64;
        let spent = ratio.measure(
            turns,
            || Duration::from_millis(*upper.next().unwrap()),
            || Duration::from_millis(10),
        );
        assert_eq!(spent, Duration::from_millis(10 * turns));
        ratio
    }

    #[test]
    fn the_median_counts_and_not_an_outlier() {
        let told = ratio(Target::Told, &[90, 10_000, 80]);
        assert_eq!(told.median(), Some(9.0));
        assert_eq!(told.to_string(), "a by b: 9.00 (median of 3 pairs)");
    }

    #[test]
    fn a_target_is_missed_on_its_own_side() {
        assert!(!ratio(Target::AtLeast(8.0), &[80]).misses());
        assert!(ratio(Target::AtLeast(8.0), &[79]).misses());
        assert!(!ratio(Target::AtMost(8.0), &[80]).misses());
        let missed = ratio(Target::AtMost(8.0), &[81]);
        assert_eq!(
            missed.to_string(),
            "a by b: 8.10 (median of 1 pairs, at most 8) MISSED"
        );
    }

    #[test]
    fn different_amounts_of_work_are_compared_by_the_unit() {
        let mut ratio = Ratio::new("one by ten", Target::Told).per_unit(1, 10);
        let tenth = || Duration::from_millis(10);
        ratio.measure(1, tenth, tenth);
        assert_eq!(ratio.median(), Some(10.0));
    }

    #[test]
    fn what_a_filter_left_out_misses_nothing() {
        let left_out = ratio(Target::AtLeast(8.0), &[]);
        assert!(!left_out.misses());
        assert_eq!(left_out.to_string(), "a by b: not measured");
    }
}
