//! What is said about recipes that are wrong or questionable.

use std::collections::BTreeSet;

use moss_format::recipe::{CONTROL_FILE, Code, Diagnostic, Recipe, Severity, TuningValue};

const SOUND: &str = "\
name        : sound
version     : 1.2.3
release     : 4
homepage    : https://example.org/sound
upstreams   :
    - https://example.org/sound-1.2.3.tar.xz : 0b0e3aa07c8c063ddf40b082bdf7e37a1562bda40a0ff5272957f3e987e0e54b
summary     : Nothing is wrong with it
description : |
    A recipe that nothing is to be said about.
license     : MPL-2.0
builddeps   :
    - pkgconfig(zlib)
build       : |
    %make
install     : |
    %make_install
";

fn findings(text: &str) -> Vec<Diagnostic> {
    match Recipe::parse(text) {
        Ok((_, findings)) => findings,
        Err(failure) => failure.into_diagnostics(),
    }
}

fn lines(text: &str) -> String {
    let findings = findings(text);
    let lines: Vec<String> = findings.iter().map(Diagnostic::to_string).collect();
    lines.join("\n")
}

/// The sound recipe with one piece replaced.
fn with(old: &str, new: &str) -> String {
    assert!(SOUND.contains(old), "{old:?}");
    SOUND.replacen(old, new, 1)
}

#[test]
fn a_sound_recipe_has_no_findings() {
    assert_eq!(findings(SOUND), []);
}

#[test]
fn syntax_errors_stop_at_their_place() {
    insta::assert_snapshot!(lines(&with("release     : 4", "release     : [4")));
    insta::assert_snapshot!(lines("a: 1\n---\nb: 2\n"));
    insta::assert_snapshot!(lines("a: *nowhere\n"));
    insta::assert_snapshot!(lines(""));
    insta::assert_snapshot!(lines("just text"));
}

#[test]
fn every_error_of_a_recipe_is_reported_at_once() {
    let text = "\
name: no name
version: 1/2
release: -1
upstreams:
    - http://example.org/a.tar.gz
    - https://example.org/b.tar.gz: deadbeef
    - https://example.org/c.tar.gz: {stripdirs: 1}
    - file:///etc/passwd: 0b0e3aa07c8c063ddf40b082bdf7e37a1562bda40a0ff5272957f3e987e0e54b
    - git|https://example.org/d.git: --upload-pack=x
    - git|https://example.org/e.git: {clonedir: ../../home}
    - https://example.org/f.tar.gz: x
      https://example.org/g.tar.gz: y
summary: [not, a, text]
description: |
    Some
license: MPL-2.0
builddeps:
    - pkgconfig(zlib
networking: perhaps
toolchain: tcc
packages:
    - \"%(name)-a\": {paths: [/a: sometimes]}
    - a b: {}
    - twice: {}
    - twice: {}
install: [make]
release: 2
";
    insta::assert_snapshot!(lines(text));
}

#[test]
fn questionable_values_are_warned_of() {
    let text = "\
name: warned
version: 1.10
release: 1
homepage:
upstreams:
    - http://example.org/a.tar.gz: 0b0e3aa07c8c063ddf40b082bdf7e37a1562bda40a0ff5272957f3e987e0e54b
    - git|git://example.org/b.git: v1.10
    - https://example.org/c.txt:
        hash: 0b0e3aa07c8c063ddf40b082bdf7e37a1562bda40a0ff5272957f3e987e0e54b
        unpack: no
        extract: false
summary: With %(nmae)
description: x
license: [MPL-2.0, '']
rundeps:
    - binary(broken
buildeps: []
tune: [lto]
networking: yes
emul32: true
tuning:
    - lto: thin
profiles:
    - emul32:
        setup: |
            %bolt_it
packages:
    - \"%(name)-libs\":
        rundep: []
setup: |
    %configure --with-%(unknown)

    printf %s \"%(name)\" 100%
build: \"%mkae\"
workload: |
    %make check
";
    insta::assert_snapshot!(lines(text));
}

#[test]
fn findings_serialise_for_machines() {
    let findings = findings(&with("release     : 4", "release     : 0"));
    insta::assert_json_snapshot!(findings);
}

#[test]
fn columns_count_characters() {
    let text = with(
        "build       : |\n    %make",
        "build       : |\n    echo é; %nothing",
    );
    insta::assert_snapshot!(lines(&text));
}

#[test]
fn versions_ask_for_quotes_only_where_they_matter() {
    for (version, asks) in [
        ("1.10", true),
        ("\"1.10\"", false),
        ("!!str 1.10", false),
        ("1.2.3", false),
        ("47.0", false),
        ("059", false),
        ("057", true),
        ("\"057\"", false),
    ] {
        let text = with("1.2.3\nrelease", &format!("{version}\nrelease"));
        let found = findings(&text);
        let asked = found
            .iter()
            .any(|found| found.code == Code::UnquotedVersion);
        assert_eq!(asked, asks, "{version}");
        let (recipe, _) = Recipe::parse(&text).unwrap();
        let written = version.trim_start_matches("!!str ").trim_matches('"');
        assert_eq!(recipe.version.as_str(), written);
    }
}

#[test]
fn a_change_raises_the_release() {
    let read = |text: &str| Recipe::parse(text).unwrap().0;
    let before = read(SOUND);
    assert_eq!(before.compare(&before), None);
    // Comments and where a key stands change nothing.
    let moved = with("license     : MPL-2.0\n", "") + "\n# Moved.\nlicense: MPL-2.0\n";
    assert_eq!(read(&moved).compare(&before), None);
    let quieter = read(&with("    %make\n", "    %make -s\n"));
    assert!(quieter.compare(&before).is_some());
    let raised = read(&with("release     : 4", "release     : 5"));
    let renamed = read(&with(": sound", ": other"));
    assert_eq!(raised.compare(&before), None);
    assert_eq!(renamed.compare(&before), None);
    let same = read(&with("1.2.3\n", "1.2.4\n"));
    insta::assert_snapshot!(same.compare(&before).unwrap().to_string());
}

#[test]
fn a_release_is_a_number_and_written_as_one() {
    let findings_of =
        |release: &str| lines(&with("release     : 4", &format!("release: {release}")));
    assert_eq!(findings_of("\"4\""), "");
    assert_eq!(findings_of("18446744073709551615"), "");
    let said: Vec<String> = [
        "0",
        "00",
        "+5",
        "007",
        "\"007\"",
        "-1",
        "1.0",
        "18446744073709551616",
        "x",
    ]
    .iter()
    .map(|release| findings_of(release))
    .collect();
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn the_release_0_is_read_and_refused_by_a_finding() {
    let (recipe, found) = Recipe::parse(&with("release     : 4", "release     : 0")).unwrap();
    assert_eq!(*recipe.release, 0);
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].code, found[0].is_error()),
        (Code::BadRelease, true)
    );
    assert_eq!(found[0].span, recipe.release.span());
}

