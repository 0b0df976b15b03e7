//! GitHub's own OpenAPI description as the judge of both sides: of every request that a service
//! sent to the forge, of every answer that the forge gave, and of every webhook.
//!
//! They are judged more strictly than the description itself does. A query parameter or a field of
//! a request that it does not know is a fault, so that a misspelt name cannot pass as an optional
//! one that is absent; so is such a field of an answer or a webhook, so that summit cannot come to
//! read what only the forge says.

mod headers;
mod schema;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};
use forge::{Body, Event, Exchange};
use jsonschema::Validator;
use serde_json::{Value, json};
use testbed::skip;

/// Where the description lies, packed with zstd.
const VARIABLE: &str = "SNEKBOOK_GITHUB_API";

/// GitHub's description, ready to judge.
pub struct OpenApi {
    document: Value,
    validators: Mutex<HashMap<String, Validator>>,
}

/// Who sent a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// A service: all that it sends has to be as described.
    Service,
    /// A test that may ask for what there is not and send what is wrong, to see it refused.
    Test,
}

/// An operation that a request was matched with.
struct Operation<'document> {
    template: &'document str,
    path_item: &'document Value,
    operation: &'document Value,
}

impl OpenApi {
    /// The description that `SNEKBOOK_GITHUB_API` names, else the one in `shared` beside the
    /// checkout. None, and a line that says so, where there is neither.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn find() -> Result<Option<Self>> {
        skip::find_path(VARIABLE, "github/api.github.com.json.zst")
            .map(|path| Self::load(&path))
            .transpose()
    }

    /// Reads a description packed with zstd.
    ///
    /// # Errors
    /// When there is none.
    pub fn load(path: &Path) -> Result<Self> {
        let what = || format!("cannot read GitHub's description {}", path.display());
        let file = File::open(path).with_context(what)?;
        let bytes = zstd::decode_all(file).with_context(what)?;
        let mut document = serde_json::from_slice(&bytes).with_context(what)?;
        correct(&mut document).with_context(what)?;
        Ok(Self {
            document,
            validators: Mutex::default(),
        })
    }

    /// What is wrong with these requests and answers, one line each.
    pub fn judge_all(&self, sender: Sender, exchanges: &[Exchange]) -> Vec<String> {
        exchanges
            .iter()
            .flat_map(|exchange| self.judge(sender, exchange))
            .collect()
    }

    /// What is wrong with a request and its answer.
    pub fn judge(&self, sender: Sender, exchange: &Exchange) -> Vec<String> {
        let name = format!("{} {}", exchange.method, exchange.path);
        // What was refused may have been meant to be.
        let is_forgiven = match sender {
            Sender::Service => false,
            Sender::Test => exchange.status >= 400,
        };
        let mut problems = Vec::new();
        match self.operation(&exchange.method, &exchange.path) {
            Some(found) => {
                if !is_forgiven {
                    problems.extend(self.judge_query(&found, exchange));
                    problems.extend(self.judge_request(&found, exchange));
                }
                problems.extend(self.judge_response(&found, exchange));
            }
            // What GitHub does not have it answers with 404.
            None if is_forgiven && exchange.status == 404 => {}
            None => problems.push("GitHub has no such call".to_owned()),
        }
        if sender == Sender::Service {
            problems.extend(headers::judge(&exchange.headers));
        }
        problems
            .into_iter()
            .map(|problem| format!("{name} ({}): {problem}", exchange.status))
            .collect()
    }

    /// What is wrong with a webhook.
    pub fn judge_webhook(&self, event: &Event) -> Vec<String> {
        let event_name = event.event.replace('_', "-");
        let name = match &event.action {
            Some(action) => format!("{event_name}-{}", action.replace('_', "-")),
            None => event_name,
        };
        let pointer =
            format!("/x-webhooks/{name}/post/requestBody/content/application~1json/schema");
        if self.document.pointer(&pointer).is_none() {
            return vec![format!("GitHub has no webhook {name}")];
        }
        self.validate(&pointer, &event.payload())
            .into_iter()
            .map(|problem| format!("webhook {name}: {problem}"))
            .collect()
    }

    /// The operation of a path. A literal segment wins over a parameter; a ref or branch may
    /// have slashes.
    fn operation(&self, method: &str, path: &str) -> Option<Operation<'_>> {
        let method = method.to_ascii_lowercase();
        let paths = self.document.get("paths")?.as_object()?;
        let path = by_name(path);
        paths
            .iter()
            .filter_map(|(template, path_item)| {
                let operation = path_item.get(&method)?;
                let rank = rank(template, &path)?;
                let found = Operation {
                    template,
                    path_item,
                    operation,
                };
                Some((rank, found))
            })
            .max_by_key(|(rank, _)| *rank)
            .map(|(_, found)| found)
    }

    fn judge_query(&self, found: &Operation<'_>, exchange: &Exchange) -> Vec<String> {
        let known = self.query_parameters(found);
        let query = exchange.query.as_deref().unwrap_or_default();
        url::form_urlencoded::parse(query.as_bytes())
            .flat_map(|(name, value)| {
                let Some(schema) = known.get(name.as_ref()) else {
                    return vec![format!("the query's {name} is unknown")];
                };
                let value = read_parameter(schema, &value);
                let validator = schema::validator(&self.document, schema);
                errors(&validator, &value, &format!("query {name}"))
            })
            .collect()
    }

    fn query_parameters<'document>(
        &'document self,
        found: &Operation<'document>,
    ) -> HashMap<&'document str, &'document Value> {
        [found.path_item, found.operation]
            .into_iter()
            .filter_map(|owner| owner.get("parameters")?.as_array())
            .flatten()
            .map(|parameter| schema::resolve(&self.document, parameter))
            .filter(|parameter| parameter["in"] == "query")
            .filter_map(|parameter| Some((parameter["name"].as_str()?, &parameter["schema"])))
            .collect()
    }

    fn judge_request(&self, found: &Operation<'_>, exchange: &Exchange) -> Vec<String> {
        let pointer = format!(
            "{}/requestBody/content/application~1json/schema",
            pointer(found, exchange)
        );
        let described = self.document.pointer(&pointer).is_some();
        match &exchange.request {
            Body::Empty => {
                let required = &found.operation["requestBody"]["required"];
                if *required == true {
                    vec!["the request needs a body".to_owned()]
                } else {
                    Vec::new()
                }
            }
            Body::Other(_) => vec!["the request's body is no JSON".to_owned()],
            // Clients send an empty object where there is nothing to say.
            Body::Json(body) if !described => {
                if body.is_null() || *body == json!({}) {
                    Vec::new()
                } else {
                    vec!["the request takes no body".to_owned()]
                }
            }
            Body::Json(body) => self
                .validate(&pointer, body)
                .into_iter()
                .map(|problem| format!("request {problem}"))
                .collect(),
        }
    }

    fn judge_response(&self, found: &Operation<'_>, exchange: &Exchange) -> Vec<String> {
        let status = exchange.status;
        let declared = &found.operation["responses"][status.to_string()];
        if declared.is_null() {
            return self.judge_undeclared(exchange);
        }
        let response = schema::resolve(&self.document, declared);
        let content = &response["content"]["application/json"]["schema"];
        match (&exchange.response, content) {
            (Body::Empty, Value::Null) => Vec::new(),
            (Body::Empty, _) => vec!["the answer lacks its body".to_owned()],
            // Some errors are described without their body.
            (Body::Json(_), Value::Null) if status >= 400 => self.judge_undeclared(exchange),
            (_, Value::Null) => vec!["the answer may not have a body".to_owned()],
            (Body::Other(_), _) => vec!["the answer is no JSON".to_owned()],
            (Body::Json(body), content) => {
                let key = format!("{} {} {status}", exchange.method, found.template);
                self.validate_with(&key, content, body)
                    .into_iter()
                    .map(|problem| format!("answer {problem}"))
                    .collect()
            }
        }
    }

    /// An answer whose status the operation does not list: only a general one, with GitHub's
    /// general error, will do.
    fn judge_undeclared(&self, exchange: &Exchange) -> Vec<String> {
        const GENERAL: [u16; 14] = [
            301, 304, 307, 400, 401, 403, 404, 413, 422, 429, 500, 502, 503, 504,
        ];
        if !GENERAL.contains(&exchange.status) {
            return vec!["GitHub does not answer with this status here".to_owned()];
        }
        match &exchange.response {
            Body::Json(body) => {
                let schema = match exchange.status {
                    422 => "/components/schemas/validation-error",
                    _ => "/components/schemas/basic-error",
                };
                self.validate(schema, body)
            }
            Body::Empty if exchange.status == 304 => Vec::new(),
            Body::Empty | Body::Other(_) => vec!["the error is not in GitHub's shape".to_owned()],
        }
    }

    fn validate(&self, pointer: &str, body: &Value) -> Vec<String> {
        match self.document.pointer(pointer) {
            Some(schema) => self.validate_with(pointer, schema, body),
            None => vec![format!("GitHub's description has no {pointer}")],
        }
    }

    fn validate_with(&self, key: &str, schema: &Value, body: &Value) -> Vec<String> {
        let mut validators = self
            .validators
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let validator = validators
            .entry(key.to_owned())
            .or_insert_with(|| schema::validator(&self.document, schema));
        let mut problems = errors(validator, body, "");
        let unknown = schema::unknown_fields(&self.document, schema, body);
        problems.extend(
            unknown
                .into_iter()
                .map(|field| format!("{field}: there is no such field")),
        );
        problems
    }
}

