use api::id::{CommitSha, RecipeFolder, TreeSha};
use git2::{Index, IndexEntry, IndexTime, Oid, Repository, Signature, Time};
use tempfile::TempDir;
use url::Url;

use super::mirror::{commit_sha, oid};
use super::{Bounds, Changes, Error, Mirror, Mirrors, RecipeTree, Stop, TooLarge, Unfit};
use crate::domain::name::RepositoryId;

const FILE: u32 = 0o100_644;
const LINK: u32 = 0o120_000;
const SUBMODULE: u32 = 0o160_000;

struct Fixture {
    folder: TempDir,
    mirror: Mirror,
}

fn fixture() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let mirror = Mirrors::new(folder.path().join("mirrors"))
        .open(RepositoryId::new(1))
        .unwrap();
    Fixture { folder, mirror }
}

fn write(git: &Repository, parents: &[CommitSha], files: &[(&str, &str, u32)]) -> CommitSha {
    let mut index = Index::new().unwrap();
    for (path, text, mode) in files {
        let id = if *mode == SUBMODULE {
            Oid::from_bytes(&[7; 20]).unwrap()
        } else {
            git.blob(text.as_bytes()).unwrap()
        };
        index
            .add(&IndexEntry {
                ctime: IndexTime::new(0, 0),
                mtime: IndexTime::new(0, 0),
                dev: 0,
                ino: 0,
                mode: *mode,
                uid: 0,
                gid: 0,
                file_size: 0,
                id,
                flags: 0,
                flags_extended: 0,
                path: path.as_bytes().to_vec(),
            })
            .unwrap();
    }
    let tree = git.find_tree(index.write_tree_to(git).unwrap()).unwrap();
    let author = Signature::new(
        "A Packager",
        "a@example.org",
        &Time::new(1_600_000_000, 120),
    );
    let committer = Signature::new("B", "b@example.org", &Time::new(1_700_000_000, 0)).unwrap();
    let parents: Vec<_> = parents
        .iter()
        .map(|p| git.find_commit(oid(*p)).unwrap())
        .collect();
    let parents: Vec<_> = parents.iter().collect();
    let written = git.commit(
        None,
        &author.unwrap(),
        &committer,
        "Change",
        &tree,
        &parents,
    );
    commit_sha(written.unwrap())
}

impl Fixture {
    fn commit(&self, parents: &[CommitSha], files: &[(&str, &str)]) -> CommitSha {
        let files: Vec<_> = files
            .iter()
            .map(|(path, text)| (*path, *text, FILE))
            .collect();
        write(&self.mirror.git, parents, &files)
    }

    fn changes(&self, base: Option<CommitSha>, head: CommitSha) -> (Vec<String>, Vec<String>) {
        let found = self.mirror.changed_recipes(base, head, Bounds::TRUSTED);
        let Changes { changed, removed } = found.unwrap().unwrap();
        (
            changed
                .iter()
                .map(|recipe| recipe.folder.to_string())
                .collect(),
            removed.iter().map(ToString::to_string).collect(),
        )
    }
}

impl Fixture {
    fn conflicts(&self, ours: CommitSha, theirs: CommitSha) -> Option<super::Conflicts> {
        let found = self.mirror.find_conflicts(ours, theirs, Bounds::TRUSTED);
        found.unwrap().unwrap()
    }

    /// A commit whose tree has the same subtree ten times, with ten levels: a dozen objects make
    /// 10^10 paths, each with a recipe.
    fn bomb(&self, levels: usize, recipe: &str) -> CommitSha {
        let git = &self.mirror.git;
        let mut builder = git.treebuilder(None).unwrap();
        let blob = git.blob(recipe.as_bytes()).unwrap();
        builder
            .insert("stone.yaml", blob, FILE.cast_signed())
            .unwrap();
        let mut tree = builder.write().unwrap();
        for _ in 0..levels {
            let mut builder = git.treebuilder(None).unwrap();
            for name in 0..10 {
                builder.insert(name.to_string(), tree, 0o040_000).unwrap();
            }
            tree = builder.write().unwrap();
        }
        let who = Signature::new("A", "a@example.org", &Time::new(1, 0)).unwrap();
        let tree = git.find_tree(tree).unwrap();
        commit_sha(git.commit(None, &who, &who, "Bomb", &tree, &[]).unwrap())
    }
}

fn folder(text: &str) -> RecipeFolder {
    text.parse().unwrap()
}

fn both(changed: &[&str], removed: &[&str]) -> (Vec<String>, Vec<String>) {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    (owned(changed), owned(removed))
}

