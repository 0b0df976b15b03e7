use api::id::{AttemptId, CommitSha};

use super::files::{File, gone, list, reduce};
use super::*;
use crate::db::CommentPlace;
use crate::db::tests::{Store, store};
use crate::domain::build::FailureKind;
use crate::domain::build::example::{at, build, failure, id, pull};
use crate::domain::name::{CommentId, RepositoryId, UserId};

const DAY: i64 = 24 * 3600;

fn long_ago() -> Keep {
    keep(Retention::default())
}

/// A build that has ended and whose check run shows it.
fn ended(number: u8, recipe: &str, state: State) -> Build {
    let mut build = build(number, recipe);
    build.state = state;
    build.attempts = 1;
    build.shown.seq = build.seq;
    build
}

fn failed() -> State {
    State::Failed(failure(FailureKind::Attempt, None))
}

fn published() -> State {
    State::Published {
        history: "2024-01-01-abc".parse().unwrap(),
        at: at(70),
    }
}

fn sweep_all(store: &Store, days: i64) -> (usize, usize) {
    let (mut cursor, mut sum) = (None, (0, 0));
    loop {
        let swept =
            store.write(|txn| sweep(&store.tables, txn, cursor, long_ago(), at(days * DAY + 100)));
        let swept = swept.unwrap();
        sum = (sum.0 + swept.dropped, sum.1 + swept.forgotten);
        cursor = swept.last;
        if cursor.is_none() {
            return sum;
        }
    }
}

fn exists(store: &Store, number: u8) -> bool {
    let found = store
        .env
        .read(|txn| store.tables.find_build(txn, id(number)));
    found.unwrap().is_some()
}

/// A branch keeps the newest build of a recipe and the newest published one.
#[test]
fn the_present_stays_and_the_past_goes() {
    let store = store();
    store.put(&[
        &ended(1, "nano", published()),
        &ended(2, "nano", published()),
        &ended(3, "nano", failed()),
        &ended(4, "nano", failed()),
        &ended(5, "vim", failed()),
    ]);
    assert_eq!(sweep_all(&store, 89), (0, 0));
    assert_eq!(sweep_all(&store, 91), (2, 0));
    assert_eq!(
        sweep_all(&store, 91),
        (0, 0),
        "a second sweep has nothing to do"
    );
    assert!(store.find(id(1)).logs_removed_at.is_some());
    assert!(store.find(id(2)).has_logs() && store.find(id(4)).has_logs());
    assert_eq!(sweep_all(&store, 366), (0, 2));
    let left: Vec<u8> = (1..=5).filter(|number| exists(&store, *number)).collect();
    assert_eq!(left, [2, 4, 5]);
    store.check();
}

#[test]
fn what_a_build_under_way_names_stays() {
    let store = store();
    let mut waits = build(9, "app");
    waits.after = vec![id(1)];
    store.put(&[
        &ended(1, "lib", failed()),
        &ended(2, "lib", failed()),
        &waits,
    ]);
    assert_eq!(sweep_all(&store, 9999), (0, 0));
    let mut ended = ended(9, "app", failed());
    ended.after = vec![id(1)];
    store.put(&[&ended]);
    assert_eq!(sweep_all(&store, 9999), (0, 1));
}

/// The builds of a pull request stay while it is open.
#[test]
fn a_closed_pull_request_is_forgotten_whole() {
    let store = store();
    let mut build = ended(1, "nano", failed());
    build.target = pull();
    store.put(&[&build]);
    let key = look_key(RepositoryId::new(1), &pull());
    let head = CommitSha::from_bytes([1; 20]);
    let open = |txn: &mut Write<'_, '_>| store.tables.planned.put(txn, &key, &head);
    store.write(open).unwrap();
    assert_eq!(sweep_all(&store, 9999), (0, 0));
    let close = |txn: &mut Write<'_, '_>| store.tables.planned.delete(txn, &key);
    store.write(close).unwrap();
    assert_eq!(sweep_all(&store, 9999), (0, 1));
}

/// There are more builds than one transaction visits.
#[test]
fn many_builds_are_swept_in_parts() {
    let store = store();
    for number in 0..600_u32 {
        let mut build = ended(1, "nano", failed());
        let mut bytes = [0; 16];
        bytes[12..].copy_from_slice(&number.to_be_bytes());
        build.id = BuildId::from_bytes(bytes);
        store.put(&[&build]);
    }
    assert_eq!(sweep_all(&store, 9999), (0, 599));
}

/// The oldest logs go first, whichever build they belong to, except those of builds under way.
#[test]
fn too_many_logs_go_from_the_oldest_on() {
    let store = store();
    store.put(&[
        &ended(1, "a", failed()),
        &build(2, "b"),
        &ended(3, "c", failed()),
        &ended(4, "d", failed()),
    ]);
    let sizes: Vec<_> = (1..=4).map(|number| (id(number), 10)).collect();
    let left = store.write(|txn| reduce(&store.tables, txn, &sizes, 15, at(9)));
    assert_eq!(left.unwrap(), 0);
    let kept: Vec<u8> = (1..=4)
        .filter(|number| store.find(id(*number)).logs_removed_at.is_none())
        .collect();
    assert_eq!(kept, [2, 4]);
    let all = (1..=5).map(|number| File {
        attempt: AttemptId::new(id(number), 1),
        bytes: 10,
    });
    let all: Vec<File> = all.collect();
    let gone = store.env.read(|txn| gone(&store.tables, txn, &all));
    let gone: Vec<_> = gone.unwrap().iter().map(|gone| gone.build()).collect();
    assert_eq!(gone, [id(1), id(3), id(5)], "what no build names goes too");
}

#[test]
fn only_logs_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    let attempt = AttemptId::new(id(1), 2);
    for name in [format!("{attempt}.log"), "notes.txt".to_owned()] {
        std::fs::write(folder.path().join(name), "four").unwrap();
    }
    assert_eq!(list(folder.path()).unwrap(), [File { attempt, bytes: 4 }]);
}

#[test]
fn commands_are_forgotten_once_answered_long_ago() {
    let store = store();
    let command = |comment: u64, answered, taken_at| Command {
        repository: RepositoryId::new(1),
        comment: CommentId::new(comment),
        author: UserId::new(3),
        login: "ada".to_owned(),
        text: "/rebuild".to_owned(),
        place: CommentPlace::Pull { number: 7 },
        receipt: None,
        progress: None,
        answered,
        taken_at,
        written_at: None,
        mark: None,
    };
    let rows = [
        command(1, true, Some(at(0))),
        command(2, false, Some(at(0))),
        command(3, true, None),
    ];
    let left = |day: i64| {
        let left = store.write(|txn| {
            forget_commands(&store.tables, txn, at(day * 24 * 3600))?;
            let keys = store.tables.commands.iter(txn)?;
            keys.map(|row| Ok(row?.0.2))
                .collect::<Result<Vec<u64>, StorageError>>()
        });
        left.unwrap()
    };
    let put = store.write(|txn| {
        for row in &rows {
            store.tables.commands.put(txn, &row.key(), row)?;
        }
        Ok::<_, StorageError>(())
    });
    put.unwrap();
    assert_eq!(left(29), [1, 2, 3]);
    assert_eq!(left(30), [2, 3], "one that is open stays");
    assert_eq!(left(58), [2, 3]);
    assert_eq!(left(59), [2], "the one without a time was seen on day 29");
}
