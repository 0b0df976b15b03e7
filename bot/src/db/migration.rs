//! How databases of older versions of summit become current.

use api::id::{BuildId, CommitSha};
use moss_db::{Error, RwTxn, Text, Upgrade};
use serde::Deserialize as _;
use serde_json::{Map, Value, json};

use crate::domain::build::NotAgain;
use crate::domain::tail::{code, escape};

/// Version 0 knew no claims on names, and kept builds that wait for a person among those under way.
/// Branches are looked at anew, which claims the names of all their recipes and builds what the
/// channel lacks; indexes follow by themselves.
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

/// Version 1 kept what a command came to, and made the answer of that each time; now the answer is
/// kept. Most commands have theirs already, and keep that it was given.
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

/// Version 2 had fewer indexes of builds; they follow by themselves.
pub(super) fn index_builds_anew(_: &mut RwTxn<'_>, _: &Upgrade) -> Result<(), Error> {
    Ok(())
}

/// What a database was for that knew only one profile.
pub(super) const PROFILE: &str = "profile";

/// What a row of a build had in version 3 that was planned.
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

/// Version 3 kept a build in one row, knew one profile, and noted only of strangers on whose word
/// their builds run. A row that is no JSON stays where it was, for an operator to look at.
pub(super) fn part_builds(txn: &mut RwTxn<'_>, upgrade: &Upgrade) -> Result<(), Error> {
    let profile = upgrade.fact(PROFILE).unwrap_or("x86_64").to_owned();
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
                tracing::error!(build.id = %id, %error, "a build is left as it was");
                continue;
            }
            Err(error) => return Err(error),
        };
        let mut plan: Map<String, Value> = PLANNED
            .iter()
            .filter_map(|field| Some(((*field).to_owned(), row.remove(*field)?)))
            .collect();
        if let Some(Value::String(author)) = plan.remove("unapproved") {
            plan.insert(
                "trust".to_owned(),
                json!({ "trust": "none", "author": author }),
            );
        }
        plan.insert("profile".to_owned(), Value::String(profile.clone()));
        let run = row.remove("shown").unwrap_or_default();
        if run["seq"] != row["seq"] {
            unshown.put(txn, &id, &())?;
        }
        row.remove("id");
        for field in ["repository", "target"] {
            row.insert(field.to_owned(), plan[field].clone());
        }
        plans.put(txn, &id, &Value::Object(plan))?;
        standings.put(txn, &id, &Value::Object(row))?;
        shown.put(txn, &id, &run)?;
        builds.delete(txn, &id)?;
    }
    Ok(())
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
            let reasons = Vec::<NotAgain>::deserialize(&outcome["reasons"]).unwrap_or_default();
            let reasons = reasons.iter().map(|reason| reason.explain());
            let said = std::iter::once("There is nothing to build again.").chain(reasons);
            ("confused", Some(said.collect::<Vec<_>>().join(" ")))
        }
    };
    json!({ "reaction": reaction, "text": text })
}

#[cfg(test)]
mod tests {
    use api::id::BuildId;
    use moss_db::{Environment, Index, Indexed, Migration, Opener, Options, Schema, Table, Text};

    use super::*;
    use crate::db::Tables;
    use crate::domain::build::Build;
    use crate::domain::build::example::id;
    use crate::domain::name::RepositoryId;

    /// The tables of version 0 that matter here, with the rule that their index had.
    struct Old {
        builds: Indexed<Text<BuildId>, Value>,
        active: Index<u8, Text<BuildId>>,
        planned: Table<(u64, String), CommitSha>,
    }

    impl Schema for Old {
        const NAME: &'static str = "summit";
        const MIGRATIONS: &'static [Migration] = &[];

        fn declare(opener: &mut Opener) -> Self {
            let mut builds = opener.indexed("builds");
            let active = builds.index("builds_active", |_, build: &Value| {
                let is_final = build["state"]["state"] == "failed";
                (!is_final).then_some(0).into_iter().collect()
            });
            Self {
                builds: builds.finish(),
                active,
                planned: opener.table("planned"),
            }
        }
    }

    /// The tables of version 1 that matter here.
    struct Newer {
        _builds: Table<Text<BuildId>, Value>,
        planned: Table<(u64, String), CommitSha>,
        commands: Table<(u64, u64), Value>,
    }

    impl Schema for Newer {
        const NAME: &'static str = "summit";
        const MIGRATIONS: &'static [Migration] = &[|_, _| Ok(())];

