//! Migrations of databases that older versions of summit wrote.

use api::id::{BuildId, CommitSha};
use moss_db::{Error, RwTxn, Text, Upgrade};
use serde::Deserialize as _;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::command::{CommandKey, CommentKind};
use crate::domain::build::NoRebuild;
use crate::domain::tail::{code, escape};

/// Version 0 had no claims, and had builds that wait for a person among the active ones. So all
/// branches are planned again from scratch: this claims the names of all recipes and builds what
/// the channel lacks. moss-db rebuilds the indexes.
pub(super) fn look_at_branches_anew(txn: &mut RwTxn<'_>, upgrade: &Upgrade) -> Result<(), Error> {
    let planned = upgrade.table::<(u64, String), CommitSha>("planned")?;
    let rows = planned.iter(txn)?.collect::<Result<Vec<_>, Error>>()?;
    for (key, _) in rows {
        if key.1.starts_with("refs/heads/") {
            planned.delete(txn, &key)?;
        }
    }
    Ok(())
}

/// Version 1 stored the outcome of a command and made the answer from it each time. Now the answer
/// itself is stored. Most commands are answered already and stay so.
pub(super) fn write_receipts_of_commands(
    txn: &mut RwTxn<'_>,
    upgrade: &Upgrade,
) -> Result<(), Error> {
    let commands = upgrade.table::<(u64, u64), Value>("commands")?;
    let rows = commands.iter(txn)?.collect::<Result<Vec<_>, Error>>()?;
    for (key, mut row) in rows {
        let outcome = row.as_object_mut().and_then(|row| row.remove("outcome"));
        if let Some(outcome) = outcome.filter(|outcome| !outcome.is_null()) {
            row["receipt"] = receipt_of(&outcome);
        }
        commands.put(txn, &key, &row)?;
    }
    Ok(())
}

/// Version 2 had fewer indexes of builds. moss-db builds the new ones.
pub(super) fn index_builds_anew(_: &mut RwTxn<'_>, _: &Upgrade) -> Result<(), Error> {
    Ok(())
}

/// Version 7 had no heads. A look at each target makes its row, without planning anything anew.
pub(super) fn look_at_heads(txn: &mut RwTxn<'_>, upgrade: &Upgrade) -> Result<(), Error> {
    let planned = upgrade.table::<(u64, String), CommitSha>("planned")?;
    let looks = upgrade.table::<(u64, String), Value>("looks")?;
    let keys = planned.iter(txn)?.keys();
    let keys = keys.collect::<Result<Vec<_>, Error>>()?;
    for key in keys {
        let pull = key.1.strip_prefix("refs/pull/");
        let pull = pull.and_then(|rest| rest.strip_suffix("/head")?.parse::<u64>().ok());
        let target = match (key.1.strip_prefix("refs/heads/"), pull) {
            (Some(name), _) => json!({ "target": "branch", "name": name }),
            (None, Some(number)) => json!({ "target": "pull", "number": number }),
            (None, None) => continue,
        };
        if looks.find(txn, &key)?.is_none() {
            let look = json!({ "repository": key.0, "target": target, "count": 1 });
            looks.put(txn, &key, &look)?;
        }
    }
    Ok(())
}

/// The fact that names the profile of a database from before profiles.
pub(super) const PROFILE: &str = "profile";

/// The fields of a build's row in version 3 that belong to its plan.
const PLANNED: [&str; 18] = [
    "repository",
    "target",
    "commit",
    "folder",
    "tree",
    "recipe",
    "check",
    "scope",
    "version",
    "release",
    "needs",
    "hints",
    "provides",
    "source_date_epoch",
    "created_at",
    "warnings",
    "unapproved",
    "asked_by",
];

