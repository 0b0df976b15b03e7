//! What a person sees on the standard error while the line works: a line per build that moves on a
//! terminal, and plain lines elsewhere. Nothing else writes there, so nothing garbles it.
//!
//! What is said of a build is decided in `told`, which knows nothing of terminals.

mod told;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write as _};
use std::sync::Mutex;
use std::time::Duration;

use api::id::BuildId;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use jiff::Timestamp;
use summit::domain::build::Build;

use told::{Told, waiting};
pub use told::{has_ended, label, stage};

/// How often a moving line moves.
const TICK: Duration = Duration::from_millis(120);

/// The standard error. Cheap to clone; all clones are one screen.
#[derive(Debug, Clone)]
pub struct Screen {
    bars: MultiProgress,
}

/// The lines of builds on a screen.
#[derive(Debug)]
pub struct Lines {
    screen: Screen,
    told: Told,
    moving: BTreeMap<BuildId, ProgressBar>,
    /// The builds since the last rest, at which nothing moved.
    round: BTreeSet<BuildId>,
    all: Option<ProgressBar>,
}

impl Screen {
    /// The screen; there is one.
    pub fn new() -> Self {
        Self {
            bars: MultiProgress::new(),
        }
    }

    /// Writes a line above those that move.
    pub fn say(&self, line: impl AsRef<str>) {
        // A closed standard error is no reason to stop.
        let write = || writeln!(io::stderr(), "{}", line.as_ref());
        drop(self.bars.suspend(write));
    }

    /// True on a terminal, where lines can move and have colours.
    pub fn is_live(&self) -> bool {
        !self.bars.is_hidden()
    }
}

impl Default for Screen {
    fn default() -> Self {
        Self::new()
    }
}

/// A log line, written to the screen as a whole.
#[derive(Debug)]
pub struct LogLine {
    screen: Screen,
    bytes: Mutex<Vec<u8>>,
}

impl io::Write for LogLine {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes
            .get_mut()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for LogLine {
    fn drop(&mut self) {
        let bytes = self
            .bytes
            .get_mut()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if !bytes.is_empty() {
            self.screen.say(String::from_utf8_lossy(bytes).trim_end());
        }
    }
}

impl<'a> tracing_subscriber::fmt::MakeWriter<'a> for Screen {
    type Writer = LogLine;

    fn make_writer(&'a self) -> LogLine {
        LogLine {
            screen: self.clone(),
            bytes: Mutex::default(),
        }
    }
}

impl Lines {
    /// No lines yet.
    pub fn new(screen: &Screen) -> Self {
        Self {
            screen: screen.clone(),
            told: Told::new(if screen.is_live() {
                told::Kind::Terminal
            } else {
                told::Kind::Plain
            }),
            moving: BTreeMap::new(),
            round: BTreeSet::new(),
            all: None,
        }
    }

    /// The screen that they are on.
    pub fn screen(&self) -> &Screen {
        &self.screen
    }

    /// Leaves `builds` that have ended unsaid, until they go on.
    pub fn pass_over(&mut self, builds: &[Build]) {
        for build in builds {
            self.told.pass_over(build);
        }
    }

    /// Shows `builds` as they are at `now`.
    pub fn show(&mut self, builds: &[Build], now: Timestamp) {
        for build in builds {
            self.show_one(build, now);
        }
        if builds.iter().all(has_ended) {
            self.rest();
        } else if self.screen.is_live() {
            self.show_all(builds);
        }
    }

    /// Takes the line of all builds away while nothing moves.
    fn rest(&mut self) {
        self.round.clear();
        if let Some(bar) = self.all.take() {
            bar.finish_and_clear();
            self.screen.bars.remove(&bar);
        }
    }

    fn show_all(&mut self, builds: &[Build]) {
        let moving = builds.iter().filter(|build| !has_ended(build));
        self.round.extend(moving.clone().map(|build| build.id));
        let left = moving.count();
        let bars = &self.screen.bars;
        let all = self.all.get_or_insert_with(|| {
            // What is left of the width is the bar's, so that the line fits a narrow terminal too.
            let style = ProgressStyle::with_template("{prefix:>12} {pos}/{len} [{wide_bar}]{msg}");
            let bar = bars.add(ProgressBar::new(0));
            bar.set_style(
                style
                    .expect("the template is constant and valid")
                    .progress_chars("=> "),
            );
            bar.set_prefix("builds");
            bar
        });
        all.set_length(self.round.len() as u64);
        all.set_position(self.round.len().saturating_sub(left) as u64);
        all.set_message(waiting(builds));
    }

    fn show_one(&mut self, build: &Build, now: Timestamp) {
        let news = self.told.hear(build, now);
        match news.moving {
            Some(message) => self.bar(build.id).set_message(message),
            None => {
                if let Some(bar) = self.moving.remove(&build.id) {
                    bar.finish_and_clear();
                    self.screen.bars.remove(&bar);
                }
            }
        }
        if let Some(line) = news.line {
            self.screen.say(line);
        }
    }

    /// The moving line of a build.
    fn bar(&mut self, build: BuildId) -> &ProgressBar {
        let bars = &self.screen.bars;
        self.moving.entry(build).or_insert_with(|| {
            let style = ProgressStyle::with_template("{prefix:>12} {spinner} {wide_msg}");
            let bar = bars.insert(0, ProgressBar::new_spinner());
            bar.set_style(style.expect("the template is constant and valid"));
            bar.set_prefix("building");
            bar.enable_steady_tick(TICK);
            bar
        })
    }
}

/// The moving lines go; what ended stays.
impl Drop for Lines {
    fn drop(&mut self) {
        for bar in self.moving.values().chain(&self.all) {
            bar.finish_and_clear();
        }
    }
}
