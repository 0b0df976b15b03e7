use api::id::CommitSha;
use serde_json::{Value, json};

use super::*;
use crate::db::tests::{Store, store};
use crate::db::{CommentKind, look_key};
use crate::domain::build::example::{self, at, id, main, pull};
use crate::domain::name::UserId;

fn source(full_name: &str) -> Value {
    json!({
        "repository": {
            "id": 1,
            "full_name": full_name,
            "default_branch": "main",
            "clone_url": format!("https://github.example/{full_name}.git"),
        },
        "installation": { "id": 5 },
    })
}

fn with(mut body: Value, more: Value) -> Value {
    let (Value::Object(fields), Value::Object(more)) = (&mut body, more) else {
        panic!("both are objects");
    };
    fields.extend(more);
    body
}

/// The result of a delivery, in words.
fn deliver(store: &Store, event: &str, body: &Value) -> String {
    taken(store, event, body).outcome
}

fn taken(store: &Store, event: &str, body: &Value) -> Taken {
    match Payload::parse(event, body.to_string().as_bytes()) {
        Ok(payload) => store
            .write(|txn| heed(&store.tables, txn, payload, "Snekbook", "a-guid", at(0)))
            .unwrap(),
        Err(error) => format!("unreadable: {error}").into(),
    }
}

fn is_wished(store: &Store, target: &Target) -> bool {
    let key = look_key(RepositoryId::new(1), target);
    store
        .env
        .read(|txn| store.tables.looks.contains(txn, &key))
        .unwrap()
}

fn push(branch: &str) -> Value {
    json!({ "ref": format!("refs/heads/{branch}") })
}

fn comment(text: &str) -> Value {
    json!({
        "action": "created",
        "issue": { "number": 7, "pull_request": {} },
        "comment": { "id": 11, "body": text, "user": { "id": 3, "login": "ada" } },
    })
}

/// A push to a base branch can make a pull request conflict.
#[test]
fn a_push_to_the_base_of_a_pull_request_is_looked_at() {
    let store = store();
    let commit = api::id::CommitSha::from_bytes([1; 20]);
    let merge = crate::db::Merge {
        head: commit,
        branch: "stable".to_owned(),
        tip: commit,
        base: None,
        conflict: None,
    };
    store
        .write(|txn| store.tables.merges.put(txn, &(1, 7), &merge))
        .unwrap();
    let body = with(source("snekbook/recipes"), push("stable"));
    assert_eq!(
        deliver(&store, "push", &body),
        "looking at stable of snekbook/recipes"
    );
    let stable = Target::Branch {
        name: "stable".to_owned(),
    };
    assert!(is_wished(&store, &stable));
}

#[test]
fn a_push_to_the_default_branch_is_looked_at() {
    let store = store();
    let repository = source("snekbook/recipes");
    let other = with(repository.clone(), push("topic"));
    assert_eq!(
        deliver(&store, "push", &other),
        "the branch \"topic\" is not published, and no pull request goes to it"
    );
    assert!(!is_wished(&store, &main()));
    let default = with(repository, push("main"));
    assert_eq!(
        deliver(&store, "push", &default),
        "looking at main of snekbook/recipes"
    );
    assert!(is_wished(&store, &main()));
}

/// The branch of a merge queue is a group: its push, its `merge_group` and its end are looked at.
#[test]
fn a_merge_group_is_looked_at() {
    let name = "gh-readonly-queue/main/pr-7-c0ffee";
    let group = json!({
        "action": "checks_requested",
        "merge_group": { "head_ref": format!("refs/heads/{name}") },
    });
    let end =
        json!({ "ref": format!("refs/heads/{name}"), "deleted": true, "after": "0".repeat(40) });
    for (event, more) in [("push", push(name)), ("merge_group", group), ("push", end)] {
        let store = store();
        let body = with(source("snekbook/recipes"), more);
        let said = deliver(&store, event, &body);
        assert_eq!(said, format!("looking at {name} of snekbook/recipes"));
        let target = Target::Group {
            name: name.to_owned(),
        };
        assert!(is_wished(&store, &target));
    }
}

