//! A real package, unpacked and packaged again, against what its own tool made of the same files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use moss_format::dependency::{Dependency, Kind};
use moss_format::layout::Entry;
use moss_format::package::Package;
use moss_format::unpack::{Options, unpack};
use moss_format::{Manifest, Meta};

use super::bench::{Bench, open, recipe};

fn sorted(package: &Package<std::fs::File>) -> Vec<Entry> {
    let mut layout = package.layout().to_vec();
    layout.sort_by(|a, b| a.target.cmp(&b.target));
    layout
}

/// nano 8.3 and its debug package, laid into one install root, come out as they were: the same
/// metadata, and the same files in the same packages. Only two things differ: the order of the
/// layout, which the older tool did not sort, and the order of the metadata records.
#[test]
fn nano_comes_out_as_its_own_tool_made_it() {
    let Some(corpus) = testbed::corpus::find() else {
        return;
    };
    let bench = Bench::new();
    let names = ["nano", "nano-dbginfo"];
    let mut real: Vec<_> = names
        .iter()
        .map(|name| open(&corpus.join(format!("stones/{name}-8.3-33-1-x86_64.stone"))))
        .collect();
    for package in &mut real {
        unpack(package, &bench.path(""), &Options::default()).unwrap();
    }
    let text = std::fs::read_to_string(corpus.join("manifests/nano-8.2/stone.yaml")).unwrap();
    let text = text
        .replace("\"8.2\"", "\"8.3\"")
        .replace("release     : 30", "release     : 33");
    // The binaries were stripped when the packages were made.
    let recipe = recipe(&format!("{text}strip: false\ndebug: false\n"));
    let output = bench.emit(&recipe).unwrap();

    assert_eq!(bench.log(), Vec::<String>::new());
    assert_eq!(output.stones.len(), real.len());
    for (emitted, real) in output.stones.iter().zip(&real) {
        let mut meta = real.meta().clone();
        meta.build_release = 7;
        assert_eq!(emitted.meta, meta);
        let ours = open(&emitted.path);
        assert_eq!(sorted(&ours), sorted(real), "{}", meta.name);
    }
}

/// Programs and libraries built from their archives by the host's compiler, in the steps of their
/// recipes, have the metadata that the recipes' manifests record, in the same packages.
///
/// Recipes that name a template's package without a summary of its own (libogg, xz) are not among
/// them: their manifests are from a time when the template's summary stayed; today the recipe's
/// takes its place.
#[test]
fn real_recipes_give_the_manifests_of_their_own_tool() {
    let Some(corpus) = testbed::corpus::find() else {
        return;
    };
    let install = "make install PREFIX=/usr DESTDIR=ROOT";
    for (name, script) in [
        ("scdoc", format!("make PREFIX=/usr CFLAGS=-g && {install}")),
        (
            "lz4",
            format!("make lib lz4 CFLAGS=-g && {install} CFLAGS=-g && rm ROOT/usr/lib/*.a"),
        ),
        (
            "xxhash",
            format!(
                "make DISPATCH=1 CFLAGS=-g && {install} DISPATCH=1 CFLAGS=-g && rm ROOT/usr/lib/*.a"
            ),
        ),
    ] {
        let folder = corpus.join("recipes").join(name);
        let text = std::fs::read_to_string(folder.join("stone.yaml")).unwrap();
        let recipe = recipe(&text);
        let bench = Bench::new();
        let archive = archive(&corpus, &text);
        bench.run(
            "tar",
            &["xf", archive.to_str().unwrap(), "--strip-components=1"],
        );
        bench.run(
            "sh",
            &["-ec", &format!("export LDFLAGS=-Wl,--build-id; {script}")],
        );
        let output = bench.emit(&recipe).unwrap();

        let ours = Manifest::read(std::fs::File::open(&output.manifest_bin.path).unwrap()).unwrap();
        let real = std::fs::File::open(folder.join("manifest.x86_64.bin")).unwrap();
        let real = Manifest::read(real).unwrap();
        assert_eq!(comparable(&ours), comparable(&real), "{name}");
    }
}

/// The archive of a recipe with one, which names it by its SHA-256.
fn archive(corpus: &Path, recipe: &str) -> PathBuf {
    let is_hash = |word: &&str| word.len() == 64 && word.chars().all(|c| c.is_ascii_hexdigit());
    let hash = recipe.split_whitespace().find(is_hash).unwrap();
    corpus.join("distfiles").join(hash)
}

/// The packages by name, without what the tool's age or the host's libc decides: the order, the
/// build release, the loader's path, and whether a program needs the loader at all.
fn comparable(manifest: &Manifest) -> Vec<Meta> {
    let is_host = |dependency: &Dependency| {
        dependency.kind() == Kind::Interpreter
            || dependency.name().starts_with("libc.so.6(")
            || dependency.name().starts_with("ld-linux")
    };
    let comparable = |meta: &Meta| {
        let depends: BTreeSet<Dependency> = meta
            .depends
            .iter()
            .filter(|dependency| !is_host(dependency))
            .cloned()
            .collect();
        Meta {
            build_release: 0,
            depends,
            ..meta.clone()
        }
    };
    let mut packages: Vec<Meta> = manifest.packages.iter().map(comparable).collect();
    packages.sort_by(|a, b| a.name.cmp(&b.name));
    packages
}
