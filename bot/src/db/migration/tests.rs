use api::id::BuildId;
use moss_db::{Environment, Index, Indexed, Migration, Opener, Options, Schema, Table, Text};

use super::*;
use crate::db::{Tables, Write};
use crate::domain::build::example::{at, id, profile};
use crate::domain::build::{Build, Event, Stage};
use crate::domain::name::RepositoryId;
use crate::domain::under_way::UnderWay;

/// The tables of version 0 that these tests need, with the old rule of their index.
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

/// The tables of version 1 that these tests need.
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

/// A build as version 0 wrote it, for a pull request whose author may not write.
const HELD: &str = include_str!("held.json");

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
    let (env, tables) = Tables::open(folder.path(), &profile()).unwrap();
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

/// The tables of version 6 that these tests need.
struct BeforeTaken {
    deliveries: Table<String, Value>,
    bodies: Table<String, Value>,
    repositories: Table<u64, Value>,
    _others: [Table<u64, Value>; 2],
    _commands: Table<(u64, u64), Value>,
}

impl Schema for BeforeTaken {
    const NAME: &'static str = "summit";
    const MIGRATIONS: &'static [Migration] = &[(|_, _| Ok(())) as Migration; 6];

    fn declare(opener: &mut Opener) -> Self {
        Self {
            deliveries: opener.table("deliveries"),
            bodies: opener.table("bodies"),
            repositories: opener.table("repositories"),
            _others: ["deliveries_open", "arrivals"].map(|name| opener.table(name)),
            _commands: opener.table("commands"),
        }
    }
}

/// Nothing but its delivery tells of a comment or a pressed button.
#[test]
fn what_was_answered_and_not_stored_yet_is_stored() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    std::fs::create_dir(&path).unwrap();
    let with_source = |repository: u64, mut body: Value| {
        body["repository"] = json!({ "id": repository });
        body
    };
    let ada = json!({ "id": 3, "login": "ada", "type": "User" });
    let comment = |place: &Value, user: &Value| {
        let mut body = json!({
            "action": "created",
            "issue": { "number": 7, "pull_request": {} },
            "comment": { "id": 11, "body": "/rebuild", "user": user },
        });
        if let Some(commit) = place.as_str() {
            body["comment"]["id"] = 12.into();
            body["comment"]["commit_id"] = commit.into();
        }
        body
    };
    let commit = CommitSha::from_bytes([1; 20]).to_string();
    let bot = json!({ "id": 4, "login": "robot", "type": "Bot" });
    let rerun = json!({
        "action": "rerequested", "sender": ada, "check_run": { "external_id": id(2) },
    });
    let rerun_all = json!({
        "action": "rerequested", "sender": ada, "check_suite": { "head_sha": commit },
    });
    let foreign = comment(&Value::Null, &ada);
    let mut on_an_issue = comment(&Value::Null, &ada);
    on_an_issue["issue"] = json!({ "number": 8 });
    let mut of_a_bot = comment(&json!(commit), &bot);
    of_a_bot["comment"]["id"] = 13.into();
    let mut of_nobody = comment(&Value::Null, &Value::Null);
    of_nobody["comment"]["id"] = 14.into();
    let mut edited = comment(&Value::Null, &ada);
    edited["comment"]["id"] = 15.into();
    edited["action"] = "edited".into();
    let open = [
        (
            "a",
            "issue_comment",
            with_source(1, comment(&Value::Null, &ada)),
        ),
        (
            "b",
            "commit_comment",
            with_source(1, comment(&json!(commit), &ada)),
        ),
        ("c", "commit_comment", with_source(1, of_a_bot)),
        ("h", "issue_comment", with_source(1, on_an_issue)),
        ("i", "issue_comment", with_source(1, of_nobody)),
        ("j", "issue_comment", with_source(1, edited)),
        ("d", "issue_comment", with_source(2, foreign)),
        ("e", "check_run", with_source(1, rerun)),
        ("f", "check_suite", with_source(1, rerun_all)),
        (
            "g",
            "push",
            with_source(1, json!({ "ref": "refs/heads/main" })),
        ),
    ];
    {
        let (env, old) = Environment::open::<BeforeTaken>(&path, &Options::default()).unwrap();
        let wrote = env.write(|txn| {
            let repository = json!({
                "name": "snekbook/recipes", "default_branch": "main", "installation": 5,
                "clone_url": "https://github.example/snekbook/recipes.git",
            });
            old.repositories.put(txn, &1, &repository)?;
            for (guid, event, body) in &open {
                let row = json!({
                    "event": event, "arrival": 1, "received_at": at(5), "outcome": null,
                });
                old.deliveries.put(txn, &(*guid).to_owned(), &row)?;
                old.bodies.put(txn, &(*guid).to_owned(), body)?;
            }
            let bodiless = json!({
                "event": "issue_comment", "arrival": 9, "received_at": at(5), "outcome": null,
            });
            old.deliveries.put(txn, &"z".to_owned(), &bodiless)?;
            Ok::<_, Error>(())
        });
        wrote.unwrap();
    }
    let (env, tables) = Tables::open(folder.path(), &profile()).unwrap();
    assert_eq!(env.check().unwrap(), []);
    let taken = env.read(|txn| {
        let left = tables.bodies.iter(txn)?.keys();
        let left = left.collect::<Result<Vec<String>, Error>>()?;
        assert_eq!(
            left,
            ["c", "d", "h", "i"],
            "these asked for nothing that can be done"
        );
        let open = tables.commands.find_by(txn, &tables.commands_open, &0)?;
        let commands = open.map(|row| Ok(format!("{:?}", row?.1.place)));
        let presses = tables.presses.iter(txn)?;
        let presses = presses.map(|row| Ok(format!("{:?}", row?.1.button)));
        let taken = commands.chain(presses).collect::<Result<Vec<_>, Error>>()?;
        Ok::<_, Error>((
            taken,
            tables.deliveries.iter(txn)?.filter(Result::is_ok).count(),
        ))
    });
    let (taken, deliveries) = taken.unwrap();
    assert_eq!(deliveries, open.len() + 1);
    let build = id(2);
    assert_eq!(
        taken,
        [
            "Pull { number: 7 }".to_owned(),
            format!("Commit {{ commit: CommitSha({commit}) }}"),
            format!("Rerun {{ build: {build:?} }}"),
            format!("RerunAll {{ commit: CommitSha({commit}) }}"),
        ]
    );
}

