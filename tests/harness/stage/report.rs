//! What was seen, for whoever reads of a test that failed.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::Stage;

/// So many lines of each log.
const LINES: usize = 40;

/// How long is waited for an answer: who failed the test may well be silent.
const LIMIT: Duration = Duration::from_secs(10);

async fn within<T>(asked: impl Future<Output = Result<T>>) -> Result<T> {
    let answer = tokio::time::timeout(LIMIT, asked).await;
    answer.context("there is no answer")?
}

impl Stage {
    #[expect(
        clippy::print_stderr,
        reason = "the test runner shows it with the test that failed"
    )]
    pub(super) async fn print_report(&self) {
        eprintln!("{}", self.report().await);
    }

    async fn report(&self) -> String {
        let mut out = String::from("\n==== what was seen ====\n");
        // Writing to a string does not fail.
        let _ = self.write_forge(&mut out);
        match within(self.builds()).await {
            Ok(builds) => {
                out.push_str("-- builds\n");
                for build in builds {
                    let _ = writeln!(
                        out,
                        "{} {} {}-{} for {}: {}: {} (attempts {})",
                        build.id,
                        build.recipe,
                        build.version,
                        build.release,
                        build.target,
                        build.state.name(),
                        build.explain(),
                        build.attempts
                    );
                }
            }
            Err(error) => {
                let _ = writeln!(out, "-- builds cannot be read: {error:#}");
            }
        }
        match within(self.published()).await {
            Ok(published) => {
                let _ = writeln!(out, "-- published: {:?}", published.names());
            }
            Err(error) => {
                let _ = writeln!(out, "-- the channel cannot be read: {error:#}");
            }
        }
        for actor in self.actors() {
            let state = if actor.is_up() { "up" } else { "down" };
            let _ = writeln!(out, "-- {} ({state}) wrote", actor.name());
            for line in actor.log().tail(LINES) {
                let _ = writeln!(out, "{line}");
            }
        }
        out
    }

    fn write_forge(&self, out: &mut String) -> std::fmt::Result {
        for name in self.repositories() {
            for run in self.forge.check_runs(name) {
                writeln!(
                    out,
                    "{name} {} {:?} {:?}: {}\n    {}",
                    &run.head_sha.as_str()[..8],
                    run.name,
                    run.status,
                    run.output.title.as_deref().unwrap_or_default(),
                    run.output
                        .summary
                        .as_deref()
                        .unwrap_or_default()
                        .lines()
                        .next()
                        .unwrap_or_default(),
                )?;
                for annotation in &run.annotations {
                    let (path, line) = (&annotation.path, annotation.start_line);
                    writeln!(out, "    {path}:{line}: {}", annotation.message)?;
                }
            }
            for comment in self.forge.comments(name) {
                writeln!(
                    out,
                    "{name} comment on {:?}: {}",
                    comment.subject, comment.body
                )?;
            }
        }
        writeln!(out, "-- webhooks, newest first")?;
        for row in self.forge.deliveries() {
            writeln!(out, "{} {:?} {}", row.event, row.action, row.outcome.code())?;
        }
        writeln!(out, "-- the last requests to the forge")?;
        let traffic = self.forge.traffic();
        for exchange in traffic.iter().skip(traffic.len().saturating_sub(LINES)) {
            writeln!(
                out,
                "{} {} {}",
                exchange.method, exchange.path, exchange.status
            )?;
        }
        Ok(())
    }
}
