//! What a check run may be made of: GitHub's rules on lengths, counts and states.

mod output;
mod problems;

use jiff::Timestamp;
use serde::Deserialize;

use crate::id::{CheckRunId, CheckSuiteId, RepositoryId};
use crate::name::Sha;
use crate::rest::failure::Failure;
use crate::state::check_run::{Action, Annotation, CheckRun, Conclusion, Output, Status};
use output::OutputInput;
use problems::Problems;

/// Characters of a name or title.
const MAX_TITLE: usize = 255;
const MAX_ACTIONS: usize = 3;
const MAX_LABEL: usize = 20;
const MAX_DESCRIPTION: usize = 40;
const MAX_IDENTIFIER: usize = 20;

/// The body of `POST check-runs`.
#[derive(Debug, Deserialize)]
pub(crate) struct Create {
    name: String,
    head_sha: String,
    #[serde(flatten)]
    common: Common,
}

/// The body of `PATCH check-runs/{id}`.
#[derive(Debug, Deserialize)]
pub(crate) struct Update {
    name: Option<String>,
    #[serde(flatten)]
    common: Common,
}

#[derive(Debug, Deserialize)]
struct Common {
    details_url: Option<String>,
    external_id: Option<String>,
    status: Option<StatusWord>,
    started_at: Option<Timestamp>,
    conclusion: Option<ConclusionWord>,
    completed_at: Option<Timestamp>,
    output: Option<OutputInput>,
    actions: Option<Vec<Action>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StatusWord {
    Queued,
    InProgress,
    Completed,
}

/// A conclusion, or `stale`, which a request may name and may not set.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(untagged)]
enum ConclusionWord {
    // First, so that it is not taken for a conclusion that may be set.
    Stale(Stale),
    Known(Conclusion),
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Stale {
    Stale,
}

impl Create {
    /// Makes the check run, without its id and suite.
    pub(super) fn check(
        self,
        repository: RepositoryId,
        now: Timestamp,
    ) -> Result<CheckRun, Failure> {
        let mut problems = Problems::default();
        problems.name(&self.name);
        if let Some(output) = &self.common.output {
            problems.require("output.title", output.title.as_ref());
            problems.require("output.summary", output.summary.as_ref());
        }
        self.common.check(&mut problems);
        let head_sha: Sha = self
            .head_sha
            .parse()
            .map_err(|_| Failure::invalid(format!("No commit found for SHA: {}", self.head_sha)))?;
        let status = self.common.status(Status::Queued, now, &mut problems);
        problems.refuse()?;
        let output = self.common.output.unwrap_or_default();
        Ok(CheckRun {
            id: CheckRunId::new(0),
            repository,
            suite: CheckSuiteId::new(0),
            head_sha,
            name: self.name,
            external_id: self.common.external_id,
            details_url: self.common.details_url,
            status,
            started_at: self.common.started_at.unwrap_or(now),
            output: Output {
                title: output.title,
                summary: output.summary,
                text: output.text,
            },
            annotations: output
                .annotations
                .into_iter()
                .map(Annotation::from)
                .collect(),
            actions: self.common.actions.unwrap_or_default(),
        })
    }
}

impl Update {
    /// How the check run is to end.
    pub(super) fn conclusion(&self) -> Option<Conclusion> {
        match self.common.conclusion {
            Some(ConclusionWord::Known(conclusion)) => Some(conclusion),
            Some(ConclusionWord::Stale(Stale::Stale)) | None => None,
        }
    }

    /// Makes the changed check run. One that is completed is not opened again: such a request is
    /// taken and changes nothing.
    pub(super) fn apply(self, run: &CheckRun, now: Timestamp) -> Result<CheckRun, Failure> {
        let mut problems = Problems::default();
        if let Some(name) = &self.name {
            problems.name(name);
        }
        if let Some(output) = &self.common.output {
            problems.require("output.summary", output.summary.as_ref());
        }
        self.common.check(&mut problems);
        let status = self.common.status(run.status, now, &mut problems);
        problems.refuse()?;
        let mut changed = run.clone();
        let reopens = matches!(run.status, Status::Completed { .. })
            && matches!(status, Status::Queued | Status::InProgress);
        if reopens {
            return Ok(changed);
        }
        changed.status = status;
        if let Some(name) = self.name {
            changed.name = name;
        }
        changed.external_id = self.common.external_id.or(changed.external_id);
        changed.details_url = self.common.details_url.or(changed.details_url);
        changed.started_at = self.common.started_at.unwrap_or(changed.started_at);
        if let Some(actions) = self.common.actions {
            changed.actions = actions;
        }
        if let Some(output) = self.common.output {
            changed.output = Output {
                title: output.title.or(changed.output.title),
                summary: output.summary,
                text: output.text.or(changed.output.text),
            };
            changed
                .annotations
                .extend(output.annotations.into_iter().map(Annotation::from));
        }
        Ok(changed)
    }
}

impl Common {
    fn check(&self, problems: &mut Problems) {
        if let Some(url) = &self.details_url {
            let known = url.parse::<url::Url>();
            if !known.is_ok_and(|url| matches!(url.scheme(), "http" | "https")) {
                problems.add("details_url", "details_url must use http or https scheme");
            }
        }
        if let Some(output) = &self.output {
            output.check(problems);
        }
        let actions = self.actions.as_deref().unwrap_or_default();
        if actions.len() > MAX_ACTIONS {
            problems.count("actions", MAX_ACTIONS, actions.len());
        }
        for (index, action) in actions.iter().enumerate() {
            problems.length(&format!("actions[{index}].label"), &action.label, MAX_LABEL);
            let field = format!("actions[{index}].description");
            problems.length(&field, &action.description, MAX_DESCRIPTION);
            let field = format!("actions[{index}].identifier");
            problems.length(&field, &action.identifier, MAX_IDENTIFIER);
        }
    }

    /// The status that the fields ask for together.
    fn status(&self, known: Status, now: Timestamp, problems: &mut Problems) -> Status {
        match (self.conclusion, self.status) {
            (Some(ConclusionWord::Stale(Stale::Stale)), _) => {
                problems.add("conclusion", "Only GitHub can set a conclusion of stale");
                known
            }
            (Some(ConclusionWord::Known(conclusion)), _) => Status::Completed {
                conclusion,
                at: self.completed_at.unwrap_or(now),
            },
            (None, Some(StatusWord::Completed)) => {
                problems.add(
                    "conclusion",
                    "conclusion is required when status is completed",
                );
                known
            }
            (None, _) if self.completed_at.is_some() => {
                problems.add(
                    "conclusion",
                    "conclusion is required when completed_at is given",
                );
                known
            }
            (None, Some(StatusWord::Queued)) => Status::Queued,
            (None, Some(StatusWord::InProgress)) => Status::InProgress,
            (None, None) => known,
        }
    }
}
