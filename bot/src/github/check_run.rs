//! Creates, finds and updates GitHub check runs. A [`Turn`] is the proof that the rate limiter
//! allows one write.

use api::id::CommitSha;
use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::App;
use super::call::Error;
use super::pace::Turn;
use crate::db::Repository;
use crate::domain::build::Annotation;
use crate::domain::check_run::{Desired, Status};
use crate::domain::name::CheckRunId;

/// GitHub's limit of annotations in one request. Further requests append more.
const ANNOTATIONS: usize = 50;

/// The `external_id` of a head's check run. That of a build's is the id of the build.
pub const HEAD_ID: &str = "head";

/// Where a check run lies, and the id that tells it from others there.
#[derive(Debug, Clone)]
pub struct Place {
    /// The repository.
    pub repository: Repository,
    /// The commit.
    pub commit: CommitSha,
    /// Our id of it.
    pub external_id: String,
}

/// A check run as GitHub returned it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Sent {
    /// Its id.
    pub id: CheckRunId,
    /// `completed` once it has a conclusion.
    pub status: String,
    /// Our id of it; see [`Place`].
    pub external_id: Option<String>,
    /// Its output.
    pub output: Output,
}

/// The parts of a check run's output that summit reads.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Output {
    /// How many annotations it has.
    pub annotations_count: usize,
}

impl Sent {
    /// True when it has a conclusion. A concluded run cannot be reopened.
    pub fn is_completed(&self) -> bool {
        self.status == "completed"
    }

    /// True when GitHub has all its annotations.
    pub fn is_annotated(&self, desired: &Desired) -> bool {
        self.output.annotations_count >= annotations(desired).len()
    }
}

impl App {
    /// Finds a run of a place that we do not know yet. There is one if summit crashed after
    /// creating it and before storing its id. Runs in `past` are old, concluded ones and are
    /// skipped.
    ///
    /// # Errors
    /// When the request to GitHub fails.
    pub async fn find_check_run(
        &self,
        place: &Place,
        name: &str,
        past: &[CheckRunId],
    ) -> Result<Option<Sent>, Error> {
        #[derive(Deserialize)]
        struct Page {
            check_runs: Vec<Sent>,
        }
        let Place {
            repository,
            commit,
            external_id,
        } = place;
        let name = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC);
        let mut query = Some(format!("check_name={name}&filter=all&per_page=100"));
        while let Some(page) = query {
            let path = format!(
                "/repos/{}/commits/{commit}/check-runs?{page}",
                repository.name
            );
            let answer = self
                .as_installation::<Page>(repository.installation, Method::GET, &path, None::<&()>)
                .await?;
            let found = answer.body.check_runs.into_iter().find(|run| {
                run.external_id.as_ref() == Some(external_id) && !past.contains(&run.id)
            });
            if found.is_some() {
                return Ok(found);
            }
            query = answer.next_page;
        }
        Ok(None)
    }

    /// Creates a check run with the desired content. A concluded one includes its first
    /// annotations.
    ///
    /// # Errors
    /// When GitHub refuses the request, or its answer is lost.
    pub async fn create_check_run(
        &self,
        turn: Turn,
        place: &Place,
        desired: &Desired,
    ) -> Result<Sent, Error> {
        let repository = &place.repository;
        let path = format!("/repos/{}/check-runs", repository.name);
        let mut body = body(desired, next_annotations(desired, 0));
        if let Value::Object(fields) = &mut body {
            fields.insert("name".to_owned(), json!(desired.name));
            fields.insert("head_sha".to_owned(), json!(place.commit));
            fields.insert("external_id".to_owned(), json!(place.external_id));
        }
        let installation = repository.installation;
        let sent = self
            .as_installation::<Sent>(installation, Method::POST, &path, Some(&body))
            .await;
        Ok(turn.spend(sent)?.body)
    }

    /// Updates a check run to the desired content. A concluded one gets one request's worth of
    /// missing annotations. GitHub appends annotations, and a write before a crash may have
    /// succeeded, so this function first asks GitHub how many there are.
    ///
    /// # Errors
    /// When the request to GitHub fails.
    pub async fn update_check_run(
        &self,
        turn: Turn,
        repository: &Repository,
        run: CheckRunId,
        desired: &Desired,
    ) -> Result<Sent, Error> {
        let path = format!("/repos/{}/check-runs/{run}", repository.name);
        let installation = repository.installation;
        let known = if annotations(desired).is_empty() {
            0
        } else {
            let now = self
                .as_installation::<Sent>(installation, Method::GET, &path, None::<&()>)
                .await?;
            now.body.output.annotations_count
        };
        let body = body(desired, next_annotations(desired, known));
        let sent = self
            .as_installation::<Sent>(installation, Method::PATCH, &path, Some(&body))
            .await;
        Ok(turn.spend(sent)?.body)
    }
}

/// The annotations that a check run should have: none before its conclusion, then all of them.
fn annotations(desired: &Desired) -> &[Annotation] {
    match desired.status {
        Status::Completed(_) => &desired.annotations,
        Status::Queued | Status::InProgress => &[],
    }
}

/// The annotations for the next request, after the first `known` ones.
fn next_annotations(desired: &Desired, known: usize) -> &[Annotation] {
    let behind = annotations(desired).get(known..).unwrap_or_default();
    &behind[..behind.len().min(ANNOTATIONS)]
}

fn body(desired: &Desired, first: &[Annotation]) -> Value {
    let mut body = json!({
        "details_url": desired.details_url,
        "started_at": desired.started_at,
        "output": output(desired, first),
        "actions": desired.actions,
    });
    if let Value::Object(fields) = &mut body {
        match desired.status {
            Status::Queued => drop(fields.insert("status".to_owned(), json!("queued"))),
            Status::InProgress => drop(fields.insert("status".to_owned(), json!("in_progress"))),
            Status::Completed(conclusion) => {
                fields.insert("status".to_owned(), json!("completed"));
                fields.insert("conclusion".to_owned(), json!(conclusion.as_str()));
            }
        }
    }
    body
}

fn output(desired: &Desired, annotations: &[Annotation]) -> Value {
    let mut output = json!({ "title": desired.title, "summary": desired.summary });
    if let Value::Object(fields) = &mut output {
        if let Some(text) = &desired.text {
            fields.insert("text".to_owned(), json!(text));
        }
        if !annotations.is_empty() {
            let annotations = annotations.iter().map(annotation).collect::<Vec<_>>();
            fields.insert("annotations".to_owned(), json!(annotations));
        }
    }
    output
}

fn annotation(annotation: &Annotation) -> Value {
    let clip = |text: &str, limit: usize| text.chars().take(limit).collect::<String>();
    json!({
        "path": annotation.path,
        "start_line": annotation.line,
        "end_line": annotation.line,
        "annotation_level": if annotation.is_error { "failure" } else { "warning" },
        "title": clip(&annotation.title, 255),
        // GitHub's limit is 64 KB, and a character takes up to four bytes.
        "message": clip(&annotation.message, 16_000),
    })
}
