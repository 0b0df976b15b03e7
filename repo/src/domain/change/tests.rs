use api::id::Sha256;
use moss_format::Meta;
use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, proptest};

use super::*;
use crate::domain::arrival::{Admission, admit};
use crate::domain::package::tests::package_of;

fn channel(packages: impl IntoIterator<Item = Package>) -> Packages {
    packages
        .into_iter()
        .map(|package| (slot(&package), package))
        .collect()
}

fn for_architecture(architecture: &str, name: &str, release: u64) -> Package {
    let meta = Meta {
        name: name.to_owned(),
        version: "1.0".to_owned(),
        release,
        build_release: 1,
        architecture: architecture.to_owned(),
        source_id: "nano".to_owned(),
        ..Meta::default()
    };
    let bytes = format!("{architecture} {name} {release}");
    Package::new(&meta, Sha256::of(bytes.as_bytes()), 7).unwrap()
}

fn names(packages: &[Package]) -> Vec<String> {
    let name = |package: &Package| package.name().to_string();
    packages.iter().map(name).collect()
}

/// `nano-doc` stands in the channel, in all combinations of what an import can be beside it: of its
/// recipe or another, for its architecture or another, lower, the same or higher in release and in
/// build, and with it or without it.
#[test]
fn the_whole_matrix_of_leaving() {
    let mut lines = Vec::new();
    let standing = package_of("nano", "nano-doc", 33, 5, "doc");
    for source in ["nano", "pico"] {
        for (release, which_release) in [(32, "lower"), (33, "same"), (34, "higher")] {
            for (build, which_build) in [(4, "lower"), (5, "same"), (6, "higher")] {
                for again in ["brought again", "not brought"] {
                    let mut arriving = vec![package_of(source, source, release, build, "x")];
                    if again == "brought again" {
                        arriving.push(package_of(source, "nano-doc", release, build, "y"));
                    }
                    let leaves = leaving(&channel([standing.clone()]), &arriving);
                    let which = format!(
                        "recipe {source}, {which_release} release, {which_build} build, {again}"
                    );
                    let verdict = if leaves.is_empty() { "stays" } else { "leaves" };
                    lines.push(format!("{which:<60} {verdict}"));
                }
            }
        }
    }
    let here = channel([for_architecture("aarch64", "nano-doc", 33)]);
    let elsewhere = leaving(&here, &[for_architecture("x86_64", "nano", 34)]);
    assert!(
        elsewhere.is_empty(),
        "for another architecture: {elsewhere:?}"
    );
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn each_recipe_of_an_import_is_taken_by_itself() {
    let packages = channel([
        package_of("gcc", "gcc", 5, 1, "1"),
        package_of("gcc", "gcc-doc", 5, 1, "2"),
        package_of("glibc", "glibc", 50, 1, "3"),
        package_of("glibc", "glibc-doc", 50, 1, "4"),
        package_of("nano", "nano-doc", 1, 1, "5"),
    ]);
    // The release of one says nothing of the other's.
    let arriving = [
        package_of("gcc", "gcc", 6, 1, "6"),
        package_of("glibc", "glibc", 50, 1, "3"),
    ];
    assert_eq!(names(&leaving(&packages, &arriving)), ["gcc-doc"]);
}

/// A name that one recipe gave up and another took, in whatever order they arrive.
#[test]
fn a_name_moves_from_one_recipe_to_another_within_an_import() {
    let packages = channel([
        package_of("nano", "nano", 33, 1, "1"),
        package_of("nano", "nano-doc", 33, 1, "2"),
    ]);
    let nano = package_of("nano", "nano", 34, 1, "3");
    let doc = package_of("manuals", "nano-doc", 1, 1, "4");
    for arriving in [[nano.clone(), doc.clone()], [doc.clone(), nano.clone()]] {
        let Ok(Admission::Changes(change)) = admit(&packages, &arriving) else {
            panic!("not taken: {:?}", admit(&packages, &arriving));
        };
        assert_eq!(names(&change.leaving), ["nano-doc"]);
        let mut after = packages.clone();
        change.apply(&mut after);
        assert_eq!(after, channel(arriving));
    }
    // Not while the first still makes it, and not before it has given it up.
    let still = package_of("nano", "nano-doc", 34, 1, "5");
    assert!(admit(&packages, &[nano.clone(), still, doc.clone()]).is_err());
    assert!(admit(&packages, std::slice::from_ref(&doc)).is_err());
    // After that, in an import of its own.
    let mut after = packages;
    for arriving in [nano, doc] {
        let Ok(Admission::Changes(change)) = admit(&after, &[arriving]) else {
            panic!("not taken");
        };
        change.apply(&mut after);
    }
    assert_eq!(after.len(), 2);
}

#[test]
fn stones_that_are_there_let_older_ones_leave_that_were_left_before() {
    // As a channel can be that took its packages before they left it.
    let packages = channel([
        package_of("nano", "nano", 34, 1, "1"),
        package_of("nano", "nano-doc", 33, 1, "2"),
    ]);
    let nano = package_of("nano", "nano", 34, 1, "1");
    let Ok(Admission::Changes(change)) = admit(&packages, std::slice::from_ref(&nano)) else {
        panic!("nothing leaves");
    };
    assert_eq!(names(&change.leaving), ["nano-doc"]);
    assert!(change.coming.is_empty());
    let mut after = packages;
    change.apply(&mut after);
    assert_eq!(admit(&after, &[nano]), Ok(Admission::Nothing));
}

/// What a build of one of three recipes makes: some of four names, in some release and build.
fn builds() -> impl Strategy<Value = Vec<Package>> {
    let names = ["nano", "nano-doc", "pico", "pico-doc"];
    let sources = ["nano", "pico", "manuals"];
    (0..sources.len(), 1..4_u64, 1..3_u64, any::<[bool; 4]>()).prop_map(
        move |(source, release, build, makes)| {
            let made = names.iter().zip(makes).filter(|(_, makes)| *makes);
            made.map(|(name, _)| {
                let bytes = format!("{source} {name} {release} {build}");
                package_of(sources[source], name, release, build, &bytes)
            })
            .collect()
        },
    )
}

fn ages(packages: &Packages) -> BTreeMap<RecipeName, Age> {
    let newest = Newest::of(packages.values());
    let ages = newest.0.iter();
    ages.map(|((source, _), package)| ((*source).clone(), package.age()))
        .collect()
}

proptest! {
    /// Imports of one to three builds, one after the other.
    #[test]
    fn a_channel_has_what_the_newest_builds_of_its_recipes_made(
        imports in vec(vec(builds(), 1..4), 1..30)
    ) {
        let mut packages = Packages::new();
        for builds in imports {
            let arriving = builds.concat();
            let turned: Vec<Package> = arriving.iter().rev().cloned().collect();
            let before = packages.clone();
            let Ok(admission) = admit(&packages, &arriving) else {
                // Then in no other order either.
                prop_assert!(admit(&packages, &turned).is_err());
                continue;
            };
            let Admission::Changes(change) = admission else {
                prop_assert!(arriving.iter().all(|package| before.get(&slot(package)) == Some(package)));
                continue;
            };
            change.apply(&mut packages);
            // All that it brought is there.
            for package in &arriving {
                prop_assert_eq!(packages.get(&slot(package)), Some(package));
            }
            // Of its recipes nothing older is left that it did not bring, and the packages of all
            // others are as before.
            let newest = Newest::of(&arriving);
            for package in packages.values() {
                let is_old = newest.age(package).is_some_and(|age| package.age() < age);
                prop_assert!(!is_old || arriving.contains(package));
            }
            for (slot, package) in &before {
                let is_touched = newest.find(package).is_some();
                prop_assert!(is_touched || packages.get(slot) == Some(package));
            }
            // No recipe goes back, and none that the channel has goes from it.
            let after = ages(&packages);
            for (source, age) in ages(&before) {
                prop_assert!(after.get(&source).is_some_and(|after| *after >= age));
            }
            // Once more it changes nothing, and its order did not matter.
            prop_assert_eq!(admit(&packages, &arriving), Ok(Admission::Nothing));
            let Ok(Admission::Changes(turned)) = admit(&before, &turned) else {
                panic!("taken in one order only");
            };
            let mut other = before;
            turned.apply(&mut other);
            prop_assert_eq!(&other, &packages);
        }
    }
}
