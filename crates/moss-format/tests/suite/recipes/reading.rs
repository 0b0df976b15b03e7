//! What recipes are read into.

use moss_format::recipe::upstream::Upstream;
use moss_format::recipe::{
    Code, Diagnostic, PathKind, Phase, Recipe, Severity, Toolchain, TuningValue,
};
use proptest::prelude::*;

pub(crate) const FULL: &str = "\
name        : full
version     : 1.10
release     : 7
homepage    : https://example.org
license     :
    - MIT
    - Apache-2.0
summary     : All of %(name)
description : |
    First line.

    %(name) %(version)-%(release), 100%% of it.
architectures: [native]
upstreams   :
    - https://example.org/full-1.10.tar.gz : 0b0e3aa07c8c063ddf40b082bdf7e37a1562bda40a0ff5272957f3e987e0e54b
    - https://example.org/data.tar :
        hash: 0B0E3AA07C8C063DDF40B082BDF7E37A1562BDA40A0FF5272957F3E987E0E54B
        rename: d.tar
        stripdirs: 0
        unpackdir: \"%(name)-data/in\"
    - https://example.org/raw.txt : {hash: 0b0e3aa07c8c063ddf40b082bdf7e37a1562bda40a0ff5272957f3e987e0e54b, unpack: false}
    - git|https://example.org/sub.git : 9cbc63c1e77b0e339181c853f2c4e5caec7a53d8
    - git|https://example.org/two.git : {ref: main, clonedir: third}
builddeps   :
    - pkgconfig(zlib)
    - cmake
checkdeps   :
    - binary(bats)
rundeps     :
    - \"%(name)-libs\"
conflicts   :
    - other
