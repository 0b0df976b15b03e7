use api::attempt;
use api::id::{Architecture, AttemptId, BuildId, CommitSha, Sha256};
use std::collections::BTreeSet;
use std::sync::Mutex;

use moss_db::{Environment, Error, Migration, Opener, Options, Schema, Table, Text};
use tempfile::TempDir;

use super::*;
use crate::domain::build::example::{at, build, every_state, failure, id, main, profile, pull};
use crate::domain::build::{Build, By, Effect, Event, FailureKind, Progress, Stage, State, Target};
use crate::domain::claim::Claim;
use crate::domain::name::RepositoryId;
use crate::domain::under_way::UnderWay;

pub(crate) struct Store {
    pub(crate) env: Environment,
    pub(crate) tables: Tables,
    /// Follows the database like the cache in summit.
    under_way: Mutex<UnderWay>,
    _folder: TempDir,
}

/// A new, empty database.
pub(crate) fn store() -> Store {
    let folder = tempfile::tempdir().unwrap();
    let (env, tables) = Tables::open(folder.path(), &profile()).unwrap();
    Store {
        env,
        tables,
        under_way: Mutex::default(),
        _folder: folder,
    }
}

/// A target whose look crashes the process must not crash it at every start.
#[test]
fn a_look_that_never_comes_back_is_set_aside() {
    let store = store();
    let tables = &store.tables;
    let repository = RepositoryId::new(1);
    let key = look_key(repository, &pull());
    let wish = || {
        let wished = store.write(|txn| tables.wish(txn, repository, &pull()));
        wished.unwrap();
    };
    let begin = |second| {
        let begun = store.write(|txn| tables.begin_look(txn, &key, at(second)));
        begun.unwrap().unwrap()
    };
    wish();
    assert!(begin(1).is_due(at(1)) && begin(2).is_due(at(2)));
    assert!(!begin(3).is_due(at(3)));
    // Another push changes nothing, because a stranger can push.
    wish();
    let looks = || store.env.read(|txn| tables.looks.find(txn, &key)).unwrap();
    assert!(!looks().unwrap().is_due(at(3602)));
    assert!(looks().unwrap().is_due(at(3603)));
    // After each further try the target is set aside for another hour.
    assert!(!begin(3603).is_due(at(7202)));
    store.write(|txn| tables.end_look(txn, &key)).unwrap();
    assert!(looks().unwrap().is_due(at(3604)));
    assert_eq!(looks().unwrap().count, 2);
}

/// A failed look is retried with growing pauses. A new wish starts it at once.
#[test]
fn a_look_that_failed_says_why_and_is_repeated() {
    let store = store();
    let tables = &store.tables;
    let repository = RepositoryId::new(1);
    let key = look_key(repository, &pull());
    let find = || {
        let found = store.env.read(|txn| tables.looks.find(txn, &key));
        found.unwrap().unwrap()
    };
    let wish = || {
        let wished = store.write(|txn| tables.wish(txn, repository, &pull()));
        wished.unwrap();
    };
    let fail = |look: &Look, second| {
        let reason = "vessel is away".to_owned();
        let failed = store.write(|txn| tables.fail_look(txn, look, reason, at(second)));
        failed.unwrap();
    };
    wish();
    let pauses = (0..12).map(|_| {
        fail(&find(), 10);
        find().due_at().duration_since(at(10)).as_millis()
    });
    let pauses: Vec<i128> = pauses.collect();
    assert_eq!(pauses[..4], [250, 500, 1000, 2000]);
    assert_eq!(pauses[9..], [120_000; 3]);
    assert_eq!(find().failure.unwrap().times, 12);
    assert!(!find().is_due(at(129)) && find().is_due(at(130)));
    let begun = find();
    wish();
    assert!(find().is_due(at(10)));
    // The wish came during the look that fails now.
    fail(&begun, 10);
    assert!(find().is_due(at(10)));
}