/// Version 3 stored a build in one row, had only one profile, and stored `unapproved` instead of
/// `trust`. A row that is not JSON stays in the old table, so that an operator can inspect it.
pub(super) fn part_builds(txn: &mut RwTxn<'_>, upgrade: &Upgrade) -> Result<(), Error> {
    let profile = upgrade.fact(PROFILE).unwrap_or("x86_64").to_owned();
    upgrade
        .table::<String, ()>("profiles")?
        .put(txn, &profile, &())?;
    let builds = upgrade.table::<Text<BuildId>, Value>("builds")?;
    let plans = upgrade.table::<Text<BuildId>, Value>("plans")?;
    let standings = upgrade.table::<Text<BuildId>, Value>("standings")?;
    let shown = upgrade.table::<Text<BuildId>, Value>("shown")?;
    let unshown = upgrade.table::<Text<BuildId>, ()>("unshown")?;
    let ids = builds
        .iter(txn)?
        .keys()
        .collect::<Result<Vec<_>, Error>>()?;
    for id in ids {
        let mut row = match builds.find(txn, &id) {
            Ok(Some(Value::Object(row))) => row,
            Ok(_) => continue,
            Err(error) if error.is_of_a_row() => {
                tracing::error!(build.id = %id, %error, "a build cannot be read and was not migrated");
                continue;
            }
            Err(error) => return Err(error),
        };
        let mut plan: Map<String, Value> = PLANNED
            .iter()
            .filter_map(|field| Some(((*field).to_owned(), row.remove(*field)?)))
            .collect();
        let trust = match plan.remove("unapproved") {
            Some(Value::String(author)) => json!({ "trust": "none", "author": author }),
            _ => json!({ "trust": "writer" }),
        };
        plan.insert("trust".to_owned(), trust);
        plan.insert("profile".to_owned(), Value::String(profile.clone()));
        let run = row.remove("shown").unwrap_or_default();
        if run["seq"] != row["seq"] {
            unshown.put(txn, &id, &())?;
        }
        row.remove("id");
        let keys = ["repository", "target"].map(|field| Some((field, plan.get(field)?.clone())));
        let [Some(repository), Some(target)] = keys else {
            tracing::error!(build.id = %id, "a build without repository or target is left as it was");
            continue;
        };
        for (field, value) in [repository, target] {
            row.insert(field.to_owned(), value);
        }
        plans.put(txn, &id, &Value::Object(plan))?;
        standings.put(txn, &id, &Value::Object(row))?;
        shown.put(txn, &id, &run)?;
        builds.delete(txn, &id)?;
    }
    for index in ["builds_by_folder", "builds_unshown"] {
        upgrade.remove(txn, index)?;
    }
    match builds.is_empty(txn)? {
        true => upgrade.remove(txn, "builds"),
        false => Ok(()),
    }
}

/// Version 4 stored the body of a webhook as text in its row.
pub(super) fn part_deliveries(txn: &mut RwTxn<'_>, upgrade: &Upgrade) -> Result<(), Error> {
    let deliveries = upgrade.table::<String, Value>("deliveries")?;
    let bodies = upgrade.table::<String, Value>("bodies")?;
    let rows = deliveries.iter(txn)?.collect::<Result<Vec<_>, Error>>()?;
    for (guid, mut row) in rows {
        let body = row.as_object_mut().and_then(|row| row.remove("body"));
        if let Some(Value::String(text)) = body {
            // Version 4 accepted only bodies that are JSON.
            let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
            bodies.put(txn, &guid, &body)?;
        }
        deliveries.put(txn, &guid, &row)?;
    }
    Ok(())
}

/// Version 6 stored what a delivery asked for only after its answer. Comments and pressed buttons that
/// were answered and not stored yet are stored here. A sweep finds pushes and pull requests. The
/// body stays where something is missing.
pub(super) fn take_deliveries(txn: &mut RwTxn<'_>, upgrade: &Upgrade) -> Result<(), Error> {
    let deliveries = upgrade.table::<String, Value>("deliveries")?;
    let rows: Vec<_> = deliveries.iter(txn)?.collect();
    for row in rows {
        match row {
            Ok((guid, Value::Object(row))) if row.get("outcome").is_none_or(Value::is_null) => {
                take_delivery(txn, upgrade, &guid, row)?;
            }
            Ok(_) => {}
            Err(error) if error.is_of_a_row() => {
                tracing::error!(%error, "a delivery cannot be read and stays as it was");
            }
            Err(error) => return Err(error),
        }
    }
    for table in ["deliveries_open", "arrivals"] {
        upgrade.remove(txn, table)?;
    }
    Ok(())
}

fn take_delivery(
    txn: &mut RwTxn<'_>,
    upgrade: &Upgrade,
    guid: &String,
    mut row: Map<String, Value>,
) -> Result<(), Error> {
    let bodies = upgrade.table::<String, Value>("bodies")?;
    let repositories = upgrade.table::<u64, Value>("repositories")?;
    let commands = upgrade.table::<(u64, u64), Value>("commands")?;
    let presses = upgrade.table::<String, Value>("presses")?;
    let body = match bodies.find(txn, guid) {
        Err(error) if error.is_of_a_row() => None,
        body => body?,
    };
    let is_there = body.is_some();
    let body = body.unwrap_or_default();
    let event = row.get("event").and_then(Value::as_str).unwrap_or_default();
    let asks = matches!(
        (event, body["action"].as_str()),
        ("issue_comment" | "commit_comment", Some("created"))
            | ("check_run" | "check_suite", Some("rerequested"))
    );
    let is_known = match body["repository"]["id"].as_u64() {
        Some(repository) => repositories.contains(txn, &repository)?,
        None => false,
    };
    let taken_at = row.get("received_at").cloned().unwrap_or_default();
    let outcome = if is_there && !asks {
        bodies.delete(txn, guid)?;
        "an older version of summit stored it; a sweep finds what it is about"
    } else if let Some((key, command)) = command_of(event, &body, &taken_at).filter(|_| is_known) {
        if !commands.contains(txn, &key)? {
            commands.put(txn, &key, &command)?;
        }
        bodies.delete(txn, guid)?;
        "the command is taken"
    } else if let Some(press) = press_of(event, &body).filter(|_| is_known) {
        presses.put(txn, guid, &press)?;
        bodies.delete(txn, guid)?;
        "the button is taken"
    } else {
        tracing::warn!(
            delivery.id = guid,
            event,
            "a delivery of an older version asks for nothing"
        );
        "an older version of summit stored it, and it asks for nothing that can be done"
    };
    row.insert("outcome".to_owned(), outcome.into());
    let deliveries = upgrade.table::<String, Value>("deliveries")?;
    deliveries.put(txn, guid, &Value::Object(row))
}

