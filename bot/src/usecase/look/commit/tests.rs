use api::id::{CommitSha, ServiceName, TreeSha};

use super::super::released::OfProfile;
use super::*;
use crate::db::tests::{Store, store};
use crate::domain::build::Target;
use crate::domain::build::example::{at, failure, id, main, profile, pull, success};
use crate::domain::build::{Effect, FailureKind, Overtaken, Progress};
use crate::domain::name::RepositoryId;
use crate::domain::plan::{Described, Unreadable};
use crate::domain::trust::Trust;

fn recipe(number: u8, name: &str, needs: &[&str]) -> Candidate {
    Candidate {
        id: id(number),
        folder: name.parse().unwrap(),
        tree: TreeSha::from_bytes([number; 20]),
        recipe: Ok(Described {
            name: name.parse().unwrap(),
            version: "1".to_owned(),
            release: 1,
            release_at: (format!("{name}/stone.yaml"), 3),
            name_line: 1,
            architectures: Vec::new(),
            architectures_line: 1,
            needs: needs.iter().map(|need| need.parse().unwrap()).collect(),
            hints: Vec::new(),
            provides: vec![name.parse().unwrap()],
            warnings: Vec::new(),
        }),
    }
}

fn frame(target: Target, head: u8) -> Frame {
    Frame {
        repository: RepositoryId::new(1),
        target,
        commit: CommitSha::from_bytes([head; 20]),
        source_date_epoch: 1,
        now: at(i64::from(head)),
        conflict: None,
        trust: Trust::Writer,
        profile: profile(),
        is_one_of_many: false,
        own_run: crate::domain::build::OwnRun::Always,
        is_draft: false,
    }
}

pub(in crate::usecase::look) fn changes(
    candidates: Vec<Candidate>,
    removed: BTreeSet<RecipeFolder>,
) -> Changes {
    let names = candidates.iter().map(|candidate| {
        let name = candidate.recipe.as_ref().ok();
        (
            candidate.folder.clone(),
            name.map(|recipe| recipe.name.clone()),
        )
    });
    Changes {
        names: Arc::new(names.collect()),
        candidates,
        removed,
        branch: Some("main".to_owned()),
    }
}

/// A channel that was empty when it was read.
pub(in crate::usecase::look) fn nothing(read_at: jiff::Timestamp) -> Released {
    let snapshot = Arc::default();
    Released([(profile(), OfProfile { snapshot, read_at })].into())
}

fn plan(store: &Store, frame: &Frame, candidates: Vec<Candidate>, removed: &[&str]) {
    let removed = removed
        .iter()
        .map(|folder| folder.parse().unwrap())
        .collect();
    let changes = changes(candidates, removed);
    store
        .write(|txn| commit_plan(&store.tables, txn, frame, changes, &nothing(frame.now)))
        .unwrap();
    store.check();
}

fn set(store: &Store, number: u8, state: State) {
    let mut build = store.find(id(number));
    build.attempts = 1;
    build.state = state;
    store.put(&[&build]);
}

fn builder() -> ServiceName {
    "avalanche-1".parse().unwrap()
}

fn building() -> State {
    State::Building {
        builder: builder(),
        progress: Progress::Ordered,
        since: at(0),
        silence: None,
    }
}

fn superseded(by: Option<u8>, head: u8) -> State {
    State::Superseded {
        by: by.map(id),
        at: at(i64::from(head)),
    }
}

