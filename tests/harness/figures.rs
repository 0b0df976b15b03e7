//! Figures with their targets, and what a process uses: for benchmarks.

#![expect(
    clippy::print_stdout,
    reason = "the figures are what benchmarks are run for"
)]

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

/// What was measured.
#[derive(Debug, Default)]
pub struct Figures {
    missed: Vec<String>,
}

impl Figures {
    /// A figure without a target.
    pub fn tell(&self, name: &str, value: f64) {
        println!("{value:10.3}               {name}");
    }

    /// What the figure before it is compared with: the least that it could be.
    pub fn floor(&self, name: &str, value: f64) {
        println!("{value:10.3} floor           {name}");
    }

    /// A figure that has to be at most so much.
    pub fn at_most(&mut self, name: &str, value: f64, most: f64) {
        let verdict = if value <= most { "" } else { "  MISSED" };
        println!("{value:10.3} of {most:8.3}{verdict}   {name}");
        if value > most {
            self.missed.push(name.to_owned());
        }
    }

    /// A figure that has to be at least so much.
    pub fn at_least(&mut self, name: &str, value: f64, least: f64) {
        let verdict = if value >= least { "" } else { "  MISSED" };
        println!("{value:10.3} of {least:8.3}{verdict}   {name}");
        if value < least {
            self.missed.push(name.to_owned());
        }
    }

    /// Ends the run.
    ///
    /// # Errors
    /// Where a target was missed.
    pub fn conclude(self) -> Result<()> {
        ensure!(self.missed.is_empty(), "missed: {}", self.missed.join("; "));
        Ok(())
    }
}

/// What a process used of the processor over a time.
#[derive(Debug)]
pub struct Used {
    pid: u32,
    begun: Instant,
    /// At the beginning all that it ever used; at the end what it used since.
    pub time: Duration,
}

impl Used {
    /// Begins to watch a process.
    ///
    /// # Errors
    /// When there is no such process.
    pub fn begin(pid: u32) -> Result<Self> {
        Ok(Self {
            pid,
            begun: Instant::now(),
            time: processor_time(pid)?,
        })
    }

    /// Ends it; `time` is then what was used meanwhile.
    ///
    /// # Errors
    /// When the process has ended.
    pub fn end(mut self) -> Result<Self> {
        self.time = processor_time(self.pid)?.saturating_sub(self.time);
        Ok(self)
    }

    /// Watches a process for a while.
    ///
    /// # Errors
    /// When the process ends.
    pub async fn over(pid: u32, time: Duration) -> Result<Self> {
        let used = Self::begin(pid)?;
        tokio::time::sleep(time).await;
        used.end()
    }

    /// How much of one core that was.
    pub fn share(&self) -> f64 {
        self.time.as_secs_f64() / self.begun.elapsed().as_secs_f64()
    }
}

/// What all threads of a process have used, those that ended too: user and system time, in steps of
/// 10 ms.
fn processor_time(pid: u32) -> Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name, in parentheses, may hold blanks.
    let (_, fields) = stat.rsplit_once(')').context("no fields")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
    let per_second = rustix::param::clock_ticks_per_second();
    Ok(Duration::from_millis(ticks * 1000 / per_second))
}

/// How long a thread of a process was on a processor.
///
/// # Errors
/// When there is no such process or thread.
pub fn thread_time(pid: u32, name: &str) -> Result<Duration> {
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let task = task?.path();
        if std::fs::read_to_string(task.join("comm"))?.trim_end() == name {
            let times = std::fs::read_to_string(task.join("schedstat"))?;
            let first = times.split_whitespace().next().context("no times")?;
            return Ok(Duration::from_nanos(first.parse()?));
        }
    }
    anyhow::bail!("there is no thread {name}")
}

/// The memory in bytes that is the process' own and not backed by a file.
///
/// # Errors
/// When there is no such process.
pub fn private_memory(pid: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    Ok(kilobytes.context("no RssAnon")?.trim().parse::<u64>()? * 1024)
}
