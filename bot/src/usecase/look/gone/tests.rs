use super::super::names::tests::{known, newest_of, push};
use super::*;
use crate::db::tests::Store;
use crate::domain::build::example::{at, failure, id, main, success};
use crate::domain::build::{Build, Effect, FailureKind, State};

fn go(store: &Store, repository: u64) {
    let (tables, id) = (&store.tables, RepositoryId::new(repository));
    let released = super::super::commit::tests::nothing(at(500));
    store
        .write(|txn| let_go(tables, txn, id, at(500), &released))
        .unwrap();
}

fn effects(store: &Store) -> Vec<Effect> {
    let rows = store.env.read(|txn| {
        let rows = store.tables.outbox.iter(txn)?;
        rows.map(|row| Ok(row?.1))
            .collect::<Result<_, moss_db::Error>>()
    });
    rows.unwrap()
}

fn cancelled() -> State {
    State::Cancelled {
        by: By::RepositoryGone,
        at: at(500),
    }
}

#[test]
fn nothing_is_done_for_a_repository_that_is_gone() {
    let store = known();
    push(1, &["lib: lib", "app: app", "old: old"], &[]).commit(&store);
    let other = push(11, &["foreign: foreign"], &[]).of(2);
    other.commit(&store);
    let mut built = store.find(id(2));
    built.attempts = 1;
    built.state = State::Built(success());
    let mut failed = store.find(id(3));
    failed.state = State::Failed(failure(FailureKind::Attempt, None));
    store.put(&[&built, &failed]);
    store.open(&built);
    let looked = |txn: &mut Write<'_, '_>| store.tables.wish(txn, built.repository, &main());
    store.write(looked).unwrap();

    go(&store, 1);
    assert_eq!(store.find(id(1)).state, cancelled());
    assert_eq!(store.find(id(2)).state, cancelled());
    assert_eq!(effects(&store).len(), 1, "its assets are let go");
    assert_eq!(store.find(id(3)), failed, "what ended stays what it is");
    assert_eq!(store.find(id(11)).state, State::Planned);
    let left = store.env.read(|txn| {
        let looks = store.tables.looks.iter(txn)?.count();
        let planned = store.tables.planned.iter(txn)?.count();
        Ok::<_, moss_db::Error>((looks, planned, store.tables.repositories.find(txn, &1)?))
    });
    let (looks, planned, row) = left.unwrap();
    assert_eq!((looks, planned), (0, 0));
    assert_eq!(row.unwrap().gone_at, Some(at(500)));
    // A second call changes nothing.
    go(&store, 1);
    assert_eq!(effects(&store).len(), 1);
}

/// A waiting recipe takes the freed name without a push of its own.
#[test]
fn the_names_of_a_repository_that_is_gone_are_free() {
    let store = known();
    push(1, &["n/nano: nano"], &[]).commit(&store);
    let newcomer = push(11, &["nano: nano"], &[]).of(2);
    let refused = newcomer.commit(&store);
    assert!(refused[0].contains("the name nano is taken"), "{refused:?}");
    go(&store, 1);
    let again: Build = newest_of(&store, 2, "nano");
    assert_eq!((again.state, again.id != id(11)), (State::Planned, true));
}
