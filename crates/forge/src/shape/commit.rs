//! Commits, branches and refs.

use serde_json::{Value, json};

use crate::clock::text;
use crate::config;
use crate::git::commit::{Commit, File, FileStatus, Person};
use crate::git::diff::FileDiff;
use crate::name::Sha;
use crate::shape::{Urls, node_id};
use crate::state::rule::{Rule, Source};

/// GitHub's `commit`. The forge knows no e-mail addresses, so a commit's author and committer
/// are never accounts.
pub(crate) fn full(urls: &Urls, repository: &str, commit: &Commit, comments: usize) -> Value {
    let api = format!("{}/repos/{repository}", urls.api());
    let web = format!("{}/{repository}", urls.web());
    let additions: usize = commit.files.iter().map(|file| file.additions).sum();
    let deletions: usize = commit.files.iter().map(|file| file.deletions).sum();
    let mut shape = listed(urls, repository, commit, comments);
    shape["stats"] = json!({
        "additions": additions,
        "deletions": deletions,
        "total": additions + deletions,
    });
    shape["files"] = commit
        .files
        .iter()
        .map(|file| diff_entry(&api, &web, &commit.sha, file))
        .collect();
    shape
}

/// GitHub's `commit` as a list has it: without files.
pub(crate) fn listed(urls: &Urls, repository: &str, commit: &Commit, comments: usize) -> Value {
    let sha = &commit.sha;
    let api = format!("{}/repos/{repository}", urls.api());
    let web = format!("{}/{repository}", urls.web());
    let parents: Vec<_> = commit
        .parents
        .iter()
        .map(|parent| {
            json!({
                "sha": parent,
                "url": format!("{api}/commits/{parent}"),
                "html_url": format!("{web}/commit/{parent}"),
            })
        })
        .collect();
    json!({
        "sha": sha,
        "node_id": node_id("C", sha),
        "commit": {
            "author": person(&commit.author),
            "committer": person(&commit.committer),
            "message": commit.message,
            "tree": {
                "sha": commit.tree,
                "url": format!("{api}/git/trees/{}", commit.tree),
            },
            "url": format!("{api}/git/commits/{sha}"),
            "comment_count": comments,
            "verification": {
                "verified": false,
                "reason": "unsigned",
                "signature": null,
                "payload": null,
                "verified_at": null,
            },
        },
        "url": format!("{api}/commits/{sha}"),
        "html_url": format!("{web}/commit/{sha}"),
        "comments_url": format!("{api}/commits/{sha}/comments"),
        "author": null,
        "committer": null,
        "parents": parents,
    })
}

/// GitHub's `branch-with-protection`.
pub(crate) fn branch(
    urls: &Urls,
    app: &config::App,
    (repository, name): (&str, &str),
    rule: Option<&Rule>,
    commit: Value,
) -> Value {
    let api = format!("{}/repos/{repository}/branches/{name}", urls.api());
    json!({
        "name": name,
        "commit": commit,
        "_links": {
            "self": api,
            "html": format!("{}/{repository}/tree/{name}", urls.web()),
        },
        "protected": rule.is_some(),
        "protection": protection(app, rule),
        "protection_url": format!("{api}/protection"),
    })
}

/// GitHub's `branch-protection`.
fn protection(app: &config::App, rule: Option<&Rule>) -> Value {
    let required = rule.map(|rule| rule.checks.as_slice()).unwrap_or_default();
    let checks: Vec<_> = required
        .iter()
        .map(|check| {
            let app = match check.source {
                Source::Any => None,
                Source::App => Some(app.id),
            };
            json!({ "context": check.name, "app_id": app })
        })
        .collect();
    json!({
        "enabled": rule.is_some(),
        "required_status_checks": {
            "enforcement_level": if checks.is_empty() { "off" } else { "everyone" },
            "contexts": required.iter().map(|check| &check.name).collect::<Vec<_>>(),
            "checks": checks,
        },
    })
}

/// GitHub's `short-branch`.
pub(crate) fn short_branch(
    urls: &Urls,
    (repository, name): (&str, &str),
    rule: Option<&Rule>,
    tip: &Sha,
) -> Value {
    let api = format!("{}/repos/{repository}", urls.api());
    json!({
        "name": name,
        "commit": { "sha": tip, "url": format!("{api}/commits/{tip}") },
        "protected": rule.is_some(),
    })
}

/// A commit as a push event lists it.
pub(crate) fn pushed(urls: &Urls, repository: &str, commit: &Commit) -> Value {
    let names = |status: FileStatus| -> Vec<&str> {
        commit
            .files
            .iter()
            .filter(|file| file.status == status)
            .map(|file| file.path.as_str())
            .collect()
    };
    json!({
        "id": commit.sha,
        "tree_id": commit.tree,
        "distinct": true,
        "message": commit.message.trim_end(),
        "timestamp": text(commit.committer.at),
        "url": format!("{}/{repository}/commit/{}", urls.web(), commit.sha),
        "author": { "name": commit.author.name, "email": commit.author.email },
        "committer": { "name": commit.committer.name, "email": commit.committer.email },
        "added": names(FileStatus::Added),
        "removed": names(FileStatus::Removed),
        "modified": names(FileStatus::Modified),
    })
}

/// GitHub's `simple-commit`.
pub(crate) fn simple(commit: &Commit) -> Value {
    let name = |person: &Person| json!({ "name": person.name, "email": person.email });
    json!({
        "id": commit.sha,
        "tree_id": commit.tree,
        "message": commit.message.trim_end(),
        "timestamp": text(commit.committer.at),
        "author": name(&commit.author),
        "committer": name(&commit.committer),
    })
}

fn person(person: &Person) -> Value {
    json!({ "name": person.name, "email": person.email, "date": text(person.at) })
}

/// GitHub's `diff-entry` with its patch, of a file between a pull request's base and its head.
pub(crate) fn changed(urls: &Urls, repository: &str, head: &Sha, file: &FileDiff) -> Value {
    let api = format!("{}/repos/{repository}", urls.api());
    let web = format!("{}/{repository}", urls.web());
    let counted = File {
        path: file.path.clone(),
        blob: file.blob.clone(),
        status: file.status,
        additions: file.additions,
        deletions: file.deletions,
    };
    let mut entry = diff_entry(&api, &web, head, &counted);
    if let Some(patch) = file.patch() {
        entry["patch"] = json!(patch);
    }
    entry
}

fn diff_entry(api: &str, web: &str, head: &Sha, file: &File) -> Value {
    let path = percent_encoding::utf8_percent_encode(&file.path, PATH);
    json!({
        "sha": file.blob,
        "filename": file.path,
        "status": file.status.word(),
        "additions": file.additions,
        "deletions": file.deletions,
        "changes": file.additions + file.deletions,
        "blob_url": format!("{web}/blob/{head}/{path}"),
        "raw_url": format!("{web}/raw/{head}/{path}"),
        "contents_url": format!("{api}/contents/{path}?ref={head}"),
    })
}

/// What may not stand in a URL's path as it is.
pub(crate) const PATH: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');
