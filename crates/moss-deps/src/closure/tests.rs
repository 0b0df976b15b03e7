use proptest::prelude::{Just, Strategy, proptest};

use super::*;

fn dependency(text: &str) -> Dependency {
    text.parse().unwrap()
}

/// `"nano: soname(libncursesw.so.6) | binary(nano)"` depends on the first and provides the
/// second.
fn package(line: &str) -> Meta {
    let (name, rest) = line.split_once(':').unwrap();
    let (depends, provides) = rest.split_once('|').unwrap_or((rest, ""));
    Meta {
        name: name.to_owned(),
        depends: depends.split_whitespace().map(dependency).collect(),
        provides: provides
            .split_whitespace()
            .map(|text| text.parse().unwrap())
            .collect(),
        ..Meta::default()
    }
}

fn names<'a>(closure: &Closure<'a>) -> Vec<&'a str> {
    closure
        .packages
        .iter()
        .map(|package| package.name.as_str())
        .collect()
}

const LINES: [&str; 6] = [
    "nano: soname(libncursesw.so.6) soname(libc.so.6) nano-data | binary(nano)",
    "nano-data: binary(sh)",
    "ncurses-libs: soname(libc.so.6) terminfo | soname(libncursesw.so.6)",
    "ncurses-devel: ncurses-libs | pkgconfig(ncursesw)",
    "dash: soname(libc.so.6) nano-data | binary(sh)",
    "unrelated: missing",
];

#[test]
fn a_closure_holds_what_is_needed_and_no_more() {
    let packages = LINES.map(package);
    let universe = Universe::new(packages.clone());
    let roots = [dependency("nano"), dependency("pkgconfig(ncursesw)")];
    let closure = universe.closure(roots, |_| true);
    assert_eq!(
        names(&closure),
        ["dash", "nano", "nano-data", "ncurses-devel", "ncurses-libs"]
    );
    assert_eq!(
        closure.host,
        BTreeSet::from([dependency("soname(libc.so.6)"), dependency("terminfo")])
    );
    assert_eq!(closure.missing, []);
}

#[test]
fn what_is_missing_says_why_it_was_asked_for() {
    let packages = LINES.map(package);
    let universe = Universe::new(packages.clone());
    let roots = [dependency("binary(nano)"), dependency("pkgconfig(gone)")];
    let closure = universe.closure(roots, |need| need.name() == "libc.so.6");
    let shown: Vec<_> = closure.missing.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "nothing provides `terminfo`, needed by `ncurses-libs`, needed by `nano`, which was \
             chosen for `binary(nano)`",
            "nothing provides `pkgconfig(gone)`",
        ]
    );
}

#[test]
fn the_newest_of_one_name_is_chosen() {
    let of = |release, build_release, provides: &str| Meta {
        release,
        build_release,
        ..package(&format!("a: | {provides}"))
    };
    let packages = [
        of(2, 1, "binary(old)"),
        of(9, 1, ""),
        of(9, 2, "binary(new)"),
        of(1, 7, ""),
    ];
    let universe = Universe::new(packages.clone());
    let chosen = universe.provider_of(&dependency("a")).unwrap();
    assert_eq!((chosen.release, chosen.build_release), (9, 2));
    assert!(universe.provider_of(&dependency("binary(new)")).is_some());
    assert!(
        universe.provider_of(&dependency("binary(old)")).is_none(),
        "it is not offered"
    );
}

#[test]
fn of_several_providers_the_one_of_that_name_is_chosen_else_the_first() {
    let packages = ["vim: | binary(vi)", "busybox: | binary(vi)"].map(package);
    let universe = Universe::new(packages.clone());
    let chosen = |text| {
        universe
            .provider_of(&dependency(text))
            .map(|package| &*package.name)
    };
    assert_eq!(chosen("binary(vi)"), Some("busybox"));
    let packages = ["vi: | binary(vi)", "busybox: | binary(vi)"].map(package);
    let universe = Universe::new(packages.clone());
    let chosen = |text| {
        universe
            .provider_of(&dependency(text))
            .map(|package| &*package.name)
    };
    assert_eq!(chosen("binary(vi)"), Some("vi"));
}