#[test]
fn recipes_are_found_at_any_depth() {
    let fixture = fixture();
    let head = fixture.commit(
        &[],
        &[
            ("README.md", "no recipe"),
            ("a/stone.yaml", "a"),
            ("b/c/d/stone.yml", "d"),
            ("b/c/d/pkg/patch", "of d"),
            ("b/stone.yaml.old", "no recipe"),
        ],
    );
    assert_eq!(fixture.changes(None, head), both(&["a", "b/c/d"], &[]));
    assert_eq!(fixture.changes(Some(head), head), both(&[], &[]));
}

#[test]
fn a_recipe_changes_with_every_file_below_it() {
    let fixture = fixture();
    let base = fixture.commit(
        &[],
        &[
            ("a/stone.yaml", "a"),
            ("a/pkg/patch", "1"),
            ("b/stone.yaml", "b"),
            ("x", "1"),
        ],
    );
    let head = fixture.commit(
        &[base],
        &[
            ("a/stone.yaml", "a"),
            ("a/pkg/patch", "2"),
            ("b/stone.yaml", "b"),
            ("x", "2"),
        ],
    );
    let found = fixture
        .mirror
        .changed_recipes(Some(base), head, Bounds::TRUSTED);
    let Changes { changed, .. } = found.unwrap().unwrap();
    let git = &fixture.mirror.git;
    let tree = git.find_commit(oid(head)).unwrap().tree().unwrap();
    let mut bytes = [0; 20];
    bytes.copy_from_slice(tree.get_name("a").unwrap().id().as_bytes());
    assert_eq!(
        changed,
        [RecipeTree {
            folder: folder("a"),
            tree: TreeSha::from_bytes(bytes),
            oddity: None,
        }]
    );
}

#[test]
fn a_recipe_can_lie_at_the_top_and_around_others() {
    let fixture = fixture();
    let base = fixture.commit(&[], &[("stone.yaml", "top"), ("inner/stone.yaml", "1")]);
    let head = fixture.commit(&[base], &[("stone.yaml", "top"), ("inner/stone.yaml", "2")]);
    // The outer recipe's tree contains the inner one, so it changes too.
    assert_eq!(
        fixture.changes(Some(base), head),
        both(&[".", "inner"], &[])
    );
    let found = fixture
        .mirror
        .find_recipe(head, &folder("."))
        .unwrap()
        .unwrap();
    assert_eq!(
        (found.path.as_str(), found.recipe),
        ("stone.yaml", Ok(b"top".to_vec()))
    );
}

/// After a force push the planned commit is no ancestor of the head. The two trees are compared,
/// not the histories.
#[test]
fn a_force_push_is_the_difference_of_the_trees() {
    let fixture = fixture();
    let root = fixture.commit(&[], &[("a/stone.yaml", "1"), ("b/stone.yaml", "1")]);
    let planned = fixture.commit(&[root], &[("a/stone.yaml", "2"), ("b/stone.yaml", "1")]);
    let forced = fixture.commit(&[root], &[("a/stone.yaml", "1"), ("b/stone.yaml", "3")]);
    assert_eq!(
        fixture.changes(Some(planned), forced),
        both(&["a", "b"], &[])
    );
    let unrelated = fixture.commit(&[], &[("a/stone.yaml", "2"), ("b/stone.yaml", "1")]);
    assert_eq!(fixture.changes(Some(planned), unrelated), both(&[], &[]));
}

#[test]
fn renamed_and_deleted_folders_are_told() {
    let fixture = fixture();
    let base = fixture.commit(
        &[],
        &[
            ("a/stone.yaml", "1"),
            ("b/c/stone.yaml", "1"),
            ("b/d/stone.yaml", "1"),
            ("e/stone.yaml", "1"),
            ("f/stone.yaml", "1"),
            ("f/x", ""),
        ],
    );
    let head = fixture.commit(
        &[base],
        &[
            ("new/a/stone.yaml", "1"),
            ("e/stone.yaml", "1"),
            ("b/c", "a file now"),
            ("f/x", ""),
        ],
    );
    assert_eq!(
        fixture.changes(Some(base), head),
        both(&["new/a"], &["a", "b/c", "b/d", "f"])
    );
}