provides-exclude:
    - ^soname\\(libx
rundeps-exclude:
    - ^python
paths       :
    - /opt/%(name)
packages    :
    - \"%(name)-libs\":
        summary: Libraries
        description: The libraries
        rundeps:
            - \"%(name)\"
        paths:
            - /usr/lib/*.so.*
            - /usr/bin/*: exe
            - /usr/lib/*.so: symlink
        conflicts:
            - soname(libold.so.1(x86_64))
toolchain   : gnu
networking  : true
strip       : false
debug       : off
lastrip     : no
tuning      :
    - lto
    - icf: all
    - harden: false
emul32      : true
cspgo       : false
samplepgo   : true
mold        : true
compressman : true
environment : |
    export A=1
setup       : |
    %patch %(pkgdir)/a.patch
    %configure
build: make
install: |2
        indented
      %make_install
check       : >
    folded
    text
workload    : |
    %make check
profiles    :
    - emul32/x86_64:
        builddeps:
            - pkgconfig32(zlib)
        checkdeps:
            - bats
        environment: export B=1
        build: |
            %make
";

fn full() -> Recipe {
    let (recipe, findings) = Recipe::parse(FULL).unwrap();
    assert!(
        findings
            .iter()
            .all(|found| found.severity < Severity::Error)
    );
    recipe
}

#[test]
fn sources_know_their_places() {
    let recipe = full();
    let directories: Vec<_> = recipe
        .upstreams
        .iter()
        .map(|source| source.directory().map(|directory| directory.as_str()))
        .collect();
    assert_eq!(
        directories,
        [
            Some("full-1.10.tar.gz"),
            Some("full-data/in"),
            None,
            Some("sub.git"),
            Some("third")
        ]
    );
    assert_eq!(recipe.work_directory(), recipe.upstreams[0].directory());
    let Upstream::Archive(renamed) = recipe.upstreams[1].value() else {
        panic!("the second source is an archive");
    };
    assert_eq!(renamed.file_name.as_str(), "d.tar");
    assert_eq!(renamed.unpack.as_ref().unwrap().strip.value(), &0);
    assert_eq!(renamed.url.line(), 16);
}

#[test]
fn relations_and_rules_are_typed() {
    let recipe = full();
    let needed: Vec<_> = recipe
        .build_dependencies()
        .map(ToString::to_string)
        .collect();
    assert_eq!(needed, ["pkgconfig(zlib)", "cmake", "binary(bats)"]);
    assert_eq!(recipe.contents.rundeps[0].to_string(), "full-libs");
    let libraries = &recipe.packages[0];
    assert_eq!(libraries.name.as_str(), "full-libs");
    let kinds: Vec<_> = libraries
        .contents
        .paths
        .iter()
        .map(|rule| *rule.kind)
        .collect();
    assert_eq!(
        kinds,
        [PathKind::Any, PathKind::Executable, PathKind::Symlink]
    );
    assert_eq!(*recipe.options.toolchain, Toolchain::Gnu);
    assert!(!*recipe.options.strip && !*recipe.options.debug && !*recipe.options.lastrip);
    assert_eq!(
        *recipe.tuning[1].value,
        TuningValue::Choice("all".to_owned())
    );
    assert_eq!(*recipe.tuning[2].value, TuningValue::Disabled);
    let profile = &recipe.profiles[0];
    assert_eq!(profile.name.as_str(), "emul32/x86_64");
    assert_eq!(profile.builddeps[0].to_string(), "pkgconfig32(zlib)");
    assert_eq!(profile.checkdeps[0].to_string(), "bats");
}

/// Where a text stands in `FULL`, as line and column.
fn place(text: &str) -> (u32, u32) {
    let before = &FULL[..FULL.find(text).unwrap()];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap().chars().count() + 1;
    (u32::try_from(line).unwrap(), u32::try_from(column).unwrap())
}

#[test]
fn scripts_know_the_place_of_every_character() {
    let recipe = full();
    let at = |phase, text: &str| {
        let script = recipe.scripts.of(phase).unwrap();
        let offset = script.text().find(text).unwrap();
        let start = script.span_of(offset, text.len()).start;
        (start.line, start.column)
    };
    assert_eq!(at(Phase::Setup, "%configure"), place("%configure"));
    assert_eq!(at(Phase::Setup, "(pkgdir)"), place("(pkgdir)"));
    assert_eq!(at(Phase::Build, "ake"), place("ake\ninstall"));
    assert_eq!(at(Phase::Install, "%make_install"), place("%make_install"));
    // Folded lines cannot be told apart any more: the block's own place.
    let folded = recipe.scripts.of(Phase::Check).unwrap();
    assert_eq!(folded.span_of(8, 4), folded.span());
}

/// Pieces that recipes are made of, so that random texts get past the syntax.
fn piece() -> impl Strategy<Value = String> {
    let fixed = prop::sample::select(vec![
        "name: a\n",
        "version: 1.0\n",
        "release: 1\n",
        "homepage: x\n",
        "license: [a]\n",
        "summary: s\n",
        "description: |\n",
        "    text\n",
        "upstreams:\n",
        "  - ",
        "git|",
        "https://a/b",
        ": ",
        "packages:\n",
        "paths:\n",
        "setup: |\n",
        "%make",
        "%(name)",
        "%(",
        "%%",
        "{",
        "}",
        "[",
        "]",
        "\n",
        "\"",
        "'",
        "&a ",
        "*a",
        "!!str ",
        "? ",
        "#",
        "build: >\n",
        "tuning:\n",
        "é",
        "\t",
        "\r\n",
        "- - -",
    ]);
    prop_oneof![4 => fixed.prop_map(str::to_owned), 1 => ".{0,6}"]
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "(?s).{0,200}") {
        let _ = Recipe::parse(&text);
    }

    #[test]
    fn any_pieces_are_read_or_refused(pieces in prop::collection::vec(piece(), 0..40)) {
        let text = pieces.concat();
        if let Err(failure) = Recipe::parse(&text) {
            prop_assert!(failure.first().is_error());
        }
    }

    #[test]
    fn a_real_recipe_survives_any_damage(
        cut in 0..FULL.len(), length in 0..40_usize, piece in piece()
    ) {
        let mut text = FULL.to_owned();
        let end = (cut + length).min(text.len());
        text.replace_range(cut..end, &piece);
        if let Ok((recipe, findings)) = Recipe::parse(&text) {
            // A recipe that is read may still use macros that nothing defines,
            // or have the release 0.
            let lint = |code| match *recipe.release {
                0 if code == Code::BadRelease => true,
                _ => matches!(code, Code::UnknownAction | Code::UnknownDefinition),
            };
            let allowed = |found: &Diagnostic| !found.is_error() || lint(found.code);
            prop_assert!(findings.iter().all(allowed));
            let lines = text.lines().count() + 1;
            for found in findings {
                prop_assert!(usize::try_from(found.span.start.line).unwrap() <= lines);
            }
        }
    }
}