#[test]
fn what_lies_over_a_channel_stands_for_the_packages_of_its_name() {
    let base = ["b: c | binary(x)", "c: | binary(y)", "d: | binary(x)"].map(package);
    let base = Arc::new(Universe::new(base));
    let over = Universe::over(Arc::clone(&base), [package("b: d | binary(z)")]);
    let chosen = |text| {
        over.provider_of(&dependency(text))
            .map(|package| &*package.name)
    };
    assert_eq!(chosen("binary(x)"), Some("d"), "the other b is not offered");
    assert_eq!(chosen("binary(z)"), Some("b"));
    assert_eq!(
        names(&over.closure([dependency("b")], |_| false)),
        ["b", "d"]
    );
    assert_eq!(
        names(&base.closure([dependency("b")], |_| false)),
        ["b", "c"]
    );
    let all: Vec<&str> = over
        .packages()
        .map(|package| package.name.as_str())
        .collect();
    assert_eq!(all, ["b", "c", "d"]);
}

fn random() -> impl Strategy<Value = Vec<Meta>> {
    let package = (0..8_u8, proptest::collection::vec(0..12_u8, 0..4), 0..3_u64);
    let package = package.prop_map(|(name, depends, release)| Meta {
        name: name.to_string(),
        release,
        depends: depends
            .iter()
            .map(|on| dependency(&on.to_string()))
            .collect(),
        ..Meta::default()
    });
    // No two packages of one name have the same releases.
    proptest::collection::vec(package, 1..12).prop_map(|mut packages| {
        for (package, number) in packages.iter_mut().zip(0..) {
            package.build_release = number;
        }
        packages
    })
}

proptest! {
    /// Every dependency of what is chosen is met by a chosen package, the host, or reported.
    #[test]
    fn a_closure_is_closed_and_does_not_depend_on_the_order(
        (packages, shuffled) in random().prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle()))
    ) {
        let roots = || [dependency("0"), dependency("9")];
        let host = |need: &Dependency| need.name().len() == 2;
        let universe = Universe::new(packages.clone());
        let closure = universe.closure(roots(), host);
        let depends = closure.packages.iter().flat_map(|package| &package.depends).cloned();
        for need in depends.chain(roots()) {
            let met = names(&closure).contains(&need.name());
            let reported = closure.missing.iter().any(|missing| missing.dependency == need);
            assert_eq!(u8::from(met) + u8::from(closure.host.contains(&need)) + u8::from(reported), 1);
        }
        for missing in &closure.missing {
            assert!(roots().contains(&missing.root));
            let mut need = &missing.root;
            for (place, name) in missing.chain.iter().enumerate() {
                let package = universe.provider_of(need).unwrap();
                assert_eq!(&package.name, name);
                let next = missing.chain.get(place + 1).map_or(missing.dependency.name(), |n| n);
                need = package.depends.iter().find(|need| need.name() == next).unwrap();
            }
            assert_eq!(need, &missing.dependency);
        }
        let other = Universe::new(shuffled);
        let other = other.closure(roots(), host);
        assert_eq!(names(&closure), names(&other));
        assert_eq!((closure.host, closure.missing), (other.host, other.missing));
    }

    /// In whichever layer a package lies, the same is chosen as from all in one.
    #[test]
    fn layers_are_as_one(packages in random(), cut in 0..12_usize) {
        let roots = || (0..4_u8).map(|name| dependency(&name.to_string()));
        let whole = Universe::new(packages.clone());
        let (base, over): (Vec<_>, Vec<_>) = packages
            .into_iter()
            .partition(|package| package.name.parse::<usize>().unwrap() < cut);
        let layered = Universe::over(Arc::new(Universe::new(base)), over);
        let (one, other) = (whole.closure(roots(), |_| false), layered.closure(roots(), |_| false));
        assert_eq!(names(&one), names(&other));
        assert_eq!(one.missing, other.missing);
    }
}