/// A build neither waits for nor supersedes a build of another profile.
#[test]
fn profiles_are_planned_each_by_itself() {
    let store = store();
    let other = |head| Frame {
        profile: "x86_64_v3".parse().unwrap(),
        is_one_of_many: true,
        own_run: crate::domain::build::OwnRun::Always,
        is_draft: false,
        ..frame(main(), head)
    };
    let recipes = |first| {
        vec![
            recipe(first, "lib", &[]),
            recipe(first + 1, "app", &["lib"]),
        ]
    };
    plan(&store, &frame(main(), 1), recipes(1), &[]);
    let changes = changes(recipes(3), BTreeSet::new());
    let mut channels = nothing(at(1));
    let of_other = OfProfile {
        snapshot: Arc::default(),
        read_at: at(1),
    };
    channels.0.insert(other(1).profile, of_other);
    let planned = store.write(|txn| commit_plan(&store.tables, txn, &other(1), changes, &channels));
    planned.unwrap();
    assert_eq!(store.find(id(2)).after, [id(1)]);
    assert_eq!(store.find(id(4)).after, [id(3)]);
    let check = store.find(id(4)).plan.check.clone();
    assert_eq!(check.as_deref(), Some("build app (x86_64_v3)"));
    assert_eq!(store.find(id(2)).state, State::Planned);
    // A newer build of one profile.
    let changes = super::tests::changes(vec![recipe(5, "lib", &[])], BTreeSet::new());
    let newer = frame(main(), 2);
    let planned = store.write(|txn| commit_plan(&store.tables, txn, &newer, changes, &channels));
    planned.unwrap();
    assert_eq!(store.find(id(1)).state, superseded(Some(5), 2));
    assert_eq!(store.find(id(2)).after, [id(5)]);
    assert_eq!(store.find(id(3)).state, State::Planned);
    assert_eq!(store.find(id(4)).after, [id(3)]);
}

#[test]
fn a_newer_build_supersedes_the_older_one_of_its_folder() {
    let store = store();
    plan(
        &store,
        &frame(main(), 1),
        vec![
            recipe(1, "lib", &[]),
            recipe(2, "app", &["lib"]),
            recipe(3, "other", &[]),
        ],
        &[],
    );
    set(&store, 1, building());
    plan(&store, &frame(main(), 2), vec![recipe(4, "lib", &[])], &[]);
    assert_eq!(store.find(id(1)).state, superseded(Some(4), 2));
    assert_eq!(
        store.outbox(),
        [Effect::Cancel {
            builder: builder(),
            attempt: api::id::AttemptId::new(id(1), 1)
        }]
    );
    // The build that waited for the old one waits for the new one. The rest is unchanged.
    assert_eq!(store.find(id(2)).after, [id(4)]);
    assert_eq!(store.find(id(2)).state, State::Planned);
    assert_eq!(store.find(id(3)).state, State::Planned);
}

/// Clients may already see a build that is being published, so it is published to the end. A new
/// build of the same release has nothing to do. One of a higher release is published after it.
#[test]
fn a_build_that_is_being_published_goes_on() {
    let store = store();
    plan(&store, &frame(main(), 1), vec![recipe(1, "lib", &[])], &[]);
    let import = api::id::ImportId::from_bytes([1; 16]);
    let publishing = |overtaken| State::Publishing {
        import,
        built: success(),
        overtaken,
        standing: None,
    };
    set(&store, 1, publishing(None));
    plan(&store, &frame(main(), 2), vec![recipe(2, "lib", &[])], &[]);
    let mut raised = recipe(3, "lib", &[]);
    if let Ok(described) = &mut raised.recipe {
        described.release = 2;
    }
    assert_eq!(store.find(id(1)).state, publishing(None));
    plan(&store, &frame(main(), 3), vec![raised], &[]);
    let by = Some(id(3));
    let overtaken = publishing(Some(Overtaken { by }));
    assert_eq!(store.find(id(1)).state, overtaken);
    assert_eq!(
        store.find(id(2)).state,
        State::Cancelled {
            by: By::AlreadyPublished { release: 1 },
            at: at(2)
        }
    );
    assert_eq!(store.find(id(3)).state, State::Planned);
}

#[test]
fn dependents_of_a_failed_build_wait_for_its_successor() {
    let store = store();
    plan(
        &store,
        &frame(main(), 1),
        vec![recipe(1, "lib", &[]), recipe(2, "app", &["lib"])],
        &[],
    );
    set(
        &store,
        1,
        State::Failed(failure(FailureKind::Attempt, None)),
    );
    // A push of another recipe leaves the order unchanged.
    plan(
        &store,
        &frame(main(), 2),
        vec![recipe(3, "other", &[])],
        &[],
    );
    assert_eq!(store.find(id(2)).after, [id(1)]);
    plan(&store, &frame(main(), 3), vec![recipe(4, "lib", &[])], &[]);
    assert_eq!(store.find(id(2)).after, [id(4)]);
    // A failure is history and is not superseded.
    assert!(matches!(store.find(id(1)).state, State::Failed(_)));
}

