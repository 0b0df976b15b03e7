use std::collections::HashSet;

use api::id::{CommitSha, RecipeFolder, TreeSha};
use moss_format::Provider;

use super::*;
use crate::domain::build::By;
use crate::domain::build::example::{at, build, id, main, profile, pull, stranger};
use crate::domain::build::{Annotation, Conflict, Failure, FailureKind};
use crate::domain::name::RepositoryId;
use crate::domain::trust::Trust;

fn frame() -> Frame {
    Frame {
        repository: RepositoryId::new(1),
        target: main(),
        commit: CommitSha::from_bytes([1; 20]),
        source_date_epoch: 1_600_000_000,
        now: at(0),
        conflict: None,
        trust: Trust::Writer,
        profile: profile(),
        is_one_of_many: false,
        own_run: crate::domain::build::OwnRun::Always,
        is_draft: false,
    }
}

fn recipe(number: u8, name: &str, needs: &[&str], provides: &[&str]) -> Candidate {
    let mut provided: Vec<Provider> = provides.iter().map(|p| p.parse().unwrap()).collect();
    provided.push(name.parse().unwrap());
    Candidate {
        id: id(number),
        folder: format!("recipes/{name}").parse().unwrap(),
        tree: TreeSha::from_bytes([number; 20]),
        recipe: Ok(Described {
            name: name.parse().unwrap(),
            version: "1.0".to_owned(),
            release: 2,
            release_at: (format!("recipes/{name}/stone.yaml"), 5),
            name_line: 1,
            architectures: Vec::new(),
            architectures_line: 1,
            needs: needs.iter().map(|need| need.parse().unwrap()).collect(),
            hints: Vec::new(),
            provides: provided,
            warnings: Vec::new(),
        }),
    }
}

fn unreadable(number: u8, name: &str) -> Candidate {
    let mut candidate = recipe(number, name, &[], &[]);
    candidate.recipe = Err(Unreadable {
        name: name.parse().unwrap(),
        message: "line 3: a value is missing".to_owned(),
        annotations: vec![Annotation {
            path: format!("recipes/{name}/stone.yaml"),
            line: 3,
            is_error: true,
            title: "missing-value".to_owned(),
            message: "a value is missing".to_owned(),
        }],
    });
    candidate
}

fn plan_alone(candidates: Vec<Candidate>) -> HashMap<String, Build> {
    plan_among(candidates, &Others::default())
}

fn plan_among(candidates: Vec<Candidate>, others: &Others) -> HashMap<String, Build> {
    by_name(plan(candidates, &frame(), others, &HashMap::new()))
}

fn by_name(builds: Vec<Build>) -> HashMap<String, Build> {
    let count = builds.len();
    let map: HashMap<_, _> = builds
        .into_iter()
        .map(|b| (b.recipe.to_string(), b))
        .collect();
    assert_eq!(map.len(), count);
    map
}

fn ids(numbers: &[u8]) -> Vec<BuildId> {
    numbers.iter().copied().map(id).collect()
}

/// Fails when builds wait for each other, so that none of them can ever start. Builds that are
/// built wait for nothing.
fn assert_all_can_begin<'a>(builds: impl IntoIterator<Item = &'a Build>) {
    let builds: Vec<&Build> = builds.into_iter().collect();
    let known: HashSet<BuildId> = builds.iter().map(|build| build.id).collect();
    let is_ended = |build: &Build| build.state.is_final() || !is_unbegun(build);
    let mut done: HashSet<BuildId> = builds
        .iter()
        .filter(|build| is_ended(build))
        .map(|build| build.id)
        .collect();
    while let Some(next) = builds.iter().find(|build| {
        let mut open = build
            .after
            .iter()
            .filter(|on| known.contains(on) && !done.contains(on));
        !done.contains(&build.id) && open.next().is_none()
    }) {
        done.insert(next.id);
    }
    assert_eq!(done, known, "some builds wait for each other");
}

