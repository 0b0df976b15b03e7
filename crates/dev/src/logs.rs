//! Where logs go: all of them to a file in the data folder, what matters to the screen.

use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::sync::Mutex;

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, fmt};

use crate::screen::Screen;

/// The name of the log in the data folder.
pub const FILE: &str = "log";

/// What the file gets; the libraries below ours are quiet unless something is wrong.
const FILTER: &str = "warn,avalanche=debug,forge=debug,moss_db=info,moss_deps=info,\
    moss_fetcher=debug,service=info,snekbook_dev=debug,summit=debug,vessel=debug";

/// Begins to log to the file in `data`, and to `screen` as loud as `verbose` says.
///
/// # Errors
/// When the file cannot be made.
pub fn begin(data: &Path, verbose: u8, screen: &Screen) -> io::Result<()> {
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(data.join(FILE))?;
    let level = match verbose {
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        _ => LevelFilter::DEBUG,
    };
    let to_file = fmt::layer().with_ansi(false).with_writer(Mutex::new(file));
    let to_screen = fmt::layer()
        .with_ansi(screen.is_live())
        .with_writer(screen.clone())
        .with_filter(level);
    // The error says that a subscriber is there already, as in a test.
    let _ = tracing_subscriber::registry()
        .with(EnvFilter::new(FILTER))
        .with(to_file)
        .with(to_screen)
        .try_init();
    Ok(())
}
