use super::*;
use crate::db::tests::{Store, store};
use crate::domain::build::example::{at, build, id, pull, success};

const HEAD: [u8; 20] = [0xc0; 20];

fn look() -> Look {
    Look {
        repository: RepositoryId::new(1),
        target: pull(),
        count: 1,
        unreturned: 0,
        begun_at: None,
        failure: None,
        heads: Vec::new(),
    }
}

fn merge(conflict: Option<Conflict>) -> Merge {
    Merge {
        head: CommitSha::from_bytes(HEAD),
        branch: "main".to_owned(),
        tip: CommitSha::from_bytes([2; 20]),
        base: None,
        conflict,
    }
}

fn note(store: &Store, conflict: Option<Conflict>) {
    store
        .write(|txn| note_conflict(&store.tables, txn, &look(), &merge(conflict)))
        .unwrap();
}

/// A conflict is noted only on builds that the head's check runs show. Noting it again changes
/// nothing.
#[test]
fn a_conflict_is_noted_where_it_is_shown() {
    let store = store();
    let of_pull = |number, recipe, state: State| {
        let mut build = build(number, recipe);
        (build.target, build.state) = (pull(), state);
        build
    };
    let built = of_pull(1, "nano", State::Built(success()));
    let superseded = of_pull(
        2,
        "vim",
        State::Superseded {
            by: None,
            at: at(1),
        },
    );
    let branch = build(3, "nano");
    let mut older = of_pull(4, "nano", State::Planned);
    older.commit = CommitSha::from_bytes([1; 20]);
    store.put(&[&built, &superseded, &branch, &older]);
    let conflict = Conflict {
        branch: "main".to_owned(),
        paths: vec!["nano/stone.yaml".to_owned()],
        count: 1,
    };
    for _ in 0..2 {
        note(&store, Some(conflict.clone()));
        let noted = store.find(id(1));
        assert_eq!((noted.conflict, noted.seq), (Some(conflict.clone()), 2));
    }
    assert_eq!(store.find(id(2)), superseded);
    assert_eq!(store.find(id(3)), branch);
    assert_eq!(store.find(id(4)), older);
    note(&store, None);
    let noted = store.find(id(1));
    assert_eq!((noted.conflict, noted.seq), (None, 3));
}