fn is_unbegun(build: &Build) -> bool {
    matches!(
        build.state,
        State::Planned | State::Waiting { .. } | State::Held { .. }
    )
}

#[test]
fn builds_come_after_what_provides_their_needs() {
    let builds = plan_alone(vec![
        recipe(
            1,
            "app",
            &["pkgconfig(lib)", "tool", "binary(elsewhere)"],
            &[],
        ),
        recipe(2, "lib", &["tool"], &["pkgconfig(lib)"]),
        recipe(3, "tool", &[], &[]),
    ]);
    assert_eq!(builds["app"].after, ids(&[2, 3]));
    assert_eq!(builds["lib"].after, ids(&[3]));
    assert_eq!(builds["tool"].after, ids(&[]));
    for build in builds.values() {
        assert_eq!(build.state, State::Planned);
        assert_eq!(build.cycle, ids(&[]));
        assert_eq!(build.seq, 1);
    }
    assert_eq!(
        builds["app"].needs,
        ["pkgconfig(lib)", "tool", "binary(elsewhere)"]
    );
    assert_all_can_begin(builds.values());
}

/// The members of a cycle are built one at a time, in a stable order, and list each other. A build
/// that needs a member waits for that member; a build that members need comes before all of them.
#[test]
fn cycles_are_chained() {
    let builds = plan_alone(vec![
        recipe(5, "user", &["gcc"], &[]),
        recipe(2, "glibc", &["gcc", "headers"], &[]),
        recipe(3, "gcc", &["binutils"], &[]),
        recipe(4, "binutils", &["glibc"], &[]),
        recipe(1, "headers", &[], &[]),
    ]);
    let cycle = ids(&[2, 3, 4]);
    assert_eq!(builds["glibc"].after, ids(&[1]));
    assert_eq!(builds["gcc"].after, ids(&[2]));
    assert_eq!(builds["binutils"].after, ids(&[3]));
    for member in ["glibc", "gcc", "binutils"] {
        assert_eq!(builds[member].cycle, cycle);
    }
    assert_eq!(builds["user"].after, ids(&[3]));
    assert_eq!(builds["user"].cycle, ids(&[]));
    assert_all_can_begin(builds.values());
}

/// A recipe that needs what only it provides is no cycle: it needs its older package from the
/// channel.
#[test]
fn a_recipe_that_needs_itself_is_alone() {
    let builds = plan_alone(vec![recipe(1, "go", &["go"], &[])]);
    assert_eq!(builds["go"].after, ids(&[]));
    assert_eq!(builds["go"].cycle, ids(&[]));
}

#[test]
fn an_unreadable_recipe_fails_at_once_with_its_annotations() {
    let builds = plan_alone(vec![
        unreadable(1, "broken"),
        recipe(2, "fine", &["broken"], &[]),
    ]);
    let State::Failed(failure) = &builds["broken"].state else {
        panic!("{:?}", builds["broken"].state);
    };
    assert_eq!(failure.kind, FailureKind::Recipe);
    assert_eq!(failure.annotations[0].line, 3);
    assert_eq!(failure.message, "line 3: a value is missing");
    assert_eq!(builds["fine"].state, State::Planned);
}

#[test]
fn a_recipe_whose_name_is_taken_fails_on_its_name() {
    let others = Others {
        taken: [("recipes/nano".parse().unwrap(), "n/nano".to_owned())].into(),
        ..Others::default()
    };
    let builds = plan_among(vec![recipe(1, "nano", &[], &[])], &others);
    let State::Failed(failure) = &builds["nano"].state else {
        panic!("{:?}", builds["nano"].state);
    };
    assert_eq!(failure.kind, FailureKind::NameTaken);
    assert_eq!(
        failure.message,
        "the name nano is taken by the recipe in n/nano"
    );
    assert_eq!(
        (
            failure.annotations[0].line,
            failure.annotations[0].title.as_str()
        ),
        (1, "name-taken")
    );
    assert_eq!(builds["nano"].check.as_deref(), Some("build recipes/nano"));
}