/// The command of a comment in version 6, with its key.
fn command_of(event: &str, body: &Value, taken_at: &Value) -> Option<((u64, u64), Value)> {
    let comment = &body["comment"];
    let place = match event {
        "issue_comment" if body["issue"]["pull_request"].is_object() => {
            json!({ "place": "pull", "number": body["issue"]["number"].as_u64()? })
        }
        "commit_comment" => {
            let commit: CommitSha = comment["commit_id"].as_str()?.parse().ok()?;
            json!({ "place": "commit", "commit": commit })
        }
        _ => return None,
    };
    if comment["user"]["type"] == "Bot" {
        return None;
    }
    let key = (body["repository"]["id"].as_u64()?, comment["id"].as_u64()?);
    let command = json!({
        "repository": key.0,
        "comment": key.1,
        "author": comment["user"]["id"].as_u64()?,
        "login": comment["user"]["login"].as_str()?,
        "text": comment["body"].as_str()?,
        "place": place,
        "answered": false,
        "taken_at": taken_at,
        "mark": Uuid::new_v4(),
    });
    Some((key, command))
}

/// Version 7 told comments apart by their numbers alone, though GitHub numbers those on commits and
/// those on pull requests apart.
pub(super) fn key_commands_by_kind(txn: &mut RwTxn<'_>, upgrade: &Upgrade) -> Result<(), Error> {
    let old = upgrade.table::<(u64, u64), Value>("commands")?;
    let mut rows = Vec::new();
    let keys = old.iter(txn)?.keys().collect::<Result<Vec<_>, Error>>()?;
    for key in keys {
        let row = match old.find(txn, &key) {
            Err(error) if error.is_of_a_row() => None,
            row => row?,
        };
        let kind = match row.as_ref().and_then(|row| row["place"]["place"].as_str()) {
            Some("pull") => Some(CommentKind::Issue),
            Some("commit") => Some(CommentKind::Commit),
            Some(_) | None => None,
        };
        match row.zip(kind) {
            Some((row, kind)) => rows.push(((key.0, kind.number(), key.1), row)),
            None => {
                tracing::error!(
                    comment.id = key.1,
                    "a command cannot be read and is dropped"
                );
            }
        }
    }
    old.clear(txn)?;
    let commands = upgrade.table::<CommandKey, Value>("commands")?;
    for (key, row) in &rows {
        commands.put(txn, key, row)?;
    }
    Ok(())
}

/// The press of a button in version 6.
fn press_of(event: &str, body: &Value) -> Option<Value> {
    let button = match event {
        "check_run" => {
            let build = body["check_run"]["external_id"].as_str()?;
            json!({ "button": "rerun", "build": build.parse::<BuildId>().ok()? })
        }
        "check_suite" => {
            let commit: CommitSha = body["check_suite"]["head_sha"].as_str()?.parse().ok()?;
            json!({ "button": "rerun-all", "commit": commit })
        }
        _ => return None,
    };
    Some(json!({
        "repository": body["repository"]["id"].as_u64()?,
        "person": body["sender"]["id"].as_u64()?,
        "login": body["sender"]["login"].as_str()?,
        "button": button,
    }))
}

fn receipt_of(outcome: &Value) -> Value {
    let text = |key: &str| outcome[key].as_str().unwrap_or_default();
    let (reaction, text) = match text("outcome") {
        "rebuilding" => ("rocket", None),
        "refused" => {
            let role = code(text("role"));
            let text = format!(
                "Only people with write access to this repository can use `/rebuild`. Your role \
                 here is {role}."
            );
            ("thumbs-down", Some(text))
        }
        "unapproved" => {
            let author = escape(text("author"));
            let text = format!(
                "Nothing is built: {author} has no write access to this repository, so nothing of \
                 this pull request is run."
            );
            ("confused", Some(text))
        }
        "misunderstood" => ("confused", Some(escape(text("reason")))),
        _ => {
            let reasons = Vec::<NoRebuild>::deserialize(&outcome["reasons"]).unwrap_or_default();
            let reasons = reasons.iter().map(|reason| reason.explain());
            let said = std::iter::once("There is nothing to build again.").chain(reasons);
            ("confused", Some(said.collect::<Vec<_>>().join(" ")))
        }
    };
    json!({ "reaction": reaction, "text": text })
}

#[cfg(test)]
mod tests;