#[test]
fn a_broken_recipe_holds_what_needs_it() {
    let store = store();
    plan(
        &store,
        &frame(main(), 1),
        vec![recipe(1, "lib", &[]), recipe(2, "app", &["lib"])],
        &[],
    );
    let mut broken = recipe(3, "lib", &[]);
    broken.recipe = Err(Unreadable {
        name: "lib".parse().unwrap(),
        message: "no".to_owned(),
        annotations: Vec::new(),
    });
    plan(&store, &frame(main(), 2), vec![broken], &[]);
    assert_eq!(store.find(id(2)).after, [id(3)]);
    assert_eq!(store.find(id(1)).state, superseded(Some(3), 2));
}

#[test]
fn a_recipe_that_is_gone_is_not_built() {
    let store = store();
    plan(
        &store,
        &frame(main(), 1),
        vec![recipe(1, "lib", &[]), recipe(2, "app", &["lib"])],
        &[],
    );
    plan(&store, &frame(main(), 2), vec![], &["lib"]);
    assert_eq!(store.find(id(1)).state, superseded(None, 2));
    assert_eq!(store.find(id(2)).after, []);
    assert_eq!(store.find(id(2)).state, State::Planned);
}

/// A push that closes a cycle with builds of an earlier push leaves no build waiting for ever.
#[test]
fn a_cycle_over_two_pushes_is_chained() {
    let store = store();
    plan(
        &store,
        &frame(main(), 1),
        vec![recipe(1, "lib", &[]), recipe(2, "tool", &["lib"])],
        &[],
    );
    plan(
        &store,
        &frame(main(), 2),
        vec![recipe(3, "lib", &["tool"])],
        &[],
    );
    let (tool, lib) = (store.find(id(2)), store.find(id(3)));
    assert_eq!(tool.cycle, [id(2), id(3)]);
    assert_eq!(lib.cycle, tool.cycle);
    assert_eq!((tool.after, lib.after), (vec![], vec![id(2)]));
}

#[test]
fn a_cycle_takes_a_member_that_is_pushed_again() {
    let store = store();
    let cycle = vec![recipe(1, "gcc", &["glibc"]), recipe(2, "glibc", &["gcc"])];
    plan(&store, &frame(main(), 1), cycle, &[]);
    set(&store, 1, State::Built(success()));
    set(
        &store,
        2,
        State::Failed(failure(FailureKind::Attempt, None)),
    );
    plan(
        &store,
        &frame(main(), 2),
        vec![recipe(3, "other", &[])],
        &[],
    );
    assert_eq!(store.find(id(1)).cycle, [id(1), id(2)]);
    plan(
        &store,
        &frame(main(), 3),
        vec![recipe(4, "glibc", &["gcc"])],
        &[],
    );
    assert_eq!(store.find(id(1)).cycle, [id(1), id(4)]);
    assert_eq!(store.find(id(4)).cycle, [id(1), id(4)]);
    assert_eq!(store.find(id(4)).after, [id(1)]);
}

#[test]
fn repositories_are_ordered_together_and_superseded_apart() {
    let store = store();
    plan(&store, &frame(main(), 1), vec![recipe(1, "lib", &[])], &[]);
    let elsewhere = Frame {
        repository: RepositoryId::new(2),
        ..frame(main(), 2)
    };
    plan(
        &store,
        &elsewhere,
        vec![recipe(2, "app", &["lib"]), recipe(3, "lib-more", &[])],
        &[],
    );
    assert_eq!(store.find(id(2)).after, [id(1)]);
    let same_folder = vec![recipe(4, "lib", &[])];
    plan(&store, &elsewhere, same_folder, &[]);
    assert_eq!(store.find(id(1)).state, State::Planned);
}