        fn declare(opener: &mut Opener) -> Self {
            Self {
                _builds: opener.table("builds"),
                planned: opener.table("planned"),
                commands: opener.table("commands"),
            }
        }
    }

    /// A build as version 0 wrote it, for a pull request of one who may not write.
    const HELD: &str = include_str!("migration/held.json");

    /// A command as version 1 wrote it.
    fn command(outcome: &Value, answered: bool) -> Value {
        json!({
            "repository": 1, "comment": 7, "author": 3, "login": "ada", "text": "/rebuild",
            "place": { "place": "pull", "number": 7 }, "outcome": outcome, "answered": answered,
        })
    }

    #[test]
    fn commands_keep_their_answers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        std::fs::create_dir(&path).unwrap();
        let outcomes = [
            (json!({ "outcome": "rebuilding", "builds": [] }), true),
            (
                json!({ "outcome": "nothing", "reasons": ["under-way"] }),
                false,
            ),
            (json!({ "outcome": "unapproved", "author": "eve" }), false),
            (json!({ "outcome": "refused", "role": "read" }), false),
            (json!({ "outcome": "misunderstood", "reason": "x" }), false),
            (Value::Null, false),
        ];
        {
            let (env, old) = Environment::open::<Newer>(&path, &Options::default()).unwrap();
            let wrote = env.write(|txn| {
                let branch = (1, "refs/heads/main".to_owned());
                old.planned
                    .put(txn, &branch, &CommitSha::from_bytes([1; 20]))?;
                for (number, (outcome, answered)) in (1..).zip(&outcomes) {
                    let row = command(outcome, *answered);
                    old.commands.put(txn, &(1, number), &row)?;
                }
                Ok::<_, Error>(())
            });
            wrote.unwrap();
        }
        let (env, tables) = Tables::open(folder.path(), &"x86_64".parse().unwrap()).unwrap();
        let (rows, open, planned) = env
            .read(|txn| {
                assert_eq!(tables.commands.check(txn)?, []);
                let rows = tables.commands.iter(txn)?.map(|row| Ok(row?.1));
                let rows = rows.collect::<Result<Vec<_>, Error>>()?;
                let open = tables.commands.find_by(txn, &tables.commands_open, &0)?;
                Ok::<_, Error>((rows, open.count(), tables.planned.iter(txn)?.count()))
            })
            .unwrap();
        assert_eq!((open, planned), (5, 1));
        let receipts: Vec<String> = rows
            .iter()
            .map(|row| match &row.receipt {
                Some(receipt) => {
                    let text = receipt.text.as_deref().unwrap_or_default();
                    format!("{}: {text}", receipt.reaction.name())
                }
                None => "none yet".to_owned(),
            })
            .collect();
        insta::assert_snapshot!(receipts.join("\n"), @r"
        rocket: 
        confused: There is nothing to build again. The build is under way.
        confused: Nothing is built: eve has no write access to this repository, so nothing of this pull request is run.
        -1: Only people with write access to this repository can use `/rebuild`. Your role here is `read`.
        confused: x
        none yet
        ");
    }

    #[test]
    fn a_database_of_version_0_becomes_current() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        std::fs::create_dir(&path).unwrap();
        let key = |name: &str| (1, name.to_owned());
        {
            let (env, old) = Environment::open::<Old>(&path, &Options::default()).unwrap();
            let held: Value = serde_json::from_str(HELD).unwrap();
            let wrote = env.write(|txn| {
                old.builds.put(txn, &id(1), &held)?;
                for name in ["refs/heads/main", "refs/pull/7/head"] {
                    let commit = CommitSha::from_bytes([1; 20]);
                    old.planned.put(txn, &key(name), &commit)?;
                }
                Ok::<_, Error>(old.builds.find_by(txn, &old.active, &0)?.count())
            });
            assert_eq!(wrote.unwrap(), 1);
        }
        let (env, tables) = Tables::open(folder.path(), &"x86_64".parse().unwrap()).unwrap();
        let found = env.read(|txn| {
            let (under_way, _) = tables.builds_under_way(txn)?;
            assert!(!under_way.iter().any(Build::is_active));
            let planned = tables.planned.iter(txn)?.keys();
            let planned = planned.collect::<Result<Vec<_>, Error>>()?;
            assert_eq!(planned, [key("refs/pull/7/head")]);
            tables.builds_set_aside(txn, RepositoryId::new(1))
        });
        let found = found.unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].id, id(1));
        assert!(found[0].waits_for_person());
    }
}
