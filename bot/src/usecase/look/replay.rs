//! Replays the commits of the corpus: plans one after the other, as if each had been pushed. `cargo
//! xtask replay` runs it.

use std::process::Command;
use std::time::{Duration, Instant};

use super::commit::{Changes, commit_plan};
use super::released::{OfProfile, Released};
use super::*;
use crate::db::Tables;
use crate::domain::build::example::{at, main, profile};
use crate::domain::build::{Build, State};
use crate::domain::name::InstallationId;
use crate::domain::plan::{Frame, batches};
use crate::git::Mirrors;

/// The limit for the median time.
const TARGET: Duration = Duration::from_millis(5);

/// How many commits are planned before the measurement begins.
const WARM: usize = 100;

/// A folder in memory, since the time of a disk sync is not part of the measurement.
const MEMORY: &str = "/dev/shm";

#[test]
#[ignore = "plans 4,341 commits and looks at the clock: `cargo xtask replay`"]
fn commits_are_planned_in_milliseconds() {
    let Some(corpus) = testbed::corpus::find() else {
        println!("nothing is measured: the commits come from the corpus");
        return;
    };
    let folder = tempfile::tempdir_in(MEMORY).unwrap();
    let id = RepositoryId::new(1);
    let bare = folder.path().join("1.git");
    let git = |arguments: &[&std::ffi::OsStr]| {
        let output = Command::new("git").args(arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let bundle = corpus.join("recipes-2025.bundle");
    let clone = ["clone", "--quiet", "--bare"].map(std::ffi::OsStr::new);
    git(&[&clone[..], &[bundle.as_os_str(), bare.as_os_str()]].concat());
    let list = ["rev-list", "--reverse", "HEAD"].map(std::ffi::OsStr::new);
    let commits = git(&[&["-C".as_ref(), bare.as_os_str()], &list[..]].concat());
    let commits: Vec<CommitSha> = commits.lines().map(|line| line.parse().unwrap()).collect();
    let mirror = Mirrors::new(folder.path().to_owned()).open(id).unwrap();
    let (env, tables) = Tables::open(folder.path(), &profile()).unwrap();
    let mut times = Vec::new();
    let mut floors = Vec::new();
    let mut planned = 0;
    let mut base = None;
    for head in commits {
        let begun = Instant::now();
        let found = find(
            &mirror,
            &repository(),
            "refs/heads/main",
            base,
            head,
            &reach(),
        )
        .unwrap();
        let builds = plan(&env, &tables, found);
        times.push(begun.elapsed());
        let begun = Instant::now();
        let compared = mirror.changed_recipes(base, head, Bounds::TRUSTED);
        compared.unwrap().unwrap();
        floors.push(begun.elapsed());
        planned += builds.len();
        publish(&env, &tables, builds);
        base = Some(head);
    }
    let count = times.len();
    let [(median, most), (floor, _)] = [times, floors].map(|times| {
        let mut times = times[WARM.min(times.len() / 2)..].to_vec();
        times.sort();
        (times[times.len() / 2], times[times.len() * 99 / 100])
    });
    println!("{count} commits, {planned} builds");
    println!("{median:?} at the median (at most {TARGET:?}), {most:?} for 99 of 100");
    println!("{floor:?} to compare the trees alone");
    assert!(median < TARGET, "the median is {median:?}");
}

fn repository() -> Repository {
    Repository {
        name: "snekbook/recipes".parse().unwrap(),
        default_branch: "main".to_owned(),
        clone_url: "https://forge.example/snekbook/recipes.git"
            .parse()
            .unwrap(),
        installation: InstallationId::new(1),
        gone_at: None,
    }
}

fn reach() -> Reach {
    Reach::of_branch(vec![profile()])
}

/// Commits the plan for an empty channel. Returns the builds.
fn plan(env: &moss_db::Environment, tables: &Tables, found: Found) -> Vec<Build> {
    let frame = Frame {
        repository: RepositoryId::new(1),
        target: main(),
        commit: found.head,
        source_date_epoch: found.source_date_epoch,
        now: at(0),
        conflict: None,
        trust: found.trust,
        profile: profile(),
        is_one_of_many: false,
        own_run: crate::domain::build::OwnRun::Always,
        is_draft: false,
    };
    let What::Recipes {
        mut candidates,
        removed,
    } = found.what
    else {
        panic!("a branch is planned");
    };
    let candidates = candidates.remove(&profile()).unwrap_or_default();
    let names = Arc::new(plan::names_of(&candidates));
    let of_profile = OfProfile {
        snapshot: Arc::default(),
        read_at: at(0),
    };
    let channels = Released([(profile(), of_profile)].into());
    for candidates in batches(candidates, plan::BATCH) {
        let changes = Changes {
            candidates,
            removed: removed.iter().cloned().collect(),
            names: Arc::clone(&names),
            branch: None,
        };
        let committed = env.write(|txn| {
            let mut txn = crate::db::Write::new(txn);
            commit_plan(tables, &mut txn, &frame, changes, &channels)
        });
        committed.unwrap();
    }
    let (builds, _) = env.read(|txn| tables.builds_under_way(txn)).unwrap();
    builds
}

/// Marks the builds as published and shown, as most were before the next push.
fn publish(env: &moss_db::Environment, tables: &Tables, builds: Vec<Build>) {
    let published = env.write(|txn| {
        let mut txn = crate::db::Write::new(txn);
        for mut build in builds {
            if !build.state.is_final() {
                build.state = State::Published {
                    history: "20261122-214502-0123456789ab".parse().unwrap(),
                    at: at(0),
                };
            }
            build.seq += 1;
            build.shown.seq = build.seq;
            tables.put_build(&mut txn, &build)?;
        }
        Ok::<_, moss_db::Error>(())
    });
    published.unwrap();
}
