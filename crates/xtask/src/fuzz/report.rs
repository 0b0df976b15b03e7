//! What a run of a target came to.

use std::fmt;
use std::path::{Path, PathBuf};

/// The end of a run, from what libFuzzer says.
pub(crate) struct Report {
    target: String,
    clean: bool,
    executions: Option<String>,
    coverage: Option<String>,
    memory: Option<String>,
    log: PathBuf,
}

impl Report {
    pub(crate) fn new(target: &str, clean: bool, said: &str, log: &Path) -> Self {
        let stat = |name: &str| {
            let mut lines = said.lines().filter_map(|line| line.strip_prefix(name));
            lines.next_back().map(|value| value.trim().to_owned())
        };
        let mut coverage = said.lines().filter_map(|line| {
            let (_, after) = line.split_once("cov: ")?;
            after.split(' ').next()
        });
        Self {
            target: target.to_owned(),
            clean,
            executions: stat("stat::number_of_executed_units:"),
            coverage: coverage.next_back().map(str::to_owned),
            memory: stat("stat::peak_rss_mb:"),
            log: log.to_owned(),
        }
    }

    /// Whether no input was a fault.
    pub(crate) fn is_clean(&self) -> bool {
        self.clean
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or_unknown = |value: &Option<String>| value.clone().unwrap_or_else(|| "?".to_owned());
        write!(
            f,
            "{:<16} {:>10} executions, {:>5} edges, at most {:>4} MiB: {}",
            self.target,
            or_unknown(&self.executions),
            or_unknown(&self.coverage),
            or_unknown(&self.memory),
            if self.clean { "clean" } else { "A FAULT" },
        )?;
        if self.clean {
            return Ok(());
        }
        write!(f, ", see {}", self.log.display())
    }
}