/// A part never splits a cycle, and comes after the parts that it needs.
#[test]
fn many_recipes_are_planned_in_parts() {
    let chain = (0..100_u8).rev().map(|number| {
        let before = format!("r{}", number.saturating_sub(1));
        let needs = if number == 0 {
            Vec::new()
        } else {
            vec![before.as_str()]
        };
        recipe(number, &format!("r{number}"), &needs, &[])
    });
    let ring = [("a", "c"), ("b", "a"), ("c", "b")];
    let ring = (200..)
        .zip(ring)
        .map(|(number, (name, on))| recipe(number, name, &[on], &[]));
    let parts = batches(chain.chain(ring).collect(), 10);
    assert!(parts.len() > 5);
    let mut seen = HashSet::new();
    for part in &parts {
        assert!(part.len() <= 12);
        seen.extend(part.iter().map(|candidate| candidate.folder.to_string()));
        for candidate in part {
            for need in &candidate.recipe.as_ref().unwrap().needs {
                let folder = format!("recipes/{need}");
                assert!(seen.contains(&folder), "{folder} comes too late");
            }
        }
    }
    assert_eq!(seen.len(), 103);
}

#[test]
fn the_channels_release_decides_on_a_branch() {
    let planned = |channel: Option<u64>, frame: &Frame| {
        let released = channel
            .map(|release| ("nano".to_owned(), release))
            .into_iter()
            .collect();
        let mut builds = plan(
            vec![recipe(1, "nano", &[], &[])],
            frame,
            &Others::default(),
            &released,
        );
        builds.remove(0).state
    };
    let frame = frame();
    assert_eq!(planned(None, &frame), State::Planned);
    assert_eq!(planned(Some(1), &frame), State::Planned);
    assert_eq!(
        planned(Some(2), &frame),
        State::Cancelled {
            by: By::AlreadyPublished { release: 2 },
            at: at(0)
        }
    );
    let State::Failed(failure) = planned(Some(3), &frame) else {
        panic!("a lower release was planned");
    };
    assert_eq!(
        failure.message,
        "release 2 is lower than the published release 3; raise `release` above 3"
    );
    assert_eq!(failure.annotations[0].title, "release-lower");
    // A pull request is built even if the channel has the release.
    for channel in [1, 2, 3] {
        let pull = Frame {
            target: pull(),
            ..frame.clone()
        };
        assert_eq!(planned(Some(channel), &pull), State::Planned);
    }
}

#[test]
fn one_build_stands_for_all_of_an_unapproved_author() {
    let trust = Trust::None(stranger());
    let frame = Frame {
        target: pull(),
        trust,
        ..frame()
    };
    let folders: Vec<RecipeFolder> = (0..600)
        .map(|n| format!("r/{n}").parse().unwrap())
        .collect();
    let build = unapproved(id(1), &frame, stranger(), &folders);
    assert_eq!(build.trust.find_stranger(), Some(&stranger()));
    assert!(build.waits_for_person());
    let said = build.explain();
    assert!(said.contains("stranger has no write access"), "{said}");
    assert!(
        said.contains("600 recipes wait for approval: r/0, r/1,"),
        "{said}"
    );
    assert!(said.ends_with("r/49 and 550 more."), "{said}");
    assert!(too_large(id(1), &frame, "Too much.".to_owned()).waits_for_person());
}

#[test]
fn a_merge_conflict_is_noted_on_every_build() {
    let conflict = Conflict {
        branch: "main".to_owned(),
        paths: vec!["a".to_owned(), "b".to_owned()],
        count: 5,
    };
    let frame = Frame {
        target: pull(),
        conflict: Some(conflict.clone()),
        ..frame()
    };
    let candidates = vec![recipe(1, "nano", &[], &[]), unreadable(2, "broken")];
    let builds = by_name(plan(
        candidates,
        &frame,
        &Others::default(),
        &HashMap::new(),
    ));
    for build in builds.values() {
        assert_eq!(build.conflict, Some(conflict.clone()));
    }
    assert_eq!(
        conflict.to_string(),
        "The pull request conflicts with main in a, b and 3 more. summit builds the head without merging it."
    );
}

