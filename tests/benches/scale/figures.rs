//! Figures with their targets, and what a process uses.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

/// What was measured.
#[derive(Default)]
pub(crate) struct Figures {
    missed: Vec<String>,
}

impl Figures {
    /// A figure without a target.
    pub(crate) fn tell(&self, name: &str, value: f64) {
        println!("{value:10.3}               {name}");
    }

    /// A figure that has to be at most so much.
    pub(crate) fn at_most(&mut self, name: &str, value: f64, most: f64) {
        let verdict = if value <= most { "" } else { "  MISSED" };
        println!("{value:10.3} of {most:8.3}{verdict}   {name}");
        if value > most {
            self.missed.push(name.to_owned());
        }
    }

    /// Fails where a target was missed.
    pub(crate) fn conclude(self) -> Result<()> {
        ensure!(self.missed.is_empty(), "missed: {}", self.missed.join("; "));
        Ok(())
    }
}

/// What a process used of the processor over a time.
pub(crate) struct Used {
    pid: u32,
    begun: Instant,
    /// At the beginning all that it ever used; at the end what it used since.
    pub(crate) time: Duration,
}

impl Used {
    pub(crate) fn begin(pid: u32) -> Result<Self> {
        Ok(Self {
            pid,
            begun: Instant::now(),
            time: processor_time(pid)?,
        })
    }

    pub(crate) fn end(mut self) -> Result<Self> {
        self.time = processor_time(self.pid)?.saturating_sub(self.time);
        Ok(self)
    }

    pub(crate) async fn over(pid: u32, time: Duration) -> Result<Self> {
        let used = Self::begin(pid)?;
        tokio::time::sleep(time).await;
        used.end()
    }

    /// How much of one core that was.
    pub(crate) fn share(&self) -> f64 {
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

/// The memory in bytes that is the process' own and not backed by a file.
pub(crate) fn private_memory(pid: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    Ok(kilobytes.context("no RssAnon")?.trim().parse::<u64>()? * 1024)
}
