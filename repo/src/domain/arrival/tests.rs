use api::id::Sha256;
use proptest::collection::vec;
use proptest::prelude::{prop_assert, proptest};

use super::*;
use crate::domain::package::tests::{package, package_of};
use crate::domain::pool::Place;

fn channel(packages: impl IntoIterator<Item = Package>) -> Packages {
    packages
        .into_iter()
        .map(|package| (slot(&package), package))
        .collect()
}

/// What an import does by which nothing leaves.
fn only(coming: impl IntoIterator<Item = Package>) -> Admission {
    Admission::Changes(Change {
        coming: coming.into_iter().collect(),
        leaving: Vec::new(),
    })
}

fn stone_of(package: &Package) -> Stone {
    Stone {
        file_name: package.file_name().clone(),
        uri: "http://127.0.0.1/x".parse().unwrap(),
        sha256: package.sha256(),
        size: package.size(),
    }
}

/// Every combination of lower, same and higher release, lower, same and higher build release, same
/// and other bytes, same and other recipe.
#[test]
fn the_whole_matrix_of_arrivals() {
    let standing = package("nano", 33, 5, "standing");
    let mut lines = vec![format!("{:<60} New", "nothing stands there")];
    assert_eq!(judge(None, &standing), Ok(Arrival::New));
    for source in ["nano", "pico"] {
        for (release, which_release) in [(32, "lower"), (33, "same"), (34, "higher")] {
            for (build, which_build) in [(4, "lower"), (5, "same"), (6, "higher")] {
                for bytes in ["standing", "other"] {
                    let arriving = package_of(source, "nano", release, build, bytes);
                    let which = format!(
                        "recipe {source}, {which_release} release, {which_build} build, {bytes} bytes"
                    );
                    let verdict = match judge(Some(&standing), &arriving) {
                        Ok(arrival) => format!("{arrival:?}"),
                        Err(refusal) => {
                            assert_eq!(refusal.file_name.as_ref(), Some(arriving.file_name()));
                            format!("{:?}: {}", refusal.reason, refusal.message)
                        }
                    };
                    lines.push(format!("{which:<60} {verdict}"));
                }
            }
        }
    }
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn stones_that_are_there_change_nothing() {
    let packages = channel([package("nano", 33, 1, "a"), package("lz4", 2, 1, "b")]);
    let same = [package("lz4", 2, 1, "b")];
    assert_eq!(admit(&packages, &same), Ok(Admission::Nothing));
    let mixed = [package("nano", 33, 1, "a"), package("lz4", 3, 1, "c")];
    assert_eq!(
        admit(&packages, &mixed),
        Ok(only([package("lz4", 3, 1, "c")]))
    );
}

#[test]
fn one_refusal_refuses_all() {
    let packages = channel([package("nano", 33, 1, "a")]);
    let arriving = [package("lz4", 1, 1, "b"), package("nano", 32, 1, "c")];
    let refusal = admit(&packages, &arriving).unwrap_err();
    assert_eq!(refusal.reason, RefusalReason::ReleaseLower);
}

#[test]
fn what_left_does_not_come_back() {
    let packages = channel([package_of("nano", "nano", 34, 2, "a")]);
    let doc = |release, build| package_of("nano", "nano-doc", release, build, "doc");
    for (release, build, verdict) in [
        (
            33,
            1,
            "the channel has release 34, build 2 of the recipe nano, which is higher than 33, build 1",
        ),
        (
            33,
            9,
            "the channel has release 34, build 2 of the recipe nano, which is higher than 33, build 9",
        ),
        (
            34,
            1,
            "the channel has release 34, build 2 of the recipe nano, which is higher than 34, build 1",
        ),
    ] {
        let refusal = admit(&packages, &[doc(release, build)]).unwrap_err();
        assert_eq!(refusal.reason, RefusalReason::ReleaseLower);
        assert_eq!(refusal.message, verdict);
    }
    // Of the same build it was only late.
    assert_eq!(admit(&packages, &[doc(34, 2)]), Ok(only([doc(34, 2)])));
}

#[test]
fn what_leaves_makes_room() {
    let packages = channel((0..MAX_PACKAGES).map(|n| package_of("p", &format!("p{n}"), 1, 1, "x")));
    let arriving: Vec<_> = (1..=MAX_PACKAGES)
        .map(|n| package_of("p", &format!("p{n}"), 2, 1, "y"))
        .collect();
    let Ok(Admission::Changes(change)) = admit(&packages, &arriving) else {
        panic!("not taken");
    };
    assert_eq!(change.leaving, [package_of("p", "p0", 1, 1, "x")]);
    let one_more = package_of("p", "q", 2, 1, "y");
    let refusal = admit(&packages, &[arriving, vec![one_more]].concat()).unwrap_err();
    assert_eq!(refusal.reason, RefusalReason::ChannelFull);
}

#[test]
fn two_of_one_name_are_refused_even_when_equal() {
    for second in [package("nano", 33, 1, "a"), package("nano", 34, 1, "b")] {
        let arriving = [package("nano", 33, 1, "a"), second];
        let refusal = admit(&Packages::new(), &arriving).unwrap_err();
        assert_eq!(
            refusal.reason,
            RefusalReason::DuplicateName,
            "{}",
            refusal.message
        );
    }
}

#[test]
fn architectures_are_apart() {
    let meta = |architecture: &str| moss_format::Meta {
        name: "nano".to_owned(),
        version: "8.3".to_owned(),
        release: 33,
        build_release: 1,
        architecture: architecture.to_owned(),
        source_id: "nano".to_owned(),
        ..moss_format::Meta::default()
    };
    let of = |architecture: &str| {
        Package::new(&meta(architecture), Sha256::of(architecture.as_bytes()), 7).unwrap()
    };
    let packages = channel([of("x86_64")]);
    let arriving = [of("x86_64"), of("aarch64")];
    assert_eq!(admit(&packages, &arriving), Ok(only([of("aarch64")])));
}

#[test]
fn an_index_takes_so_many_and_no_more() {
    let packages = channel((0..MAX_PACKAGES).map(|n| package(&format!("p{n}"), 1, 1, "x")));
    let upgrade = [package("p0", 2, 1, "y")];
    assert!(matches!(
        admit(&packages, &upgrade),
        Ok(Admission::Changes(_))
    ));
    let one_more = [package("q", 1, 1, "z")];
    let refusal = admit(&packages, &one_more).unwrap_err();
    assert_eq!(refusal.reason, RefusalReason::ChannelFull);
}

#[test]
fn a_stone_must_be_what_the_order_says() {
    let package = package("nano", 33, 1, "a");
    let stone = stone_of(&package);
    let nano: RecipeName = "nano".parse().unwrap();
    let here: [Architecture; 1] = ["x86_64".parse().unwrap()];
    assert_eq!(check_claims(&stone, &nano, &here, &package), Ok(()));
    let elsewhere: [Architecture; 1] = ["aarch64".parse().unwrap()];
    let other_name = Stone {
        file_name: "nano-1.0-33-2-x86_64.stone".parse().unwrap(),
        ..stone.clone()
    };
    let other_size = Stone {
        size: 8,
        ..stone.clone()
    };
    let pico: RecipeName = "pico".parse().unwrap();
    let refusals = [
        check_claims(&other_name, &nano, &here, &package),
        check_claims(&stone, &pico, &here, &package),
        check_claims(&stone, &nano, &elsewhere, &package),
        check_claims(&other_size, &nano, &here, &package),
    ]
    .map(|refused| {
        let refusal = refused.unwrap_err();
        assert_eq!(refusal.reason, RefusalReason::StoneMismatch);
        refusal.message
    });
    insta::assert_snapshot!(refusals.join("\n"));
}

#[test]
fn an_order_names_a_stone_once() {
    let (nano, lz4) = (
        stone_of(&package("nano", 33, 1, "a")),
        stone_of(&package("lz4", 1, 1, "b")),
    );
    assert_eq!(check_file_names([&nano, &lz4]), Ok(()));
    let refusal = check_file_names([&nano, &lz4, &nano]).unwrap_err();
    assert_eq!(refusal.reason, RefusalReason::DuplicateName);
    assert_eq!(refusal.file_name, Some(nano.file_name));
}

proptest! {
    /// Whatever arrives in whatever order: no package goes back, and no name in the pool ever
    /// stands for other bytes.
    #[test]
    fn a_channel_never_goes_back(
        arrivals in vec((0..2_usize, 0..2_usize, 1..4_u64, 1..4_u64, 0..3_u8), 1..40)
    ) {
        let names = ["nano", "pico"];
        let (mut packages, mut pool) = (Packages::new(), BTreeMap::new());
        for (source, name, release, build_release, bytes) in arrivals {
            let (source, name) = (names[source], names[name]);
            // A stone's bytes hold what it says of itself: other builds are never the same bytes.
            let bytes = format!("{source} {name} {release} {build_release} {bytes}");
            let arriving = package_of(source, name, release, build_release, &bytes);
            let Ok(Admission::Changes(change)) = admit(&packages, &[arriving]) else { continue };
            for package in &change.coming {
                // Whatever was published once, and has left since, is not brought again.
                prop_assert!(pool.insert(Place::of(package), package.sha256()).is_none());
                if let Some(before) = packages.get(&slot(package)) {
                    prop_assert!(before.source() != package.source() || before.age() < package.age());
                }
            }
            change.apply(&mut packages);
        }
    }
}