/// A build that was planned earlier and is in `state` now.
fn earlier(candidate: Candidate, state: State) -> Build {
    let name = candidate
        .folder
        .as_str()
        .rsplit('/')
        .next()
        .unwrap()
        .to_owned();
    let mut build = plan_alone(vec![candidate]).remove(&name).unwrap();
    build.state = state;
    build
}

fn queued() -> State {
    State::Queued {
        since: at(0),
        reason: None,
    }
}

fn waiting(on: &[u8]) -> State {
    State::Waiting { on: ids(on) }
}

fn among(builds: Vec<Build>) -> Others {
    Others {
        builds,
        ..Others::default()
    }
}

/// A new build waits for a build that is queued already. The queued build does not wait for the new
/// one.
#[test]
fn edges_to_builds_on_their_way_go_one_way() {
    let lib = earlier(recipe(1, "lib", &["app"], &["pkgconfig(lib)"]), queued());
    let builds = plan_among(
        vec![recipe(2, "app", &["pkgconfig(lib)"], &[])],
        &among(vec![lib]),
    );
    assert_eq!(builds.keys().collect::<Vec<_>>(), ["app"]);
    assert_eq!(builds["app"].after, ids(&[1]));
    assert_eq!(builds["app"].cycle, ids(&[]));
}

/// Two builds planned at different times must not come to wait for each other.
#[test]
fn builds_not_begun_are_ordered_anew() {
    // `tool` waited for a `lib`. The new `lib` that replaces it needs `tool`.
    let mut tool = earlier(recipe(1, "tool", &["lib"], &[]), waiting(&[9]));
    tool.after = ids(&[9]);
    let builds = plan_among(vec![recipe(2, "lib", &["tool"], &[])], &among(vec![tool]));
    assert_eq!(builds["tool"].cycle, ids(&[1, 2]));
    assert_eq!(builds["lib"].cycle, ids(&[1, 2]));
    assert_eq!(builds["tool"].after, ids(&[]));
    assert_eq!(builds["lib"].after, ids(&[1]));
    assert_eq!(builds["tool"].state, waiting(&[9]));
    assert_all_can_begin(builds.values());
}

#[test]
fn what_is_not_changed_is_not_returned() {
    let mut app = earlier(recipe(1, "app", &["lib"], &[]), waiting(&[2]));
    app.after = ids(&[2]);
    let lib = earlier(recipe(2, "lib", &[], &[]), queued());
    let builds = plan_among(vec![recipe(3, "other", &[], &[])], &among(vec![app, lib]));
    assert_eq!(builds.keys().collect::<Vec<_>>(), ["other"]);
}

/// A failed build without a newer build still holds the builds that need it.
#[test]
fn a_failed_build_stays_before_what_needs_it() {
    let failed = State::Failed(Failure {
        kind: FailureKind::Attempt,
        phase: None,
        message: String::new(),
        annotations: Vec::new(),
        at: at(0),
    });
    let lib = earlier(recipe(1, "lib", &[], &[]), failed);
    let mut app = earlier(recipe(2, "app", &["lib"], &[]), waiting(&[1]));
    app.after = ids(&[1]);
    let builds = plan_among(
        vec![recipe(3, "more", &["app"], &[])],
        &among(vec![lib, app]),
    );
    assert_eq!(builds["more"].after, ids(&[2]));
    assert!(
        !builds.contains_key("app"),
        "app still comes after lib alone"
    );
    assert!(!builds.contains_key("lib"), "what is over is not written");
}

/// When a changed recipe is broken, the builds that waited for its old build are held by the broken
/// one.
#[test]
fn a_broken_successor_takes_the_place() {
    let old = earlier(recipe(1, "lib", &[], &["pkgconfig(lib)"]), queued());
    let mut app = earlier(recipe(2, "app", &["pkgconfig(lib)"], &[]), waiting(&[1]));
    app.after = ids(&[1]);
    let others = Others {
        builds: vec![app],
        replaced: HashMap::from([(id(3), old)]),
        ..Others::default()
    };
    let builds = plan_among(vec![unreadable(3, "lib")], &others);
    assert_eq!(builds["app"].after, ids(&[3]));
}

