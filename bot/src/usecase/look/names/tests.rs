use std::sync::Arc;

use api::id::{CommitSha, TreeSha};

use super::super::commit::tests::nothing;
use super::super::commit::{Changes, commit_plan};
use super::*;
use crate::db::Repository;
use crate::db::tests::{Store, store};
use crate::domain::build::Build;
use crate::domain::build::example::{at, id, main, profile, pull};
use crate::domain::build::{Annotation, Failure, NoRebuild};
use crate::domain::name::InstallationId;
use crate::domain::plan::{Candidate, Described, Unreadable};
use crate::domain::trust::Trust;
use crate::github::Role;
use crate::usecase::rebuild;

/// A database with two repositories.
pub(in crate::usecase::look) fn known() -> Store {
    let store = store();
    for number in [1, 2] {
        let name = format!("snekbook/recipes-{number}");
        let repository = Repository {
            clone_url: format!("https://example.org/{name}").parse().unwrap(),
            name: name.parse().unwrap(),
            default_branch: "main".to_owned(),
            installation: InstallationId::new(1),
            gone_at: None,
        };
        let row = store.write(|txn| store.tables.repositories.put(txn, &number, &repository));
        row.unwrap();
    }
    store
}

/// `folder: name`, or only `folder` for an unreadable recipe.
fn candidate(number: u8, text: &str) -> Candidate {
    let (folder, name) = text.split_once(": ").unwrap_or((text, ""));
    let recipe = match name {
        "" => Err(Unreadable {
            name: folder.rsplit('/').next().unwrap().parse().unwrap(),
            message: "a tab".to_owned(),
            annotations: Vec::new(),
        }),
        name => Ok(Described {
            name: name.parse().unwrap(),
            version: "1".to_owned(),
            release: 1,
            release_at: (format!("{folder}/stone.yaml"), 3),
            name_line: 1,
            architectures: Vec::new(),
            architectures_line: 1,
            needs: Vec::new(),
            hints: Vec::new(),
            provides: vec![name.parse().unwrap()],
            warnings: Vec::new(),
        }),
    };
    Candidate {
        id: id(number),
        folder: folder.parse().unwrap(),
        tree: TreeSha::from_bytes([number; 20]),
        recipe,
    }
}

pub(in crate::usecase::look) struct Push<'a> {
    repository: u64,
    target: Target,
    /// The number of its first build.
    first: u8,
    brings: &'a [&'a str],
    removes: &'a [&'a str],
}

pub(in crate::usecase::look) fn push<'a>(
    first: u8,
    brings: &'a [&'a str],
    removes: &'a [&'a str],
) -> Push<'a> {
    Push {
        repository: 1,
        target: main(),
        first,
        brings,
        removes,
    }
}

impl Push<'_> {
    /// The same push to another repository.
    pub(in crate::usecase::look) fn of(self, repository: u64) -> Self {
        Self { repository, ..self }
    }

    /// Commits the push and returns the state of each of its builds.
    pub(in crate::usecase::look) fn commit(&self, store: &Store) -> Vec<String> {
        let frame = Frame {
            repository: RepositoryId::new(self.repository),
            target: self.target.clone(),
            commit: CommitSha::from_bytes([self.first; 20]),
            source_date_epoch: 1,
            now: at(i64::from(self.first)),
            conflict: None,
            trust: Trust::Writer,
            profile: profile(),
            is_one_of_many: false,
            own_run: crate::domain::build::OwnRun::Always,
            is_draft: false,
        };
        let candidates: Vec<Candidate> = (self.first..)
            .zip(self.brings)
            .map(|(number, text)| candidate(number, text))
            .collect();
        let names = candidates.iter().map(|candidate| {
            let name = candidate.recipe.as_ref().ok();
            (
                candidate.folder.clone(),
                name.map(|recipe| recipe.name.clone()),
            )
        });
        let folders = self.removes.iter();
        let changes = Changes {
            names: Arc::new(names.collect()),
            candidates,
            removed: folders.map(|folder| folder.parse().unwrap()).collect(),
            branch: Some("main".to_owned()),
        };
        store
            .write(|txn| commit_plan(&store.tables, txn, &frame, changes, &nothing(frame.now)))
            .unwrap();
        let numbers = (self.first..).take(self.brings.len());
        numbers
            .map(|number| said(&store.find(id(number))))
            .collect()
    }
}

fn said(build: &Build) -> String {
    let check = build.check.clone().unwrap_or_default();
    if let State::Failed(failure) = &build.state {
        format!("{check}: {}", failure.message)
    } else {
        format!("{check}: {}", build.state.name())
    }
}