#[test]
fn what_is_called_like_a_recipe_and_is_no_file_is_told() {
    let fixture = fixture();
    let head = write(
        &fixture.mirror.git,
        &[],
        &[
            ("a/stone.yaml", "../b/stone.yaml", LINK),
            ("b/stone.yaml", "b", FILE),
            ("c/stone.yaml", "/etc/passwd", LINK),
            ("c/stone.yml", "c", FILE),
            ("d/stone.yaml/x", "a folder of that name", FILE),
            ("linked", "b", LINK),
        ],
    );
    assert_eq!(
        fixture.changes(None, head),
        both(&["a", "b", "c", "d"], &[])
    );
    let unfit = |name| {
        let found = fixture.mirror.find_recipe(head, &folder(name));
        found.unwrap().unwrap().recipe.unwrap_err()
    };
    assert_eq!(unfit("a"), Unfit::Link);
    assert_eq!(unfit("d"), Unfit::Folder);
    let found = fixture
        .mirror
        .find_recipe(head, &folder("c"))
        .unwrap()
        .unwrap();
    assert_eq!(
        (found.path.as_str(), found.recipe),
        ("c/stone.yml", Ok(b"c".to_vec()))
    );
}

#[test]
fn submodules_are_passed_over() {
    let fixture = fixture();
    let head = write(
        &fixture.mirror.git,
        &[],
        &[
            ("sub", "", SUBMODULE),
            ("a/sub", "", SUBMODULE),
            ("a/stone.yaml", "a", FILE),
            ("a/manifest.x86_64.bin", "", SUBMODULE),
            ("b/stone.yaml", "", SUBMODULE),
        ],
    );
    assert_eq!(fixture.changes(None, head), both(&["a", "b"], &[]));
    let found = fixture.mirror.find_recipe(head, &folder("b"));
    assert_eq!(found.unwrap().unwrap().recipe, Err(Unfit::Submodule));
    assert_eq!(
        fixture.mirror.find_recipe(head, &folder("sub")).unwrap(),
        None
    );
    let found = fixture
        .mirror
        .find_recipe(head, &folder("a"))
        .unwrap()
        .unwrap();
    assert!(found.manifests.is_empty());
}

#[test]
fn a_recipe_comes_with_its_manifests() {
    let fixture = fixture();
    let head = fixture.commit(
        &[],
        &[
            ("a/stone.yml", "worse"),
            ("a/stone.yaml", "better"),
            ("a/manifest.aarch64.bin", "1"),
            ("a/manifest.x86_64.bin", "2"),
            ("a/manifest.x86_64.jsonc", "text"),
            ("a/manifest.odd.bin/x", "a folder of that name"),
        ],
    );
    let found = fixture
        .mirror
        .find_recipe(head, &folder("a"))
        .unwrap()
        .unwrap();
    assert_eq!(found.path, "a/stone.yaml");
    assert_eq!(found.recipe, Ok(b"better".to_vec()));
    let manifests = found.manifests.values();
    let manifests = manifests.map(|id| fixture.mirror.read_manifest(*id).unwrap());
    assert_eq!(manifests.collect::<Vec<_>>(), [b"1", b"2"]);
    assert_eq!(
        fixture.mirror.find_recipe(head, &folder("b")).unwrap(),
        None
    );
    assert_eq!(
        fixture
            .mirror
            .find_recipe(head, &folder("a/stone.yaml"))
            .unwrap(),
        None
    );
}

/// One absurd file must not keep the rest of a repository from being planned.
#[test]
fn large_files_are_not_read() {
    let fixture = fixture();
    let large = "x".repeat((4 << 20) + 1);
    let head = fixture.commit(
        &[],
        &[("a/stone.yaml", &large), ("a/manifest.x86_64.bin", &large)],
    );
    let found = fixture
        .mirror
        .find_recipe(head, &folder("a"))
        .unwrap()
        .unwrap();
    assert_eq!(
        found.recipe.unwrap_err().to_string(),
        "it has 4194305 bytes, and at most 1048576 are read"
    );
    assert!(found.manifests.is_empty());
}

#[test]
fn deep_folders_end_somewhere() {
    let fixture = fixture();
    let deep = format!("{}stone.yaml", "d/".repeat(200));
    let head = fixture.commit(&[], &[(&deep, "x"), ("z/stone.yaml", "z")]);
    assert_eq!(fixture.changes(None, head), both(&["z"], &[]));
}

#[test]
fn merge_bases_are_found_where_histories_meet() {
    let fixture = fixture();
    let root = fixture.commit(&[], &[("a", "1")]);
    let ours = fixture.commit(&[root], &[("a", "2")]);
    let theirs = fixture.commit(&[root], &[("a", "3")]);
    let unrelated = fixture.commit(&[], &[("a", "4")]);
    assert_eq!(
        fixture.mirror.find_merge_base(ours, theirs).unwrap(),
        Some(root)
    );
    assert_eq!(
        fixture.mirror.find_merge_base(ours, unrelated).unwrap(),
        None
    );
    let missing = CommitSha::from_bytes([9; 20]);
    assert!(fixture.mirror.find_merge_base(ours, missing).is_err());
    assert!(fixture.mirror.has(ours) && !fixture.mirror.has(missing));
}

