//! GitHub's JSON, built from the state. The fields and their types come from GitHub's OpenAPI
//! description, against which the suite checks every answer and payload.

pub(crate) mod account;
pub(crate) mod app;
pub(crate) mod check_run;
pub(crate) mod comment;
pub(crate) mod commit;
pub(crate) mod delivery;
pub(crate) mod pull;
pub(crate) mod reference;
pub(crate) mod repository;
pub(crate) mod review;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

/// A JSON object.
pub(crate) type Object = Map<String, Value>;

/// Where the forge is reached.
#[derive(Debug, Clone)]
pub(crate) struct Urls {
    web: String,
}

impl Urls {
    /// From the address without a slash at its end.
    pub(crate) fn new(web: &url::Url) -> Self {
        Self {
            web: web.as_str().trim_end_matches('/').to_owned(),
        }
    }

    /// For people and git: `http://host`.
    pub(crate) fn web(&self) -> &str {
        &self.web
    }

    /// `http` or `https`.
    pub(crate) fn scheme(&self) -> &str {
        self.web
            .split_once("://")
            .map_or("http", |(scheme, _)| scheme)
    }

    /// The host with its port, where that is not the scheme's own.
    pub(crate) fn host(&self) -> &str {
        let host = self.web.split_once("://").map_or("", |(_, host)| host);
        host.split('/').next().unwrap_or_default()
    }

    /// For programs: `http://host/api/v3`.
    pub(crate) fn api(&self) -> String {
        format!("{}{}", self.web, crate::rest::BASE)
    }
}

/// An opaque id of GraphQL's, as GitHub puts into every record.
pub(crate) fn node_id(kind: &str, id: impl std::fmt::Display) -> String {
    format!("{kind}_{}", URL_SAFE_NO_PAD.encode(id.to_string()))
}

/// Takes the object out of a `json!({…})`.
pub(crate) fn object(value: Value) -> Object {
    match value {
        Value::Object(object) => object,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Object::new()
        }
    }
}
