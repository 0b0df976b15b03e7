//! Logs: a readable message and dotted fields, to stderr.

use serde::Deserialize;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// What comes before a configured filter, which may say otherwise. octocrab calls every 5xx answer of
/// GitHub an error; summit handles it, and logs it where it asked.
const BEFORE: &str = "octocrab=off";

/// How logs are written.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// A filter such as `info,summit=debug`.
    pub filter: String,
    /// The form of a line.
    pub format: Format,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            filter: "info".to_owned(),
            format: Format::Text,
        }
    }
}

/// The forms of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line, for collectors.
    Json,
}

/// Begins to log. Called once, in `main`; a second call is without effect.
///
/// # Errors
/// When the filter cannot be read.
pub fn init(config: &Config) -> Result<(), tracing_subscriber::filter::ParseError> {
    let filter = EnvFilter::builder().parse(format!("{BEFORE},{}", config.filter))?;
    let registry = tracing_subscriber::registry().with(filter);
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    // The error says that a subscriber is there already.
    let _ = match config.format {
        Format::Text => registry.with(layer).try_init(),
        Format::Json => registry.with(layer.json().flatten_event(true)).try_init(),
    };
    Ok(())
}