#[test]
fn conflicts_are_named() {
    let fixture = fixture();
    let root = fixture.commit(&[], &[("a", "1\n"), ("b", "1\n"), ("gone", "1\n")]);
    let ours = fixture.commit(&[root], &[("a", "2\n"), ("b", "1\n"), ("new", "ours\n")]);
    let apart = fixture.commit(&[root], &[("a", "1\n"), ("b", "2\n"), ("gone", "1\n")]);
    assert_eq!(fixture.conflicts(ours, apart), None);
    assert_eq!(fixture.conflicts(ours, root), None);
    let theirs = fixture.commit(
        &[root],
        &[
            ("a", "3\n"),
            ("b", "1\n"),
            ("new", "theirs\n"),
            ("gone", "2\n"),
        ],
    );
    let conflicts = fixture.conflicts(ours, theirs).unwrap();
    assert_eq!(conflicts.paths, ["a", "gone", "new"]);
    assert_eq!(conflicts.count, 3);
}

#[test]
fn many_conflicts_are_counted() {
    let fixture = fixture();
    let paths: Vec<String> = (0..50).map(|n| format!("f{n:02}")).collect();
    let side = |text: &str, parents: &[CommitSha]| {
        let files: Vec<_> = paths.iter().map(|path| (path.as_str(), text)).collect();
        fixture.commit(parents, &files)
    };
    let root = side("1", &[]);
    let conflicts = fixture.conflicts(side("2", &[root]), side("3", &[root]));
    let conflicts = conflicts.unwrap();
    assert_eq!((conflicts.paths.len(), conflicts.count), (20, 50));
}

#[test]
fn the_author_time_is_taken_not_the_committers() {
    let fixture = fixture();
    let head = fixture.commit(&[], &[("a", "1")]);
    assert_eq!(fixture.mirror.author_time(head).unwrap(), 1_600_000_000);
}

/// A fetch follows a force push. It deletes a ref that upstream no longer has.
#[test]
fn fetching_follows_what_is_there() {
    let fixture = fixture();
    let path = fixture.folder.path().join("origin.git");
    let origin = Repository::init_bare(&path).unwrap();
    let url = Url::from_file_path(&path).unwrap();
    let name = "refs/heads/main";
    let fetch = || {
        let refs = [name.to_owned(), "refs/pull/1/head".to_owned()];
        fixture.mirror.fetch(&url, None, &refs).unwrap();
        fixture.mirror.find_ref(name).unwrap()
    };
    assert_eq!(fetch(), None);
    let first = write(&origin, &[], &[("a/stone.yaml", "1", FILE)]);
    origin.reference(name, oid(first), true, "").unwrap();
    assert_eq!(fetch(), Some(first));
    let second = write(&origin, &[first], &[("a/stone.yaml", "2", FILE)]);
    origin.reference(name, oid(second), true, "").unwrap();
    assert_eq!(fetch(), Some(second));
    fixture.mirror.keep("main/second", second).unwrap();
    let forced = write(&origin, &[], &[("b/stone.yaml", "1", FILE)]);
    origin.reference(name, oid(forced), true, "").unwrap();
    assert_eq!(fetch(), Some(forced));
    assert_eq!(fixture.changes(Some(second), forced), both(&["b"], &["a"]));
    origin.find_reference(name).unwrap().delete().unwrap();
    assert_eq!(fetch(), None);
}

const STRICT: Bounds = Bounds {
    entries: 1000,
    bytes: 1 << 20,
};

#[test]
fn a_tree_of_billions_of_folders_is_counted_and_left() {
    let fixture = fixture();
    let base = fixture.commit(&[], &[("a/stone.yaml", "a")]);
    let bomb = fixture.bomb(10, "x");
    let limit = STRICT.entries;
    let too_large = TooLarge::Entries { limit };
    let walked = fixture.mirror.changed_recipes(Some(base), bomb, STRICT);
    assert_eq!(walked.unwrap(), Err(too_large));
    // No merge is tried, because a merge would visit all of it.
    let merged = fixture.mirror.find_conflicts(base, bomb, STRICT);
    assert_eq!(merged.unwrap(), Err(too_large));
    // Equal trees are not visited.
    let same = fixture.mirror.changed_recipes(Some(bomb), bomb, STRICT);
    assert_eq!(same.unwrap(), Ok(Changes::default()));
}

