use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::*;

/// Where a test's log goes.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What `log` logs.
fn written(format: Format, log: impl FnOnce()) -> String {
    let shared = Shared::default();
    let writer = shared.clone();
    let subscriber = tracing_subscriber::registry().with(layer(format, move || writer.clone()));
    tracing::subscriber::with_default(subscriber, log);
    let bytes = shared.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

/// The one line that `log` logs, without its time.
fn line(log: impl FnOnce()) -> Value {
    let text = written(Format::Json, log);
    assert_eq!(text.matches('\n').count(), 1, "{text}");
    let mut line = testbed::json::parse(&text).unwrap();
    let time = line.as_object_mut().unwrap().remove("timestamp").unwrap();
    time.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    line
}

#[test]
fn numbers_and_booleans_are_such_in_json() {
    let line = line(|| {
        tracing::info!(
            repository.id = 7_u64,
            left = -3,
            share = 0.5,
            milliseconds = 12_u128,
            huge = u128::MAX,
            is_draft = true,
            build.id = %"0190",
            "a build of {}", "zlib"
        );
    });
    assert_eq!(
        line,
        json!({
            "level": "INFO",
            "target": "service::telemetry::tests",
            "message": "a build of zlib",
            "repository.id": 7,
            "left": -3,
            "share": 0.5,
            "milliseconds": 12,
            "huge": u128::MAX.to_string(),
            "is_draft": true,
            "build.id": "0190",
        })
    );
}

#[test]
fn a_field_that_is_called_like_a_key_of_the_line_gets_another_name() {
    let line = line(|| tracing::warn!(target = "main", level = 3_u64, "planned"));
    assert_eq!(line["target"], "service::telemetry::tests");
    assert_eq!(line["field.target"], "main");
    assert_eq!(line["level"], "WARN");
    assert_eq!(line["field.level"], 3);
}

#[test]
fn fields_of_the_spans_around_are_in_the_line() {
    let line = line(|| {
        let outer = tracing::info_span!("outer", request.id = "r-1", size = 1_u64);
        let _outer = outer.enter();
        let inner = tracing::info_span!("inner", size = 2_u64);
        let _inner = inner.enter();
        let bare = tracing::info_span!("bare");
        let _bare = bare.enter();
        tracing::info!("answered");
    });
    assert_eq!(line["request.id"], "r-1");
    assert_eq!(line["size"], 2);
    assert_eq!(line["field.size"], 1);
}

#[test]
fn the_end_is_a_line_too() {
    let error = anyhow::anyhow!("the port is taken").context("cannot start");
    let line = testbed::json::parse(&end_line(&error).to_string()).unwrap();
    assert_eq!(line["level"], "ERROR");
    assert_eq!(line["error"], "cannot start: the port is taken");
}
