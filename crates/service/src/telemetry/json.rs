//! A log line as one JSON object, for collectors.
//!
//! The keys of the line itself come first: `timestamp`, `level`, `target`, `message`. The fields of the
//! event follow, then those of the spans around it, the innermost first. tracing-subscriber's own form
//! writes a key twice where an event has a field with the name of such a key.

use std::fmt;

use serde::Serialize;
use serde::ser::SerializeMap as _;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::{JsonFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// Formats each event as a [`Line`].
pub(super) struct JsonLines;

impl<S> FormatEvent<S, JsonFields> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let metadata = event.metadata();
        let mut line = Line::begin(*metadata.level(), metadata.target());
        event.record(&mut line);
        for span in context.event_scope().into_iter().flatten() {
            let extensions = span.extensions();
            let fields = extensions.get::<FormattedFields<JsonFields>>();
            let fields = fields.map_or("", |fields| fields.fields.as_str());
            // What `JsonFields` wrote is an object, or nothing where a span has no fields.
            let fields: Map<String, Value> = serde_json::from_str(fields).unwrap_or_default();
            for (name, value) in fields {
                line.put(name, value);
            }
        }
        writeln!(writer, "{line}")
    }
}

/// The keys and values of one line. No key is there twice.
pub(super) struct Line(Vec<(String, Value)>);

impl Line {
    /// A line with its time, its level and the part of the program that it is about.
    pub(super) fn begin(level: Level, target: &str) -> Self {
        let mut time = String::new();
        // A time that cannot be written is left empty; the line matters more.
        let _ = SystemTime.format_time(&mut Writer::new(&mut time));
        Self(vec![
            ("timestamp".to_owned(), time.into()),
            ("level".to_owned(), level.as_str().into()),
            ("target".to_owned(), target.into()),
        ])
    }

    /// Adds a field. A field whose name is taken is called `field.<name>`.
    pub(super) fn put(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        let mut name = name.into();
        while self.0.iter().any(|(taken, _)| *taken == name) {
            name.insert_str(0, "field.");
        }
        self.0.push((name, value.into()));
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = serde_json::to_string(self).map_err(|_| fmt::Error)?;
        f.write_str(&text)
    }
}

impl Serialize for Line {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl Visit for Line {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field.name(), value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field.name(), value);
    }

    /// JSON's readers agree on numbers up to 64 bits only; greater ones are text.
    fn record_i128(&mut self, field: &Field, value: i128) {
        match i64::try_from(value) {
            Ok(value) => self.put(field.name(), value),
            Err(_) => self.put(field.name(), value.to_string()),
        }
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        match u64::try_from(value) {
            Ok(value) => self.put(field.name(), value),
            Err(_) => self.put(field.name(), value.to_string()),
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field.name(), value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field.name(), value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field.name(), format!("{value:?}"));
    }
}