/// The times of heads come from webhooks, in whichever order these arrive.
#[test]
fn the_time_of_a_head_is_that_of_github() {
    let store = store();
    let [older, newer] = [1, 2].map(|byte| CommitSha::from_bytes([byte; 20]));
    let synchronize = |commit: CommitSha, at: i64| {
        json!({
            "action": "synchronize",
            "number": 7,
            "pull_request": { "head": { "sha": commit }, "updated_at": example::at(at) },
        })
    };
    for (commit, time) in [(newer, 5), (older, 3)] {
        let body = with(source("snekbook/recipes"), synchronize(commit, time));
        deliver(&store, "pull_request", &body);
    }
    // Other changes of a pull request say nothing of its head.
    let edited = json!({ "action": "edited", "number": 7 });
    deliver(
        &store,
        "pull_request",
        &with(source("snekbook/recipes"), edited),
    );
    let mut pushed = with(source("snekbook/recipes"), push("main"));
    pushed["repository"]["pushed_at"] = json!(at(8).as_second());
    pushed["after"] = json!(newer);
    deliver(&store, "push", &pushed);
    let since = |target: &Target, commit| {
        let repository = RepositoryId::new(1);
        let read = |txn: &RoTxn<'_>| store.tables.head_since(txn, repository, target, commit);
        store.env.read(read).unwrap()
    };
    assert_eq!(since(&pull(), newer), Some(at(5)));
    assert_eq!(since(&pull(), older), Some(at(3)));
    assert_eq!(since(&main(), newer), Some(at(8)));
    assert_eq!(since(&main(), older), None);
}

/// The check run of a head stands for all its builds.
#[test]
fn the_button_of_a_head_rebuilds_all_of_it() {
    let commit = CommitSha::from_bytes([1; 20]);
    for action in ["rerequested", "requested_action"] {
        let store = store();
        let run = json!({
            "action": action,
            "check_run": { "external_id": "head", "head_sha": commit },
            "requested_action": { "identifier": "rebuild" },
            "sender": { "id": 3, "login": "ada" },
        });
        deliver(&store, "check_run", &with(source("snekbook/recipes"), run));
        let read = |txn: &RoTxn<'_>| {
            let presses = store.tables.presses.iter(txn)?;
            presses
                .map(|row| Ok(row?.1.button))
                .collect::<Result<Vec<_>, Error>>()
        };
        let buttons = store.env.read(read).unwrap();
        assert_eq!(buttons, [Button::RerunAll { commit }]);
    }
}

/// Anyone can install a public App. GitHub signs webhooks of foreign repositories too.
#[test]
fn other_organisations_are_not_served() {
    let store = store();
    for (event, more) in [
        ("push", push("main")),
        ("pull_request", json!({ "action": "opened", "number": 7 })),
        ("issue_comment", comment("/rebuild")),
    ] {
        let body = with(source("mallory/recipes"), more);
        assert_eq!(
            deliver(&store, event, &body),
            "mallory/recipes is none of Snekbook's repositories"
        );
    }
    store
        .env
        .read(|txn| {
            assert!(store.tables.repositories.is_empty(txn)?);
            assert!(store.tables.looks.is_empty(txn)?);
            assert!(store.tables.commands.is_empty(txn)?);
            Ok::<_, Error>(())
        })
        .unwrap();
}

#[test]
fn a_command_is_taken_once() {
    let store = store();
    let repository = source("snekbook/recipes");
    let idle = with(repository.clone(), comment("looks good"));
    assert_eq!(
        deliver(&store, "issue_comment", &idle),
        "the comment holds no command"
    );
    let body = with(repository, comment("/rebuild"));
    assert_eq!(
        deliver(&store, "issue_comment", &body),
        "the command is taken"
    );
    assert_eq!(
        deliver(&store, "issue_comment", &body),
        "the command is known"
    );
    let open: Vec<Command> = store
        .env
        .read(|txn| {
            let rows = store
                .tables
                .commands
                .find_by(txn, &store.tables.commands_open, &0)?;
            rows.map(|row| Ok(row?.1)).collect::<Result<_, Error>>()
        })
        .unwrap();
    assert_eq!(open.len(), 1);
    assert_eq!(open[0].place, CommentPlace::Pull { number: 7 });
}