/// The tables of version 7 that this test needs.
struct BeforeKinds {
    commands: Table<(u64, u64), Value>,
}

impl Schema for BeforeKinds {
    const NAME: &'static str = "summit";
    const MIGRATIONS: &'static [Migration] = &[(|_, _| Ok(())) as Migration; 7];

    fn declare(opener: &mut Opener) -> Self {
        Self {
            commands: opener.table("commands"),
        }
    }
}

/// Comments on commits and those on pull requests are numbered apart.
#[test]
fn commands_are_kept_by_the_kind_of_their_comment() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    std::fs::create_dir(&path).unwrap();
    let on_pull = command(&Value::Null, true);
    let mut on_commit = command(&Value::Null, false);
    on_commit["comment"] = 8.into();
    let commit = CommitSha::from_bytes([1; 20]);
    on_commit["place"] = json!({ "place": "commit", "commit": commit });
    {
        let (env, old) = Environment::open::<BeforeKinds>(&path, &Options::default()).unwrap();
        let wrote = env.write(|txn| {
            old.commands.put(txn, &(1, 7), &on_pull)?;
            old.commands.put(txn, &(1, 8), &on_commit)?;
            old.commands.put(txn, &(1, 9), &json!("broken"))
        });
        wrote.unwrap();
    }
    let (env, tables) = Tables::open(folder.path(), &profile()).unwrap();
    assert_eq!(env.check().unwrap(), []);
    let read = env.read(|txn| {
        let rows = tables.commands.iter(txn)?;
        let rows = rows.collect::<Result<Vec<_>, Error>>()?;
        assert!(rows.iter().all(|(key, row)| *key == row.key()), "{rows:?}");
        let open = tables.commands.find_by(txn, &tables.commands_open, &0)?;
        let open: Vec<_> = open.map(|row| row.unwrap().0).collect();
        Ok::<_, Error>((
            rows.into_iter().map(|(key, _)| key).collect::<Vec<_>>(),
            open,
        ))
    });
    let (keys, open) = read.unwrap();
    assert_eq!(keys, [(1, 1, 7), (1, 2, 8)]);
    assert_eq!(open, [(1, 2, 8)]);
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
    let (env, tables) = Tables::open(folder.path(), &profile()).unwrap();
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

/// A database of version 1 with published and failed builds, a pull request's build whose assets a
/// builder keeps, an unapproved build, and four builds that wait for a builder.
const AT_WORK: &[u8] = include_bytes!("../../../tests/data/version-1.mdb.zst");

#[test]
fn a_database_at_work_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    std::fs::create_dir(&path).unwrap();
    let bytes = zstd::decode_all(AT_WORK).unwrap();
    std::fs::write(path.join("data.mdb"), bytes).unwrap();
    let (env, tables) = Tables::open(folder.path(), &"aarch64".parse().unwrap()).unwrap();
    assert_eq!(env.check().unwrap(), []);
    let (builds, under_way) = env
        .read(|txn| {
            let (under_way, unreadable) = tables.builds_under_way(txn)?;
            assert!(unreadable.is_empty(), "{unreadable:?}");
            Ok::<_, Error>((tables.oldest_builds(txn, None, 99)?.0, under_way))
        })
        .unwrap();
    let told = builds.iter().map(|build| {
        let (recipe, target, state) = (&build.recipe, &build.target, build.state.name());
        assert_eq!(build.profile.as_str(), "aarch64");
        match build.trust.find_stranger() {
            Some(stranger) => format!("{recipe} for {target} by {}: {state}", stranger.author),
            None => format!("{recipe} for {target}: {state}"),
        }
    });
    let told: Vec<String> = told.collect();
    insta::assert_snapshot!(told.join("\n"));
    let under_way = UnderWay::new(under_way);
    let ready: Vec<BuildId> = under_way.ready(at(1 << 30)).map(|build| build.id).collect();
    assert_eq!(ready.len(), 2, "the others come after these");
    let dispatched = env.write(|txn| {
        let mut txn = Write::new(txn);
        let event = Event::Dispatched {
            builder: "avalanche".parse().unwrap(),
            build_release: 1,
        };
        tables.change(&mut txn, ready[0], event, at(1 << 30))
    });
    assert_eq!(dispatched.unwrap().state.stage(), Stage::Building);
    assert_eq!(env.check().unwrap(), []);
}