/// Puts right where the description lacks what GitHub says: every error has its `status` in its
/// body, as the component `basic-error` says. `validation-error`, which answers 422, does not have
/// it, nor do the two errors that merging a pull request describes by itself.
fn correct(document: &mut Value) -> Result<()> {
    const MERGE: &str =
        "/paths/~1repos~1{owner}~1{repo}~1pulls~1{pull_number}~1merge/put/responses";
    let of_merge = |status| format!("{MERGE}/{status}/content/application~1json/schema/properties");
    for pointer in [
        "/components/schemas/validation-error/properties".to_owned(),
        of_merge(405),
        of_merge(409),
    ] {
        let fields = document
            .pointer_mut(&pointer)
            .and_then(Value::as_object_mut)
            .with_context(|| format!("an error has fields: {pointer}"))?;
        fields.insert("status".to_owned(), json!({ "type": "string" }));
    }
    // The description of the suites has it, and GitHub's pages say it of the runs.
    document
        .pointer_mut("/components/schemas/check-run/properties/conclusion/enum")
        .and_then(Value::as_array_mut)
        .context("a check run has conclusions")?
        .push(json!("stale"));
    // The other events of suites have it among those that an App is told of.
    document
        .pointer_mut(
            "/components/schemas/webhook-check-suite-rerequested/properties/check_suite\
             /properties/app/properties/events/items/enum",
        )
        .and_then(Value::as_array_mut)
        .context("an App is told of events")?
        .push(json!("merge_group"));
    Ok(())
}