/// GitHub numbers them apart.
#[test]
fn comments_of_two_kinds_with_one_number_are_two_commands() {
    let store = store();
    let repository = source("snekbook/recipes");
    let on_pull = with(repository.clone(), comment("/rebuild"));
    let mut on_commit = on_pull.clone();
    on_commit["comment"]["commit_id"] = json!("1".repeat(40));
    for (event, body) in [("issue_comment", &on_pull), ("commit_comment", &on_commit)] {
        assert_eq!(deliver(&store, event, body), "the command is taken");
        assert_eq!(deliver(&store, event, body), "the command is known");
    }
    let open = store.env.read(|txn| {
        let rows = store
            .tables
            .commands
            .find_by(txn, &store.tables.commands_open, &0)?;
        rows.map(|row| Ok(row?.1.place.kind()))
            .collect::<Result<Vec<_>, Error>>()
    });
    assert_eq!(open.unwrap(), [CommentKind::Issue, CommentKind::Commit]);
}

/// The person is stored with the press, because the role is read later.
#[test]
fn a_button_is_taken_with_who_pressed_it() {
    let store = store();
    let run = json!({
        "action": "rerequested",
        "check_run": { "external_id": id(2), "head_sha": "c0".repeat(20) },
    });
    let body = with(source("snekbook/recipes"), run);
    assert_eq!(
        deliver(&store, "check_run", &body),
        "nobody pressed the button"
    );
    let body = with(body, json!({ "sender": { "id": 3, "login": "ada" } }));
    for _ in 0..2 {
        assert_eq!(deliver(&store, "check_run", &body), "the button is taken");
    }
    let presses: Vec<(String, Press)> = store
        .env
        .read(|txn| {
            store
                .tables
                .presses
                .iter(txn)?
                .collect::<Result<_, Error>>()
        })
        .unwrap();
    let [(guid, press)] = presses.as_slice() else {
        panic!("one press: {presses:?}");
    };
    assert_eq!(guid, "a-guid");
    assert_eq!(
        (press.person, press.login.as_str()),
        (UserId::new(3), "ada")
    );
    assert_eq!(press.button, Button::Rerun { build: id(2) });
}

#[test]
fn a_pull_request_is_looked_at_whatever_happened_to_it() {
    for action in ["opened", "synchronize", "reopened", "closed", "edited"] {
        let store = store();
        let more = json!({ "action": action, "number": 7 });
        let body = with(source("snekbook/recipes"), more);
        deliver(&store, "pull_request", &body);
        assert!(is_wished(&store, &pull()), "{action}");
    }
}

#[test]
fn an_odd_body_is_an_outcome() {
    let store = store();
    for body in [
        json!([]),
        json!({}),
        with(source("not a name"), push("main")),
    ] {
        let outcome = deliver(&store, "push", &body);
        assert!(outcome.starts_with("unreadable: "), "{outcome}");
    }
    let mut uninstalled = with(source("snekbook/recipes"), push("main"));
    uninstalled["installation"] = Value::Null;
    assert_eq!(
        deliver(&store, "push", &uninstalled),
        "it names no installation"
    );
}

/// Webhooks come late and more than once. One that contradicts the row only makes summit ask
/// GitHub.
#[test]
fn a_webhook_does_not_change_a_repository_that_is_known() {
    let store = store();
    let row = || {
        let found = store
            .env
            .read(|txn| store.tables.repositories.find(txn, &1));
        found.unwrap().unwrap()
    };
    let said = source("snekbook/recipes");
    let first = || taken(&store, "push", &with(said.clone(), push("main")));
    assert!(first().asks_for_sweep, "GitHub is asked whether it is so");
    assert!(!first().asks_for_sweep);
    let known = row();
    assert_eq!(known.default_branch, "main");

    let mut old = with(said.clone(), push("master"));
    old["repository"]["default_branch"] = json!("master");
    let old = taken(&store, "push", &old);
    assert!(old.asks_for_sweep, "{}", old.outcome);
    assert!(old.outcome.contains("is not published"), "{}", old.outcome);
    assert_eq!(row(), known);

    let gone = Repository {
        gone_at: Some(at(9)),
        ..known
    };
    store
        .write(|txn| store.tables.repositories.put(txn, &1, &gone))
        .unwrap();
    assert!(taken(&store, "push", &with(said, push("main"))).asks_for_sweep);
    assert_eq!(row(), gone);
}