/// A renamed branch is not planned from scratch, and its builds under way go on.
#[test]
fn a_published_branch_that_moves_takes_along_what_it_has() {
    let store = store();
    let tables = &store.tables;
    let mut under_way = build(1, "nano");
    under_way.state = State::Waiting { on: vec![id(9)] };
    let mut done = build(2, "lib");
    done.state = State::Failed(failure(FailureKind::Attempt, None));
    store.put(&[&under_way, &done]);
    store.open(&under_way);
    let claim = Claim {
        repository: under_way.repository,
        branch: "main".to_owned(),
        folder: under_way.folder.clone(),
        name: under_way.recipe.clone(),
        since: 1,
    };
    let trunk = Target::Branch {
        name: "trunk".to_owned(),
    };
    let moved = store.write(|txn| {
        let key = claim_key(claim.repository, &main(), &claim.folder);
        tables.claims.put(txn, &key, &claim)?;
        let (from, to) = ("main".to_owned(), "trunk".to_owned());
        tables.move_branch(txn, claim.repository, from, to, at(0))?;
        let key = claim_key(claim.repository, &trunk, &claim.folder);
        let look = look_key(claim.repository, &trunk);
        Ok::<_, Error>((
            tables.planned.find(txn, &look)?,
            tables.planned.iter(txn)?.count(),
            tables.claims.find(txn, &key)?,
            tables.claims.iter(txn)?.count(),
            tables.looks.contains(txn, &look)?,
        ))
    });
    let (planned, targets, claimed, claims, is_wished) = moved.unwrap();
    assert_eq!((planned, targets), (Some(under_way.commit), 1));
    assert_eq!((claimed.unwrap().branch.as_str(), claims), ("trunk", 1));
    assert!(is_wished);
    assert_eq!(store.find(id(1)).target, trunk);
    assert_eq!(store.find(id(2)).target, main(), "what ended follows");
    let follow = |most| store.write(|txn| tables.move_settled(txn, claim.repository, most));
    assert!(follow(1).unwrap());
    assert_eq!(store.find(id(2)).target, trunk);
    // Back again, before anybody noted that nothing is left.
    let back = store.write(|txn| {
        let (from, to) = ("trunk".to_owned(), "main".to_owned());
        tables.move_branch(txn, claim.repository, from, to, at(0))
    });
    back.unwrap();
    while follow(1).unwrap() {}
    assert_eq!(store.find(id(1)).target, main());
    assert_eq!(store.find(id(2)).target, main());
    store.check();
}

