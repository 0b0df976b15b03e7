//! A real package, unpacked and packaged again, against what its own tool made of the same files.

use std::path::PathBuf;

use moss_format::layout::Entry;
use moss_format::package::Package;
use moss_format::unpack::{Options, unpack};

use crate::bench::{Bench, open, recipe};

/// The corpus, unless the environment names none: then the test is skipped.
fn find() -> Option<PathBuf> {
    #[expect(
        clippy::disallowed_methods,
        reason = "tests take the place of the corpus from the environment"
    )]
    let Ok(folder) = std::env::var("SNEKBOOK_CORPUS") else {
        eprintln!("skipped: SNEKBOOK_CORPUS is unset");
        return None;
    };
    let folder = PathBuf::from(folder);
    assert!(
        folder.is_dir(),
        "SNEKBOOK_CORPUS is set, but there is no folder {}",
        folder.display()
    );
    Some(folder)
}

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
    let Some(corpus) = find() else {
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