/// A new build of one member completes a cycle whose other members are built.
#[test]
fn a_cycle_is_kept_over_a_new_member() {
    let cycle = plan_alone(vec![
        recipe(1, "glibc", &["gcc"], &[]),
        recipe(2, "gcc", &["binutils"], &[]),
        recipe(3, "binutils", &["glibc"], &[]),
    ]);
    let mut glibc = cycle["glibc"].clone();
    glibc.state = State::Built(crate::domain::build::example::success());
    let mut binutils = cycle["binutils"].clone();
    binutils.state = waiting(&[2]);
    // gcc is pushed again.
    let others = among(vec![glibc.clone(), binutils]);
    let builds = plan_among(vec![recipe(4, "gcc", &["binutils"], &[])], &others);
    let expected = ids(&[1, 3, 4]);
    for name in ["glibc", "binutils", "gcc"] {
        assert_eq!(builds[name].cycle, expected, "{name}");
    }
    assert_eq!(builds["glibc"].state, glibc.state);
    assert_eq!(builds["binutils"].after, ids(&[1]));
    assert_eq!(builds["gcc"].after, ids(&[3]));
    assert_all_can_begin(builds.values());
    // gcc no longer needs binutils, so the cycle is gone and no build waits for its members.
    let builds = plan_among(vec![recipe(4, "gcc", &[], &[])], &others);
    assert_eq!(builds["glibc"].cycle, ids(&[]));
    assert_eq!(builds["binutils"].cycle, ids(&[]));
    assert_all_can_begin(builds.values());
}

/// A cycle with a failed member stays a cycle when other builds are planned.
#[test]
fn a_cycle_with_a_failed_member_is_not_torn() {
    let cycle = plan_alone(vec![
        recipe(1, "glibc", &["gcc"], &[]),
        recipe(2, "gcc", &["glibc"], &[]),
    ]);
    let mut glibc = cycle["glibc"].clone();
    glibc.state = State::Built(crate::domain::build::example::success());
    let mut gcc = cycle["gcc"].clone();
    gcc.state = State::Failed(crate::domain::build::example::failure(
        FailureKind::Attempt,
        None,
    ));
    let others = among(vec![glibc, gcc]);
    let builds = plan_among(vec![recipe(3, "nano", &["gcc"], &[])], &others);
    assert_eq!(builds.keys().collect::<Vec<_>>(), ["nano"]);
    assert_eq!(builds["nano"].after, ids(&[2]));
}

proptest::proptest! {
    /// No build waits for ever, for any needs and any order of planning.
    #[test]
    fn nobody_waits_for_ever(
        needs in proptest::collection::vec(proptest::collection::vec(0u8..8, 0..4), 8),
        waves in proptest::collection::vec(proptest::collection::btree_set(0u8..8, 1..5), 1..5),
        begun in proptest::collection::vec(0u8..8, 0..6),
    ) {
        let mut known: HashMap<String, Build> = HashMap::new();
        let mut number = 0;
        for (wave, folders) in waves.iter().enumerate() {
            let mut candidates = Vec::new();
            for folder in folders {
                number += 1;
                // The needs of a recipe change from wave to wave.
                let texts: Vec<String> =
                    needs[(usize::from(*folder) + wave) % 8].iter().map(|n| format!("r{n}")).collect();
                let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
                known.remove(&format!("r{folder}"));
                candidates.push(recipe(number, &format!("r{folder}"), &texts, &[]));
            }
            let others = among(known.values().cloned().collect());
            known.extend(plan_among(candidates, &others));
            assert_all_can_begin(known.values());
            for member in known.values() {
                for other in &member.cycle {
                    let other = known.values().find(|build| build.id == *other);
                    proptest::prop_assert_eq!(other.map(|build| &build.cycle), Some(&member.cycle));
                }
            }
            if let Some(build) = begun.get(wave).and_then(|r| known.get_mut(&format!("r{r}"))) {
                build.state = queued();
            }
        }
    }
}