#[test]
fn what_is_large_elsewhere_is_no_business_of_a_change() {
    let fixture = fixture();
    let many: Vec<String> = (0..2000).map(|n| format!("many/{n}")).collect();
    let mut files: Vec<_> = many.iter().map(|path| (path.as_str(), "1")).collect();
    let base = fixture.commit(&[], &files);
    files.push(("many/stone.yaml", "2"));
    let head = fixture.commit(&[base], &files);
    let found = fixture.mirror.changed_recipes(Some(base), head, STRICT);
    assert_eq!(found.unwrap().unwrap().changed.len(), 1);
    let merged = fixture.mirror.find_conflicts(base, head, STRICT);
    assert_eq!(merged.unwrap(), Ok(None));
}

#[test]
fn files_and_folders_that_a_merge_could_choke_on_are_not_merged() {
    let fixture = fixture();
    let base = fixture.commit(&[], &[("a", "1")]);
    let zeros = "0".repeat(600 << 10);
    let large = fixture.commit(&[base], &[("a", "1"), ("b", &zeros), ("c", &zeros)]);
    let merged = fixture.mirror.find_conflicts(base, large, STRICT);
    let limit = STRICT.bytes;
    assert_eq!(merged.unwrap(), Err(TooLarge::Files { limit }));
    let deep = fixture.commit(&[base], &[(&format!("{}x", "d/".repeat(200)), "1")]);
    let merged = fixture.mirror.find_conflicts(base, deep, STRICT);
    assert_eq!(merged.unwrap(), Err(TooLarge::Depth { limit: 128 }));
}

#[test]
fn work_stops_when_nobody_waits_for_it() {
    let fixture = fixture();
    let bomb = fixture.bomb(10, "x");
    let stop = Stop::default();
    let mirror = fixture.mirror.until(stop.clone());
    stop.stop();
    let walked = mirror.changed_recipes(None, bomb, Bounds::TRUSTED);
    assert!(matches!(walked, Err(Error::Stopped)));
    let merged = mirror.find_conflicts(bomb, bomb, Bounds::TRUSTED);
    assert!(matches!(merged, Err(Error::Stopped)));
}

#[test]
fn the_files_of_a_recipe_are_no_recipes() {
    let fixture = fixture();
    let outer = [
        ("n/nano/stone.yaml", "1"),
        ("n/nano/pkg/sample/stone.yaml", "1"),
        ("n/nano/extra/stone.yaml", "1"),
        ("pkg/tool/stone.yaml", "1"),
    ];
    let head = fixture.commit(&[], &outer);
    let recipes = both(&["n/nano", "n/nano/extra", "pkg/tool"], &[]);
    assert_eq!(fixture.changes(None, head), recipes);
    // A `pkg` folder is searched only if the folder around it has no recipe.
    let without = fixture.commit(&[head], &outer[1..]);
    assert_eq!(
        fixture.changes(Some(head), without),
        both(&["n/nano/pkg/sample"], &["n/nano"])
    );
    assert_eq!(
        fixture.changes(Some(without), head),
        both(&["n/nano"], &["n/nano/pkg/sample"])
    );
}

#[test]
fn recipes_in_odd_folders_are_told() {
    let fixture = fixture();
    let git = &fixture.mirror.git;
    let good = git.find_commit(oid(fixture.commit(&[], &[("stone.yaml", "1")])));
    let recipe = good.unwrap().tree_id();
    let mut builder = git.treebuilder(None).unwrap();
    for name in [&b"back\\slash"[..], b"tab\there", b"no\xffutf", b"plain"] {
        builder.insert(name, recipe, 0o040_000).unwrap();
    }
    let tree = git.find_tree(builder.write().unwrap()).unwrap();
    let who = Signature::new("A", "a@example.org", &Time::new(1, 0)).unwrap();
    let head = git.commit(None, &who, &who, "Odd", &tree, &[]).unwrap();
    let found = fixture
        .mirror
        .changed_recipes(None, commit_sha(head), Bounds::TRUSTED);
    let changed = found.unwrap().unwrap().changed;
    let said = changed.iter().map(|recipe| {
        let why = recipe.oddity.map(|oddity| oddity.to_string());
        (recipe.folder.to_string(), why.unwrap_or_default())
    });
    insta::assert_debug_snapshot!(said.collect::<Vec<_>>());
}