/// What is no dependency, though it has no control characters in it.
const NO_DEPENDENCIES: [&str; 10] = [
    "pkgconfig zlib",
    "gcc >= 12",
    "zlib, gcc",
    "pkgconfig[zlib]",
    "\"-devel\"",
    "\"- dbus\"",
    "name)",
    "pkgconfig( zlib )",
    "soname(libz.so.1(x86_64)",
    "pkgconfig(zlib",
];

#[test]
fn what_is_no_dependency_stops_a_build() {
    let said = NO_DEPENDENCIES.map(|text| {
        let failure = Recipe::parse(&with("pkgconfig(zlib)", text)).unwrap_err();
        assert_eq!(failure.first().code, Code::BadDependency);
        failure.first().to_string()
    });
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn elsewhere_what_is_no_dependency_is_left_out() {
    for text in NO_DEPENDENCIES {
        for entry in [
            format!("rundeps: [zlib, {}]", quoted(text)),
            format!("conflicts: [zlib, {}]", quoted(text)),
            format!("packages: [a: {{rundeps: [zlib, {}]}}]", quoted(text)),
            format!("profiles: [a: {{builddeps: [zlib, {}]}}]", quoted(text)),
            format!("profiles: [a: {{checkdeps: [zlib, {}]}}]", quoted(text)),
        ] {
            let (recipe, found) = Recipe::parse(&format!("{SOUND}{entry}\n")).unwrap();
            let said = found
                .iter()
                .filter(|found| found.code == Code::BadDependency);
            let said: Vec<_> = said.map(|found| found.severity).collect();
            assert_eq!(said, [Severity::Warning], "{entry}");
            let read = [
                recipe.contents.rundeps.len() + recipe.contents.conflicts.len(),
                recipe
                    .packages
                    .iter()
                    .map(|a| a.contents.rundeps.len())
                    .sum(),
                recipe
                    .profiles
                    .iter()
                    .map(|a| a.builddeps.len() + a.checkdeps.len())
                    .sum(),
            ];
            assert_eq!(read.iter().sum::<usize>(), 1, "{entry}");
        }
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.trim_matches('"'))
}

#[test]
fn a_profile_has_its_own_needs() {
    let text = format!(
        "{SOUND}\
profiles:
    - emul32/x86_64:
        builddeps: [pkgconfig32(zlib)]
        checkdeps: [bats]
        build: x
"
    );
    let (recipe, found) = Recipe::parse(&text).unwrap();
    let codes: Vec<Code> = found.iter().map(|found| found.code).collect();
    assert_eq!(codes, [Code::NotHonoured]);
    let needs: Vec<_> = recipe
        .build_dependencies()
        .map(ToString::to_string)
        .collect();
    assert_eq!(needs, ["pkgconfig(zlib)"]);
    assert_eq!(
        recipe.profiles[0].builddeps[0].to_string(),
        "pkgconfig32(zlib)"
    );
    let wrong = text.replace("emul32/x86_64", "../x86_64");
    assert_eq!(
        Recipe::parse(&wrong).unwrap_err().first().code,
        Code::BadName
    );
}

#[test]
fn no_licence_is_worth_a_word() {
    let said = ["[]", "", "''", "['']", "[MIT, '']", "{}"].map(|licence| {
        lines(&with(
            "license     : MPL-2.0",
            &format!("license: {licence}"),
        ))
    });
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn old_booleans_of_tuning_are_told() {
    let text = format!(
        "{SOUND}\
tuning:
    - lto
    - icf: all
    - harden: yes
    - bolt: Off
    - base: true
    - runpath: false
"
    );
    insta::assert_snapshot!(lines(&text));
    let (recipe, _) = Recipe::parse(&text).unwrap();
    let values: Vec<_> = recipe
        .tuning
        .iter()
        .map(|tuning| tuning.value.value().clone())
        .collect();
    let (on, off) = (TuningValue::Enabled, TuningValue::Disabled);
    let all = TuningValue::Choice("all".to_owned());
    assert_eq!(values, [on.clone(), all, on.clone(), off.clone(), on, off]);
}

#[test]
fn licences_are_spdx_expressions() {
    let said = |licence: &str| lines(&with("MPL-2.0", licence));
    for known in [
        "GPL-2.0",
        "GPL-2.0+",
        "GPL-3.0-or-later WITH GCC-exception-3.1",
        "(MIT OR Apache-2.0) AND LicenseRef-scancode-public-domain",
        "DocumentRef-x:LicenseRef-y",
    ] {
        assert_eq!(said(known), "", "{known}");
    }
    let unknown = [
        "mit",
        "Apache-2",
        "GPLv2",
        "MPL-2.0 and BDS-3-Clause",
        "Apache License 2.0",
        "MIT, Zlib",
        "(MIT",
        "MIT)",
        "GPL-2.0-or-later+",
        "MIT WITH nothing",
        "Freeware",
        "Public domain",
        "GCC-exception-3.1",
        "Apache-2.0 WITH LLVM-Exception",
        "GPL-3.0-with-bison-exception",
        "\"\\e]8;;\"",
    ];
    let said: Vec<String> = unknown.iter().map(|licence| said(licence)).collect();
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn undefined_macros_are_errors_of_a_recipe_that_reads() {
    let text = with(
        "%make_install",
        "%mkae_install; %(instalroot); %s %(zzzzzzzz)",
    );
    let (_, findings) = Recipe::parse(&text).unwrap();
    assert!(findings.iter().all(Diagnostic::is_error));
    insta::assert_snapshot!(lines(&text));
}

#[test]
fn files_beside_the_recipe_are_looked_at() {
    assert_eq!(Recipe::check_beside(["stone.yaml", "pkg"]), None);
    let found = Recipe::check_beside(["stone.yaml", CONTROL_FILE]).unwrap();
    insta::assert_snapshot!(found.to_string());
}

/// The codes that `docs/recipe-lints.md` has a heading for.
fn documented() -> Vec<&'static str> {
    const DOCUMENT: &str = include_str!("../../../../../docs/recipe-lints.md");
    let headings = DOCUMENT.lines();
    let codes = headings.filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`'));
    codes.collect()
}

#[test]
fn every_code_is_documented_and_nothing_else_is() {
    let documented = documented();
    let distinct: BTreeSet<&str> = documented.iter().copied().collect();
    assert_eq!(distinct.len(), documented.len());
    let codes: BTreeSet<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(distinct, codes);
}

#[test]
fn codes_are_stable_distinct_and_explained() {
    let codes: BTreeSet<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(codes.len(), Code::ALL.len());
    let table: Vec<String> = Code::ALL
        .iter()
        .map(|code| format!("{code}: {}", code.explanation()))
        .collect();
    insta::assert_snapshot!(table.join("\n"));
}

#[test]
fn hostile_yaml_is_refused_quickly() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..20 {
        let below = format!("*a{}, ", level - 1).repeat(10);
        bomb.push_str(&format!("a{level}: &a{level} [{below}]\n"));
    }
    let deep = "[".repeat(10_000);
    let blocks: String = (0..100).map(|n| format!("{}a:\n", " ".repeat(n))).collect();
    let inside = "a: &a [*a]\n";
    let large = "x".repeat(2 * 1024 * 1024);
    for text in [bomb.as_str(), &deep, &blocks, inside, &large] {
        let failure = Recipe::parse(text).unwrap_err();
        let code = failure.first().code;
        assert!(
            matches!(code, Code::YamlSyntax | Code::TooLarge),
            "{failure}"
        );
    }
}
