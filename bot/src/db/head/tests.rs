use super::*;
use crate::db::tests::{Store, store};
use crate::domain::build::example::{at, build, main, pull};

fn commit(byte: u8) -> CommitSha {
    CommitSha::from_bytes([byte; 20])
}

fn id(byte: u8) -> HeadId {
    HeadId {
        repository: RepositoryId::new(1),
        commit: commit(byte),
    }
}

fn put(store: &Store, byte: u8, target: Target) {
    let of = HeadTarget {
        target,
        since: Some(at(byte.into())),
        is_planned: true,
    };
    let put = store.write(|txn| store.tables.put_head(txn, id(byte), of, at(0)));
    put.unwrap();
}

fn find(store: &Store, byte: u8) -> Option<(Head, u64)> {
    let found = store.env.read(|txn| store.tables.find_head(txn, id(byte)));
    found.unwrap()
}

fn open(store: &Store) -> Vec<HeadId> {
    store.env.read(|txn| store.tables.open_heads(txn)).unwrap()
}

/// Writes what GitHub shows, after `changes`.
fn show(store: &Store, byte: u8, changes: Option<u64>) {
    let shown = Shown {
        seq: changes.unwrap_or_default(),
        concluded: true,
        ..Shown::default()
    };
    let settled = changes.map(|changes| Settled {
        changes,
        is_over: true,
    });
    let put = |txn: &mut Write<'_, '_>| store.tables.put_shown_head(txn, id(byte), shown, settled);
    store.write(put).unwrap();
}

#[test]
fn a_target_has_one_head_and_a_head_can_have_several_targets() {
    let store = store();
    put(&store, 1, main());
    put(&store, 1, pull());
    assert_eq!(find(&store, 1).unwrap().0.targets.len(), 2);
    put(&store, 2, main());
    let (old, _) = find(&store, 1).unwrap();
    let targets: Vec<&Target> = old.targets.iter().map(|of| &of.target).collect();
    assert_eq!(targets, [&pull()]);
    let head_of = |target: &Target| {
        let found = store.env.read(|txn| {
            let repository = RepositoryId::new(1);
            store.tables.head_of(txn, repository, target)
        });
        found.unwrap().map(|(id, _)| id)
    };
    assert_eq!(head_of(&main()), Some(id(2)));
    assert_eq!(head_of(&pull()), Some(id(1)));
    // The old head has nothing to show any more once its pull request is closed too.
    let drop = |txn: &mut Write<'_, '_>| store.tables.drop_head(txn, RepositoryId::new(1), &pull());
    store.write(drop).unwrap();
    let (_, changes) = find(&store, 1).unwrap();
    show(&store, 1, Some(changes));
    assert_eq!(find(&store, 1), None);
    assert_eq!(open(&store), [id(2)]);
}

/// A crash after this transaction must find the head open.
#[test]
fn a_change_of_a_build_opens_its_head_and_a_write_of_its_check_run_does_not() {
    let store = store();
    let mut nano = build(1, "nano");
    put(&store, 0xc0, main());
    store.put(&[&nano]);
    let (_, changes) = find(&store, 0xc0).unwrap();
    show(&store, 0xc0, Some(changes));
    assert_eq!(open(&store), []);
    nano.shown.seq = nano.seq;
    store
        .write(|txn| store.tables.put_shown(txn, &nano))
        .unwrap();
    assert_eq!(open(&store), []);
    nano.seq += 1;
    store.put(&[&nano]);
    assert_eq!(open(&store), [id(0xc0)]);
}

#[test]
fn what_changed_during_a_write_is_written_again() {
    let store = store();
    put(&store, 1, main());
    let (_, before) = find(&store, 1).unwrap();
    put(&store, 1, pull());
    show(&store, 1, Some(before));
    assert_eq!(open(&store), [id(1)]);
    let (head, changes) = find(&store, 1).unwrap();
    assert!(head.shown.concluded);
    show(&store, 1, None);
    assert_eq!(open(&store), [id(1)]);
    show(&store, 1, Some(changes));
    assert_eq!(open(&store), []);
}

/// Otherwise a change after the conclusion would seem to be shown.
#[test]
fn no_later_state_of_a_head_has_the_number_of_an_earlier_one() {
    let store = store();
    put(&store, 1, main());
    let (_, before) = find(&store, 1).unwrap();
    show(&store, 1, Some(before));
    assert_eq!(open(&store), []);
    put(&store, 1, pull());
    let (head, after) = find(&store, 1).unwrap();
    assert_eq!((head.shown.seq, after), (before, before + 1));
}

#[test]
fn the_time_of_a_head_stays_when_it_is_planned_again() {
    let store = store();
    put(&store, 1, pull());
    let of = HeadTarget {
        target: pull(),
        since: Some(at(99)),
        is_planned: true,
    };
    let again = |txn: &mut Write<'_, '_>| store.tables.put_head(txn, id(1), of, at(9));
    store.write(again).unwrap();
    let since = store.env.read(|txn| {
        let repository = RepositoryId::new(1);
        store.tables.head_since(txn, repository, &pull(), commit(1))
    });
    assert_eq!(since.unwrap(), Some(at(1)));
}

#[test]
fn a_renamed_branch_keeps_its_head() {
    let store = store();
    put(&store, 1, main());
    let trunk = Target::of_branch("trunk");
    let renamed = store.write(|txn| {
        let repository = RepositoryId::new(1);
        store
            .tables
            .rename_heads(txn, repository, &main(), &trunk, at(5))
    });
    renamed.unwrap();
    let (head, _) = find(&store, 1).unwrap();
    assert_eq!(head.targets.len(), 1);
    assert_eq!(head.find(&trunk).unwrap().since, Some(at(1)));
}
