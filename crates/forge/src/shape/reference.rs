//! Refs of git, as GitHub's JSON has them.

use git2::ObjectType;
use serde_json::{Value, json};

use crate::git::refs::Reference;
use crate::shape::{Urls, node_id};

/// GitHub's `git-ref`.
pub(crate) fn full(urls: &Urls, repository: &str, reference: &Reference) -> Value {
    let Reference { name, target, kind } = reference;
    let git = format!("{}/repos/{repository}/git", urls.api());
    let (kind, folder) = match kind {
        ObjectType::Tag => ("tag", "tags"),
        ObjectType::Tree => ("tree", "trees"),
        ObjectType::Blob => ("blob", "blobs"),
        ObjectType::Commit | ObjectType::Any => ("commit", "commits"),
    };
    json!({
        "ref": name,
        "node_id": node_id("REF", format!("{repository}:{name}")),
        "url": format!("{git}/{name}"),
        "object": {
            "type": kind,
            "sha": target,
            "url": format!("{git}/{folder}/{target}"),
        },
    })
}