impl Store {
    /// Commits a change. The cache must then be equal to one that is loaded from the database.
    pub(crate) fn write<T, E: From<Error>>(
        &self,
        change: impl FnOnce(&mut Write<'_, '_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let (value, written) = self.env.write(|txn| {
            let mut txn = Write::new(txn);
            let value = change(&mut txn)?;
            Ok::<_, E>((value, txn.into_written()))
        })?;
        let mut under_way = self.under_way.lock().unwrap();
        for (id, now) in written.builds {
            under_way.apply(id, now);
        }
        under_way.note_heads(written.heads);
        let mut followed = under_way.clone();
        followed.take_moved(usize::MAX);
        followed.take_moved_heads();
        let (builds, _) = self.env.read(|txn| self.tables.builds_under_way(txn))?;
        let mut anew = UnderWay::new(builds);
        anew.take_moved(usize::MAX);
        anew.take_moved_heads();
        assert_eq!(followed, anew);
        Ok(value)
    }

    /// Takes the builds that the scheduler has to look at.
    pub(crate) fn take_moved(&self, most: usize) -> BTreeSet<BuildId> {
        self.under_way.lock().unwrap().take_moved(most)
    }

    pub(crate) fn put(&self, builds: &[&Build]) {
        let wrote = self.write(|txn| {
            for build in builds {
                self.tables.put_build(txn, build)?;
            }
            Ok::<_, Error>(())
        });
        wrote.unwrap();
    }

    /// Every index agrees with its rows.
    pub(crate) fn check(&self) {
        assert_eq!(format!("{:?}", self.env.check().unwrap()), "[]");
    }

    /// Marks the target of `build` as planned, so that its pull request counts as open.
    pub(crate) fn open(&self, build: &Build) {
        let key = look_key(build.repository, &build.target);
        let open = |txn: &mut Write<'_, '_>| self.tables.planned.put(txn, &key, &build.commit);
        self.write(open).unwrap();
    }

    pub(crate) fn find(&self, id: BuildId) -> Build {
        self.find_any(id).unwrap()
    }

    pub(crate) fn find_any(&self, id: BuildId) -> Option<Build> {
        let found = self.env.read(|txn| self.tables.find_build(txn, id));
        found.unwrap()
    }

    pub(crate) fn active(&self) -> Vec<Build> {
        let builds = self.env.read(|txn| self.tables.builds_under_way(txn));
        let (mut builds, _) = builds.unwrap();
        builds.retain(Build::is_active);
        builds.sort_by_key(|build| build.id);
        builds
    }

    pub(crate) fn outbox(&self) -> Vec<Effect> {
        self.env
            .read(|txn| {
                let rows = self.tables.outbox.iter(txn)?;
                rows.map(|row| Ok(row?.1)).collect::<Result<_, Error>>()
            })
            .unwrap()
    }

    fn change(&self, id: BuildId, event: Event) -> Result<Build, ChangeError> {
        self.write(|txn| self.tables.change(txn, id, event, at(100)))
    }
}

pub(crate) fn order() -> attempt::Order {
    attempt::Order {
        recipe: "nano".parse().unwrap(),
        folder: "nano".parse().unwrap(),
        clone_url: "https://example.org/nano.git".parse().unwrap(),
        credentials: None,
        git_ref: "refs/heads/main".to_owned(),
        commit: CommitSha::from_bytes([1; 20]),
        profile: "default".parse().unwrap(),
        architecture: "x86_64".parse().unwrap(),
        build_release: 1,
        source_date_epoch: 1,
        closure: Vec::new(),
        host_needs: Vec::new(),
        limits: attempt::Limits::default(),
        lease_seconds: 60,
        report_to: None,
    }
}

#[test]
fn a_change_commits_state_and_effects_together() {
    let store = store();
    let mut building = build(1, "nano");
    building.attempts = 1;
    building.state = State::Building {
        builder: "avalanche-1".parse().unwrap(),
        progress: Progress::Ordered,
        since: at(0),
        silence: None,
    };
    store.put(&[&building]);
    let attempt = AttemptId::new(id(1), 1);
    let keep = |txn: &mut Write<'_, '_>| store.tables.orders.put(txn, &attempt, &order());
    store.write(keep).unwrap();
    let after = store
        .change(id(1), Event::Cancelled(By::PullClosed))
        .unwrap();
    assert_eq!(store.find(id(1)), after);
    assert_eq!(
        store.outbox(),
        [Effect::Cancel {
            builder: "avalanche-1".parse().unwrap(),
            attempt,
        }]
    );
    // The order of an attempt that has ended is not sent again.
    let kept = store
        .env
        .read(|txn| store.tables.orders.contains(txn, &attempt));
    assert!(!kept.unwrap());
    assert_eq!(store.active(), []);
}

#[test]
fn a_refused_change_leaves_nothing_behind() {
    let store = store();
    store.put(&[&build(1, "nano")]);
    let import = api::id::ImportId::from_bytes([1; 16]);
    assert!(matches!(
        store.change(id(1), Event::ImportBegun { import }),
        Err(ChangeError::Illegal(_))
    ));
    assert!(matches!(
        store.change(id(2), Event::Ready),
        Err(ChangeError::Unknown(_))
    ));
    assert_eq!(store.find(id(1)), build(1, "nano"));
    assert_eq!(store.outbox(), []);
}

/// Every index agrees with its rows, for any rows and any changes.
#[test]
fn indexes_follow_the_rows() {
    let store = store();
    let (mut active, mut aside) = (Vec::new(), Vec::new());
    for (number, (_, mut build)) in (1..).zip(every_state()) {
        build.id = id(number);
        if build.waits_for_person() {
            aside.push(build.id);
        } else if !build.is_settled() || build.keeps_assets() {
            active.push(build.id);
        }
        store.put(&[&build]);
        build.shown.seq = build.seq;
        if number % 2 == 0 {
            store.put(&[&build]);
        }
    }
    let found: Vec<BuildId> = store.active().iter().map(|build| build.id).collect();
    assert_eq!(found, active);
    let repository = RepositoryId::new(1);
    let found = store
        .env
        .read(|txn| store.tables.builds_set_aside(txn, repository));
    let found: Vec<BuildId> = found.unwrap().iter().map(|build| build.id).collect();
    assert_eq!((found.len(), found), (3, aside));
    store
        .env
        .read(|txn| {
            let unshown = store.tables.unshown.iter(txn)?.keys();
            for id in unshown {
                assert_eq!(id?.as_bytes()[15] % 2, 1);
            }
            Ok::<_, Error>(())
        })
        .unwrap();
    store.check();
}

#[test]
fn builds_of_one_recipe_do_not_mix_with_others() {
    let store = store();
    let first = build(1, "nano");
    let mut longer = build(2, "nano-extra");
    longer.folder = "nano/extra".parse().unwrap();
    let mut pulled = build(3, "nano");
    pulled.target = pull();
    let mut elsewhere = build(4, "nano");
    elsewhere.repository = RepositoryId::new(2);
    let mut other = build(6, "nano");
    other.profile = "x86_64_v3".parse().unwrap();
    let newer = build(5, "nano");
    store.put(&[&first, &longer, &pulled, &elsewhere, &newer, &other]);
    let place = RecipePlace::from(&*first.plan);
    let found = store
        .env
        .read(|txn| store.tables.builds_of_recipe(txn, place));
    assert_eq!(found.unwrap(), [id(1), id(5)]);
}

#[test]
fn branches_are_looked_at_anew_for_a_profile_that_is_new() {
    let store = store();
    let (tables, repository) = (&store.tables, RepositoryId::new(1));
    let profiles = |names: &[&str]| -> Vec<Architecture> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    };
    let unplanned = || {
        let rows = store.env.read(|txn| {
            let rows = tables
                .unplanned
                .iter(txn)?
                .collect::<Result<Vec<_>, Error>>()?;
            assert_eq!(tables.planned.len(txn)?, 2);
            Ok::<_, Error>((rows, tables.looks.len(txn)?))
        });
        let (rows, looks) = rows.unwrap();
        let told = rows.into_iter().map(|(key, profiles)| (key.1, profiles));
        (told.collect::<Vec<_>>(), looks)
    };
    store
        .write(|txn| {
            tables.plan_for(txn, &profiles(&["x86_64"]))?;
            for target in [main(), pull()] {
                let commit = CommitSha::from_bytes([1; 20]);
                tables
                    .planned
                    .put(txn, &look_key(repository, &target), &commit)?;
            }
            tables.plan_for(txn, &profiles(&["x86_64"]))
        })
        .unwrap();
    assert_eq!(unplanned(), (Vec::new(), 0));
    let added = profiles(&["x86_64", "x86_64_v3"]);
    store.write(|txn| tables.plan_for(txn, &added)).unwrap();
    let new = profiles(&["x86_64_v3"]);
    assert_eq!(
        unplanned(),
        (vec![("refs/heads/main".to_owned(), new.clone())], 1)
    );
    // The profile comes back after it was removed.
    store
        .write(|txn| {
            let key = look_key(repository, &main());
            tables
                .planned
                .put(txn, &key, &CommitSha::from_bytes([2; 20]))?;
            tables.plan_for(txn, &profiles(&["x86_64"]))?;
            tables.plan_for(txn, &added)
        })
        .unwrap();
    assert_eq!(unplanned().0, [("refs/heads/main".to_owned(), new)]);
}

