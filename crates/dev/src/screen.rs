//! What a person sees on the standard error while the line works: a line per build that moves on a
//! terminal, and plain lines elsewhere. Nothing else writes there, so nothing garbles it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write as _};
use std::sync::Mutex;
use std::time::Duration;

use api::id::BuildId;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use jiff::Timestamp;
use summit::domain::build::{Build, Progress, State};

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
    moving: BTreeMap<BuildId, ProgressBar>,
    ended: BTreeSet<BuildId>,
    begun: BTreeMap<BuildId, Timestamp>,
    said: BTreeMap<BuildId, String>,
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
            moving: BTreeMap::new(),
            ended: BTreeSet::new(),
            begun: BTreeMap::new(),
            said: BTreeMap::new(),
            all: None,
        }
    }

    /// Shows `builds` as they are at `now`.
    pub fn show(&mut self, builds: &[Build], now: Timestamp) {
        for build in builds {
            self.show_one(build, now);
        }
        if !self.screen.is_live() || builds.is_empty() {
            return;
        }
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
        all.set_length(builds.len() as u64);
        all.set_position(builds.iter().filter(|build| has_ended(build)).count() as u64);
        let waits = |build: &&Build| matches!(build.state, State::Waiting { .. });
        all.set_message(match builds.iter().filter(waits).count() {
            0 => String::new(),
            count => format!(" {count} waiting"),
        });
    }

    fn show_one(&mut self, build: &Build, now: Timestamp) {
        if matches!(build.state, State::Building { .. }) {
            self.begun.entry(build.id).or_insert(now);
        }
        let elapsed = self
            .begun
            .get(&build.id)
            .map(|begun| now.duration_since(*begun).unsigned_abs());
        let stage = stage(build);
        if has_ended(build) {
            if self.ended.insert(build.id) {
                if let Some(bar) = self.moving.remove(&build.id) {
                    bar.finish_and_clear();
                    self.screen.bars.remove(&bar);
                }
                self.screen.say(line(build, &stage, elapsed));
            }
            return;
        }
        // It can come back: a build that was held goes on when what held it is made good.
        self.ended.remove(&build.id);
        if self.screen.is_live() {
            self.move_bar(build, &stage, elapsed);
        }
        if self.said.get(&build.id) != Some(&stage) {
            if !self.screen.is_live() || is_queued_again(build) {
                self.screen.say(line(build, &stage, elapsed));
            }
            self.said.insert(build.id, stage);
        }
    }

    fn move_bar(&mut self, build: &Build, stage: &str, elapsed: Option<Duration>) {
        if matches!(
            build.state,
            State::Planned | State::Waiting { .. } | State::Queued { .. }
        ) {
            if let Some(bar) = self.moving.remove(&build.id) {
                bar.finish_and_clear();
                self.screen.bars.remove(&bar);
            }
            return;
        }
        let bars = &self.screen.bars;
        let bar = self.moving.entry(build.id).or_insert_with(|| {
            let style = ProgressStyle::with_template("{prefix:>12} {spinner} {wide_msg}");
            let bar = bars.insert(0, ProgressBar::new_spinner());
            bar.set_style(style.expect("the template is constant and valid"));
            bar.enable_steady_tick(TICK);
            bar
        });
        bar.set_prefix("building");
        bar.set_message(format!("{}: {stage}{}", label(build), seconds(elapsed)));
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

/// True when nothing will move the build by itself.
pub fn has_ended(build: &Build) -> bool {
    build.is_settled() || matches!(build.state, State::Held { .. })
}

/// How a person calls a build.
pub fn label(build: &Build) -> String {
    if build.version.is_empty() {
        build.recipe.to_string()
    } else {
        format!("{} {}-{}", build.recipe, build.version, build.release)
    }
}

/// Where a build is, in a word or two.
pub fn stage(build: &Build) -> String {
    match &build.state {
        State::Planned => "planned".to_owned(),
        State::Waiting { on } => match on.len() {
            1 => "waiting for 1 build".to_owned(),
            count => format!("waiting for {count} builds"),
        },
        State::Queued { .. } => "queued".to_owned(),
        State::Building { progress, .. } => match progress {
            Progress::Ordered | Progress::Accepted { .. } => "ordered".to_owned(),
            Progress::Running { phase, .. } => phase.to_string(),
        },
        State::Built(_) => "built".to_owned(),
        State::Publishing { .. } => "publishing".to_owned(),
        State::Published { .. } => "published".to_owned(),
        State::Held { .. } => "held".to_owned(),
        State::Failed(_) => "failed".to_owned(),
        State::Cancelled { .. } => "cancelled".to_owned(),
        State::Superseded { .. } => "superseded".to_owned(),
    }
}

/// True for a build whose last attempt was lost, so that it waits for another.
fn is_queued_again(build: &Build) -> bool {
    build.attempts > 0 && matches!(build.state, State::Queued { .. })
}

fn line(build: &Build, stage: &str, elapsed: Option<Duration>) -> String {
    let what = format!("{stage:>12}  {}{}", label(build), seconds(elapsed));
    match &build.state {
        State::Queued {
            reason: Some(reason),
            ..
        } if is_queued_again(build) => {
            format!("{what} again: {reason}")
        }
        State::Failed(_) | State::Held { .. } | State::Cancelled { .. } => {
            format!("{what}: {}", build.explain())
        }
        State::Planned
        | State::Waiting { .. }
        | State::Queued { .. }
        | State::Building { .. }
        | State::Built(_)
        | State::Publishing { .. }
        | State::Published { .. }
        | State::Superseded { .. } => what,
    }
}

fn seconds(elapsed: Option<Duration>) -> String {
    elapsed.map_or_else(String::new, |elapsed| format!(" ({} s)", elapsed.as_secs()))
}