/// The builder keeps a pull request's assets until nobody needs them; they are released once. The
/// builds stay successful.
#[test]
fn assets_of_a_pull_request_are_released() {
    let store = store();
    plan(&store, &frame(pull(), 2), vec![recipe(1, "lib", &[])], &[]);
    set(&store, 1, State::Built(success()));
    assert_eq!(store.outbox(), []);
    for head in [3, 4] {
        plan(&store, &frame(pull(), head), vec![], &[]);
        let attempt = api::id::AttemptId::new(id(1), 1);
        assert_eq!(
            store.outbox(),
            [Effect::Release {
                builder: builder(),
                attempt
            }]
        );
    }
    let lib = store.find(id(1));
    assert!(lib.is_success() && !lib.keeps_assets());
    assert_eq!(store.active(), []);
}

/// A pull request is planned whole from its base. The builds of its older head end, and the branch
/// is untouched.
#[test]
fn a_pull_request_is_planned_whole() {
    let store = store();
    plan(&store, &frame(main(), 1), vec![recipe(1, "lib", &[])], &[]);
    plan(
        &store,
        &frame(pull(), 2),
        vec![recipe(2, "lib", &[]), recipe(3, "app", &["lib"])],
        &[],
    );
    assert_eq!(store.find(id(3)).after, [id(2)]);
    set(&store, 2, building());
    plan(
        &store,
        &frame(pull(), 3),
        vec![recipe(4, "app", &["lib"])],
        &[],
    );
    assert_eq!(store.find(id(2)).state, superseded(None, 3));
    assert_eq!(store.find(id(3)).state, superseded(Some(4), 3));
    assert_eq!(store.find(id(4)).after, []);
    assert_eq!(store.find(id(1)).state, State::Planned);
    assert_eq!(store.active().len(), 2);
}

/// A later look continues an interrupted plan and plans nothing twice.
#[test]
fn a_plan_that_was_cut_short_goes_on() {
    let store = store();
    let all = |first: u8| {
        vec![
            recipe(first, "lib", &[]),
            recipe(first + 1, "app", &["lib"]),
        ]
    };
    let mut candidates = all(1);
    let part = changes(vec![candidates.remove(0)], BTreeSet::new());
    let frame = frame(main(), 1);
    let commit = |changes| {
        store
            .write(|txn| commit_plan(&store.tables, txn, &frame, changes, &nothing(frame.now)))
            .unwrap();
    };
    commit(part);
    set(&store, 1, building());
    // A second look at the same head finds the same trees, and would use new ids.
    let mut again = all(3);
    again[0].tree = TreeSha::from_bytes([1; 20]);
    commit(changes(again, BTreeSet::new()));
    assert_eq!(store.find(id(1)).state, building());
    assert_eq!(store.find(id(4)).after, [id(1)]);
    assert_eq!(store.active().len(), 2);
}

/// vessel is away, and summit uses the old channel together with its own publications since.
#[test]
fn what_was_published_after_the_channel_was_read_is_not_built_again() {
    let planned = |read_at: i64| {
        let store = store();
        plan(&store, &frame(main(), 1), vec![recipe(1, "lib", &[])], &[]);
        let published = State::Published {
            history: "h-1".parse().unwrap(),
            at: at(1000),
        };
        set(&store, 1, published);
        let changes = changes(vec![recipe(2, "lib", &[])], BTreeSet::new());
        let mut frame = frame(main(), 2);
        frame.now = at(9000);
        store
            .write(|txn| commit_plan(&store.tables, txn, &frame, changes, &nothing(at(read_at))))
            .unwrap();
        store.find(id(2)).state
    };
    let again = State::Cancelled {
        by: By::AlreadyPublished { release: 1 },
        at: at(9000),
    };
    assert_eq!([planned(900), planned(1059)], [again.clone(), again]);
    // The channel was read later and had no package any more.
    assert_eq!(planned(1060), State::Planned);
}