/// A look does not delete a wish that came during the look.
#[test]
fn wishes_are_counted() {
    let store = store();
    let repository = RepositoryId::new(1);
    for expected in 1..=3 {
        let wish = |txn: &mut Write<'_, '_>| store.tables.wish(txn, repository, &main());
        store.write(wish).unwrap();
        let key = look_key(repository, &main());
        let look = store.env.read(|txn| store.tables.looks.find(txn, &key));
        assert_eq!(look.unwrap().unwrap().count, expected);
    }
}

/// No row has a value that cannot be read back.
#[test]
fn rows_survive_being_written() {
    let store = store();
    for (number, (name, mut build)) in (1..).zip(every_state()) {
        build.id = id(number);
        build.shown.digest = Some(Sha256::of(b"x").to_string());
        store.put(&[&build]);
        assert_eq!(store.find(build.id), build, "{name}");
    }
}

/// The raw rows of builds.
struct Raw(Table<Text<BuildId>, serde_json::Value>);

impl Schema for Raw {
    const NAME: &'static str = Tables::NAME;
    const MIGRATIONS: &'static [Migration] = Tables::MIGRATIONS;

    fn declare(opener: &mut Opener) -> Self {
        Self(opener.table("standings"))
    }
}

/// Rows of a newer version, as an older version finds them after a downgrade.
#[test]
fn a_row_that_cannot_be_read_stops_its_build_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let [odd, mut fine] = [build(1, "odd"), build(2, "fine")];
    fine.folder = odd.folder.clone();
    {
        let (env, tables) = Tables::open(folder.path(), &profile()).unwrap();
        let wrote = env.write(|txn| {
            let mut txn = Write::new(txn);
            tables.put_build(&mut txn, &odd)?;
            tables.put_build(&mut txn, &fine)
        });
        wrote.unwrap();
    }
    {
        let path = folder.path().join("db");
        let (env, Raw(rows)) = Environment::open::<Raw>(&path, &Options::default()).unwrap();
        let wrote = env.write(|txn| {
            let mut row = rows.find(txn, &id(1))?.unwrap();
            row["state"] = serde_json::json!({ "state": "dreaming" });
            rows.put(txn, &id(1), &row)
        });
        wrote.unwrap();
    }
    let (env, tables) = Tables::open(folder.path(), &profile()).unwrap();
    let read = env.read(|txn| {
        let (builds, unreadable) = tables.builds_under_way(txn)?;
        assert_eq!(builds, [fine.clone()]);
        let (unread, reason) = unreadable.first_key_value().unwrap();
        assert_eq!((unread, unreadable.len()), (&id(1), 1));
        assert!(reason.contains("dreaming"), "{reason}");
        let lists = [
            tables.list(txn, &Filter::default(), None, 9)?.builds,
            tables.oldest_builds(txn, None, 9)?.0,
            tables.builds_of(txn, fine.repository, &main())?,
            tables.builds_of_repository(txn, fine.repository)?,
            tables.newest_of_head(txn, fine.repository, fine.commit, None)?,
            tables.active_builds_of_branches(txn)?,
        ];
        for list in lists {
            assert_eq!(list, [fine.clone()]);
        }
        assert!(tables.find_build(txn, id(1)).unwrap_err().is_of_a_row());
        // A query that plans builds fails at such a row; the other queries skip it.
        let head = tables.builds_of_head(txn, fine.repository, fine.commit);
        assert!(head.unwrap_err().is_of_a_row());
        assert_eq!(
            tables.oldest_builds(txn, None, 1)?,
            (Vec::new(), Some(id(1)))
        );
        assert_eq!(
            tables.oldest_builds(txn, Some(id(2)), 1)?,
            (Vec::new(), None)
        );
        Ok::<_, Error>(())
    });
    read.unwrap();
}