/// The newest build of a folder.
pub(in crate::usecase::look) fn newest_of(store: &Store, repository: u64, folder: &str) -> Build {
    let place = RecipePlace {
        repository: RepositoryId::new(repository),
        target: &main(),
        profile: &profile(),
        folder: &folder.parse().unwrap(),
    };
    let found = store
        .env
        .read(|txn| store.tables.newest_of_recipe(txn, place));
    found.unwrap().unwrap()
}

#[test]
fn a_name_stays_with_who_has_it_whatever_is_pushed_later() {
    let store = known();
    assert_eq!(
        push(1, &["n/nano: nano"], &[]).commit(&store),
        ["build nano: planned"]
    );
    assert_eq!(
        push(2, &["a/nano-git: nano"], &[]).commit(&store),
        ["build a/nano-git: the name nano is taken by the recipe in n/nano"]
    );
    let State::Failed(Failure {
        kind, annotations, ..
    }) = store.find(id(2)).state
    else {
        panic!("it failed");
    };
    assert_eq!(kind, FailureKind::NameTaken);
    let [Annotation { path, line, .. }] = &annotations[..] else {
        panic!("{annotations:?}");
    };
    assert_eq!((path.as_str(), *line), ("a/nano-git/stone.yaml", 1));
    // The same holds when the newcomer changes again, and when the holder changes or is unreadable.
    assert_eq!(
        push(3, &["a/nano-git: nano", "n/nano"], &[]).commit(&store),
        [
            "build a/nano-git: the name nano is taken by the recipe in n/nano",
            "build nano: a tab"
        ]
    );
    assert_eq!(
        push(5, &["n/nano: nano"], &[]).commit(&store),
        ["build nano: planned"]
    );
}

#[test]
fn a_name_is_taken_across_repositories() {
    let store = known();
    push(1, &["n/nano: nano"], &[]).commit(&store);
    let other = Push {
        repository: 2,
        ..push(2, &["x/nano: nano"], &[])
    };
    assert_eq!(
        other.commit(&store),
        ["build x/nano: the name nano is taken by the recipe in n/nano of snekbook/recipes-1"]
    );
    // The name is free as soon as the first repository gives it up.
    push(3, &[], &["n/nano"]).commit(&store);
    let revived = newest_of(&store, 2, "x/nano");
    assert_eq!(said(&revived), "build x/nano: planned");
    assert!(store.active().contains(&revived));
}

#[test]
fn a_newcomer_goes_on_when_it_gets_its_name() {
    for (brings, removes) in [(&["n/nano: pico"][..], &[][..]), (&[], &["n/nano"])] {
        let store = known();
        push(1, &["n/nano: nano"], &[]).commit(&store);
        push(2, &["a/nano: nano", "b/nano: nano"], &[]).commit(&store);
        push(4, brings, removes).commit(&store);
        assert_eq!(
            said(&newest_of(&store, 1, "a/nano")),
            "build a/nano: planned"
        );
        assert_eq!(newest_of(&store, 1, "b/nano").id, id(3));
    }
}

#[test]
fn names_change_hands_within_one_push() {
    let store = known();
    push(1, &["a/nano: nano", "b/pico: pico"], &[]).commit(&store);
    assert_eq!(
        push(3, &["c/nano: nano"], &["a/nano"]).commit(&store),
        ["build nano: planned"]
    );
    assert_eq!(
        push(4, &["b/pico: nano", "c/nano: pico"], &[]).commit(&store),
        ["build b/pico: planned", "build c/nano: planned"]
    );
}

#[test]
fn a_pull_request_is_compared_and_claims_nothing() {
    let store = known();
    push(1, &["n/nano: nano"], &[]).commit(&store);
    let pull = Push {
        target: pull(),
        ..push(2, &["a/nano: nano", "a/pico: pico"], &[])
    };
    let refused = "build a/nano: the name nano is taken by the recipe in n/nano";
    assert_eq!(pull.commit(&store), [refused, "build pico: planned"]);
    store.open(&store.find(id(2)));
    let again = |number| {
        let build = store.find(id(number));
        let asked = Role::writer()
            .authorise(crate::db::Progress::of(&[build]))
            .unwrap();
        let rebuilt = store.write(|txn| rebuild::part(&store.tables, txn, &asked, "ada", at(9)));
        let refused = rebuilt.unwrap().refused.pop();
        refused.and_then(|(_, reason)| reason)
    };
    assert_eq!(again(2), Some(NoRebuild::NameTaken));
    push(4, &["b/pico: pico"], &["n/nano"]).commit(&store);
    assert_eq!(said(&store.find(id(4))), "build pico: planned");
    // Now a person can ask for a rebuild.
    assert_eq!(again(2), None);
}

#[test]
fn a_broken_newcomer_does_not_hide_who_is_called_like_its_folder() {
    let store = known();
    assert_eq!(
        push(1, &["n/nano: nano", "x/nano"], &[]).commit(&store),
        ["build nano: planned", "build x/nano: a tab"]
    );
}
