//! What a recipe's sources cannot do to the builder.

use api::attempt::{Phase, Reason, State};
use tar::{EntryType, Header};

use crate::bench::{Bench, archive};
use crate::{failure, recipe};

/// An archive of links: names and where they point.
fn links(links: &[(&str, &str)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, target) in links {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Symlink);
        header.set_size(0);
        tar.append_link(&mut header, name, target).unwrap();
    }
    tar.into_inner().unwrap()
}

#[tokio::test]
async fn links_of_one_upstream_lead_no_other_out_of_the_build() {
    let bench = Bench::new().await;
    let victim = bench.folder.path().join("victim");
    let (first, first_hash) = bench.put(&links(&[("l", "../../sources"), ("s", "../../scripts")]));
    let planted = victim.to_str().unwrap();
    let (second, second_hash) = bench.put(&links(&[("c", planted), ("install", planted)]));
    let (third, third_hash) = bench.put(b"written by avalanche");
    for through in ["a/l", "a/s"] {
        let text = recipe(&format!(
            "upstreams:\n    - {first}:\n        hash: {first_hash}\n        unpackdir: a\n        \
             stripdirs: 0\n    - {second}:\n        hash: {second_hash}\n        \
             unpackdir: {through}\n        stripdirs: 0\n    - {third}:\n        \
             hash: {third_hash}\n        rename: c\n        unpack: false\ninstall: |\n    true\n"
        ));
        let order = bench.repository(through, &[("tool/stone.yaml", &text)]);
        let failure = failure(bench.build(&order).await.1);
        assert_eq!(
            (failure.phase, failure.reason),
            (Phase::Prepare, Reason::UnpackFailed),
            "{}",
            failure.message
        );
        assert!(
            failure.message.contains("leads through a link"),
            "{}",
            failure.message
        );
        assert!(!victim.exists(), "avalanche wrote through a planted link");
    }
    bench.end().await;
}

#[tokio::test]
async fn a_source_may_lie_in_the_folder_of_another() {
    let bench = Bench::new().await;
    let (outer, outer_hash) = bench.put(&archive(&[("gcc-1/main.c", "outer\n")]));
    let (inner, inner_hash) = bench.put(&archive(&[("isl-1/isl.c", "inner\n")]));
    let text = recipe(&format!(
        "upstreams:\n    - {outer}:\n        hash: {outer_hash}\n        unpackdir: gcc\n    \
         - {inner}:\n        hash: {inner_hash}\n        unpackdir: gcc/isl\nbuild: |\n    \
         grep -q outer main.c\n    grep -q inner isl/isl.c\ninstall: |\n    \
         install -Dm644 main.c -t %(installroot)/usr/share/x\n"
    ));
    let order = bench.repository("recipes", &[("tool/stone.yaml", &text)]);
    let (id, state) = bench.build(&order).await;
    let log = bench.log(id).await;
    assert!(matches!(state, State::Succeeded { .. }), "{state:?}\n{log}");
    bench.end().await;
}

#[tokio::test]
async fn a_git_upstream_is_not_cloned_through_the_links_of_another() {
    let bench = Bench::new().await;
    bench.repository("first", &[("file", "x")]);
    let folder = bench.folder.path().join("git/first");
    std::os::unix::fs::symlink("../../sources", folder.join("l")).unwrap();
    bench.git("first", &["add", "."]);
    bench.git("first", &["commit", "--quiet", "--message", "A link"]);
    bench.repository("second", &[("c", "planted")]);
    let [first, second] =
        ["first", "second"].map(|name| bench.base.join(&format!("git/{name}/.git")).unwrap());
    for (name, directory, message) in [
        ("nested", "a/l", "leads through a link"),
        ("same", "a", "another upstream is in"),
    ] {
        let text = recipe(&format!(
            "upstreams:\n    - git|{first}:\n        ref: main\n        clonedir: a\n    - git|{second}:\n        \
             ref: main\n        clonedir: {directory}\ninstall: |\n    true\n"
        ));
        let order = bench.repository(name, &[("tool/stone.yaml", &text)]);
        let failure = failure(bench.build(&order).await.1);
        assert!(failure.message.contains(message), "{}", failure.message);
    }
    bench.end().await;
}