/// Every page goes on where the one before ended, whichever index finds the builds.
#[test]
fn lists_are_filtered_and_go_on_page_by_page() {
    let store = store();
    let mut builds = Vec::new();
    for number in 1..=20 {
        let mut build = build(number, ["nano", "vim"][usize::from(number % 2)]);
        if number % 4 == 0 {
            build.target = pull();
        }
        if number % 3 == 0 {
            build.state = State::Failed(failure(FailureKind::Attempt, None));
        }
        builds.push(build);
    }
    store.put(&builds.iter().collect::<Vec<_>>());
    let repository = RepositoryId::new(1);
    let all = Filter::default();
    let failed = Filter {
        state: Some(Stage::Failed),
        ..all.clone()
    };
    let nano = Filter {
        recipe: Some("nano".parse().unwrap()),
        ..all.clone()
    };
    let pulled = Filter {
        target: Some((repository, pull())),
        ..all.clone()
    };
    let failed_of_main = Filter {
        target: Some((repository, main())),
        ..failed.clone()
    };
    for (filter, wanted) in [
        (all, 20),
        (failed, 6),
        (nano, 10),
        (pulled, 5),
        (failed_of_main, 5),
    ] {
        let (mut found, mut before) = (Vec::new(), None);
        loop {
            let page = store
                .env
                .read(|txn| store.tables.list(txn, &filter, before, 3))
                .unwrap();
            assert!(page.builds.len() <= 3);
            found.extend(page.builds.iter().map(|build| build.id));
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        assert_eq!(found.len(), wanted, "{filter:?}");
        assert!(
            found.is_sorted_by(|newer, older| newer > older),
            "{filter:?}"
        );
    }
    store.check();
}