fn hinted(number: u8, name: &str, needs: &[&str], hints: &[&str]) -> Candidate {
    let mut candidate = recipe(number, name, needs, &[]);
    if let Ok(described) = &mut candidate.recipe {
        described.hints = hints.iter().map(|hint| hint.parse().unwrap()).collect();
    }
    candidate
}

#[test]
fn what_the_last_build_needed_orders_and_holds_nothing() {
    let builds = plan_alone(vec![
        hinted(1, "flute", &["bore"], &["reed", "bore", "gone-for-good"]),
        hinted(2, "reed", &[], &[]),
        hinted(3, "bore", &[], &[]),
    ]);
    let flute = &builds["flute"];
    assert_eq!(
        (&*flute.after, &*flute.behind),
        (&[id(3)][..], &[id(2)][..])
    );
    assert_eq!(flute.needs, ["bore"], "nothing else can be missing");
    assert!(flute.cycle.is_empty());
}

/// The dependencies between the recipes were reversed since their last builds.
#[test]
fn hints_make_no_cycle() {
    let builds = plan_alone(vec![
        hinted(1, "flute", &["reed"], &[]),
        hinted(2, "reed", &[], &["flute", "bore"]),
        hinted(3, "bore", &[], &["reed"]),
    ]);
    for build in builds.values() {
        assert!(build.cycle.is_empty(), "{}", build.recipe);
    }
    assert_eq!(builds["flute"].after, [id(2)]);
    assert_eq!(builds["reed"].after, []);
    // Only hints connect these two. One of them comes first, and always the same one.
    assert_eq!(builds["reed"].behind, []);
    assert_eq!(builds["bore"].behind, [id(2)]);
}

#[test]
fn hints_from_and_into_a_cycle_order_too() {
    let builds = plan_alone(vec![
        hinted(1, "gcc", &["glibc"], &["m4"]),
        hinted(2, "glibc", &["gcc"], &[]),
        hinted(3, "m4", &[], &[]),
        hinted(4, "bison", &[], &["glibc"]),
    ]);
    assert_eq!(builds["gcc"].cycle, [id(1), id(2)]);
    assert_eq!(builds["gcc"].behind, [id(3)]);
    assert_eq!(builds["glibc"].after, [id(1)]);
    assert_eq!(builds["bison"].behind, [id(2)]);
}

#[test]
fn hints_are_kept_for_the_next_plan() {
    let waiting = plan_alone(vec![hinted(1, "flute", &[], &["reed"])]);
    let others = Others {
        builds: waiting.into_values().collect(),
        ..Others::default()
    };
    let builds = plan_among(vec![recipe(2, "reed", &[], &[])], &others);
    assert_eq!(builds["flute"].behind, [id(2)]);
}

/// A rebuild in parts uses this order.
#[test]
fn builds_stand_after_what_they_come_after_and_cycles_together() {
    let mut builds: Vec<Build> = (1..=6).map(|number| build(number, "nano")).collect();
    builds[0].after = vec![id(6), id(9)];
    builds[5].behind = vec![id(5)];
    // One member was rebuilt since, and the other member's list is older.
    builds[1].cycle = vec![id(2), id(3), id(4)];
    builds[2].cycle = vec![id(8), id(3), id(4)];
    builds[3].cycle = vec![id(2), id(3), id(4)];
    builds[1].after = vec![id(1)];
    let groups = in_order(&builds);
    let expected = [
        vec![id(5)],
        vec![id(6)],
        vec![id(1)],
        vec![id(2), id(3), id(4)],
    ];
    assert_eq!(groups, expected);
    assert_eq!(in_order(&[]), Vec::<Vec<BuildId>>::new());
}