fn errors(validator: &Validator, value: &Value, prefix: &str) -> Vec<String> {
    validator
        .iter_errors(value)
        .map(|error| {
            let mut text = error.to_string();
            // A whole record in a message helps nobody.
            if let Some((end, _)) = text.char_indices().nth(300) {
                text.truncate(end);
                text.push('…');
            }
            format!("{prefix}{}: {text}", error.instance_path())
        })
        .collect()
}

fn pointer(found: &Operation<'_>, exchange: &Exchange) -> String {
    let template = found.template.replace('~', "~0").replace('/', "~1");
    format!("/paths/{template}/{}", exchange.method.to_ascii_lowercase())
}

/// The path of a repository's name in the place of that of its id, which GitHub has and does not
/// describe.
fn by_name(path: &str) -> Cow<'_, str> {
    let Some(tail) = path.strip_prefix("/repositories/") else {
        return path.into();
    };
    let rest = tail.split_once('/').map(|(_, rest)| format!("/{rest}"));
    format!("/repos/owner/name{}", rest.unwrap_or_default()).into()
}

/// How well a template fits a path: the number of its literal segments. None where it does not.
fn rank(template: &str, path: &str) -> Option<usize> {
    let template: Vec<&str> = template.trim_matches('/').split('/').collect();
    let path: Vec<&str> = path.trim_matches('/').split('/').collect();
    fits(&template, &path)
}

fn fits(template: &[&str], path: &[&str]) -> Option<usize> {
    match (template, path) {
        ([], []) => Some(0),
        ([], _) | (_, []) => None,
        (["{ref}" | "{branch}", rest @ ..], _) => (1..=path.len())
            .filter_map(|taken| fits(rest, &path[taken..]))
            .max(),
        ([parameter, rest @ ..], [_, others @ ..]) if parameter.starts_with('{') => {
            fits(rest, others)
        }
        ([literal, rest @ ..], [segment, others @ ..]) => {
            if literal == segment {
                fits(rest, others).map(|rank| rank + 1)
            } else {
                None
            }
        }
    }
}

fn read_parameter(schema: &Value, text: &str) -> Value {
    match schema["type"].as_str() {
        Some("integer") => text
            .parse::<i64>()
            .map_or_else(|_| json!(text), |number| json!(number)),
        Some("boolean") => text
            .parse::<bool>()
            .map_or_else(|_| json!(text), |truth| json!(truth)),
        _ => json!(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_segment_wins_and_a_ref_takes_slashes() {
        let path = "/repos/o/r/commits/feature/x/check-runs";
        let tail = rank("/repos/{owner}/{repo}/commits/{ref}/check-runs", path);
        let plain = rank("/repos/{owner}/{repo}/commits/{ref}", path);
        assert!(tail > plain && plain.is_some());
        assert_eq!(rank("/repos/{owner}/{repo}", path), None);
        assert_eq!(rank("/user/{account_id}", "/user/5"), Some(1));
    }
}
