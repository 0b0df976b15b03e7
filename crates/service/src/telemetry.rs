//! Logs: a readable message and dotted fields, to stderr.

mod json;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{IsTerminal as _, Write as _};
use std::panic::PanicHookInfo;

use serde::Deserialize;
use tracing::{Level, Subscriber};
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer};

use json::{JsonLines, Line};

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
pub(crate) fn init(config: &Config) -> Result<(), FilterError> {
    let filter = EnvFilter::builder().parse(format!("{BEFORE},{}", config.filter))?;
    // The error says that a subscriber is there already.
    let _ = tracing_subscriber::registry()
        .with(layer(config.format, std::io::stderr))
        .with(filter)
        .try_init();
    if config.format == Format::Json {
        std::panic::set_hook(Box::new(tell_panic));
    }
    Ok(())
}

/// The filter of the configuration cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the log filter cannot be read")]
pub(crate) struct FilterError(#[from] tracing_subscriber::filter::ParseError);

/// Writes events to what `writer` makes.
fn layer<S, W>(format: Format, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let layer = fmt::layer().with_writer(writer);
    match format {
        Format::Json => layer
            .fmt_fields(JsonFields::new())
            .event_format(JsonLines)
            .boxed(),
        // On a terminal it is the layer that heeds `NO_COLOR`.
        Format::Text if std::io::stderr().is_terminal() => layer.boxed(),
        Format::Text => layer.with_ansi(false).boxed(),
    }
}

/// Says on stderr why the process ends. The filter does not keep this back.
pub(crate) fn tell_end(format: Format, error: &anyhow::Error) {
    let mut stderr = std::io::stderr().lock();
    // Nobody is left to hear that stderr cannot be written.
    let _ = match format {
        Format::Text => writeln!(stderr, "Error: {error:?}"),
        Format::Json => writeln!(stderr, "{}", end_line(error)),
    };
}

fn end_line(error: &anyhow::Error) -> Line {
    let mut line = Line::begin(Level::ERROR, module_path!());
    line.put("message", "the service ends because of an error");
    line.put("error", format!("{error:#}"));
    line
}

/// Says on stderr that a thread panicked. The text that Rust writes by itself is no JSON.
fn tell_panic(panic: &PanicHookInfo<'_>) {
    let mut line = Line::begin(Level::ERROR, module_path!());
    line.put("message", "a thread panicked");
    line.put("panic.text", panic.payload_as_str());
    line.put("panic.place", panic.location().map(ToString::to_string));
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        line.put("panic.backtrace", backtrace.to_string());
    }
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

#[cfg(test)]
mod tests;
