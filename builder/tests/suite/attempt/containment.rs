//! What a recipe's sources cannot do to the builder.

use api::attempt::{Phase, Reason, State};
use api::host::NoOrders;
use api::id::Sha256;
use api::problem::Code;
use service::client::CallError;
use tar::{EntryType, Header};

use super::bench::{Bench, archive};
use super::{failure, new_id, recipe};

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

#[tokio::test]
async fn a_submodule_comes_over_the_network_or_not_at_all() {
    let bench = Bench::new().await;
    let inner = bench.repository("inner", &[("secret", "of the builder\n")]);
    let local = bench.folder.path().join("git/inner");
    let path = local.to_str().unwrap().to_owned();
    for (name, url, message) in [
        ("path", path.clone(), Some("is none")),
        ("file", format!("file://{path}"), Some("is not of https")),
        ("relative", "../../inner/.git".to_owned(), None),
    ] {
        bench.repository(name, &[("file", "x")]);
        let modules = format!("[submodule \"m\"]\n\tpath = sub/m\n\turl = {url}\n");
        let folder = bench.folder.path().join("git").join(name);
        std::fs::write(folder.join(".gitmodules"), modules).unwrap();
        bench.git(name, &["add", "."]);
        let link = format!("160000,{},sub/m", inner.commit);
        bench.git(name, &["update-index", "--add", "--cacheinfo", &link]);
        bench.git(name, &["commit", "--quiet", "--message", "A submodule"]);
        let upstream = bench.base.join(&format!("git/{name}/.git")).unwrap();
        let text = recipe(&format!(
            "upstreams:\n    - git|{upstream}:\n        ref: main\n        clonedir: a\n\
             build: |\n    grep -q builder sub/m/secret\ninstall: |\n    \
             install -Dm644 sub/m/secret -t %(installroot)/usr/share/x\n"
        ));
        let order = bench.repository(&format!("{name}-recipe"), &[("tool/stone.yaml", &text)]);
        let (id, state) = bench.build(&order).await;
        match message {
            None => {
                let log = bench.log(id).await;
                assert!(matches!(state, State::Succeeded { .. }), "{state:?}\n{log}");
            }
            Some(message) => {
                let failure = failure(state);
                assert_eq!(failure.phase, Phase::Fetch, "{name}: {}", failure.message);
                assert!(
                    failure.message.contains(message),
                    "{name}: {}",
                    failure.message
                );
            }
        }
    }
    bench.end().await;
}

#[tokio::test]
async fn a_recipe_cannot_ask_the_builders_own_network() {
    // The mirror of the configuration is on loopback all the same, and is asked.
    let bench = Bench::with("sources.allow_private = []").await;
    let base = bench.base.as_str().replace("127.0.0.1", "localhost");
    let local = [
        "http://169.254.169.254/latest/meta-data/iam".to_owned(),
        format!("{base}reports"),
        "http://[::1]:80/x".to_owned(),
    ];
    let hash = Sha256::of(b"what the mirror does not have");
    for (number, url) in local.iter().enumerate() {
        let git = url.replace("http://", "git|http://");
        for (kind, upstream) in [
            ("file", format!("{url}: {hash}")),
            ("git", format!("{git}:\n        ref: main")),
        ] {
            let text = recipe(&format!(
                "upstreams:\n    - {upstream}\ninstall: |\n    true\n"
            ));
            let name = format!("{kind}-{number}");
            let order = bench.repository(&name, &[("tool/stone.yaml", &text)]);
            let failure = failure(bench.build(&order).await.1);
            assert_eq!(failure.phase, Phase::Fetch);
            let told = failure.message.contains("has no public address");
            assert!(told, "{upstream}: {}", failure.message);
        }
    }
    bench.end().await;
}

#[tokio::test]
async fn sources_come_to_no_more_bytes_than_allowed() {
    let bench = Bench::with("sources.max_bytes = 1000").await;
    let (small, small_hash) = bench.put(&[1; 600]);
    let (other, other_hash) = bench.put(&[2; 600]);
    let (large, large_hash) = bench.put(&[3; 1001]);
    // Noise, so that git cannot make it small.
    let noise: String = (0..500_u32)
        .map(|number| Sha256::of(&number.to_be_bytes()).to_string())
        .collect();
    bench.repository("upstream", &[("noise", &noise)]);
    let git = bench.base.join("git/upstream/.git").unwrap();
    let sum = format!(
        "- {small}:\n        hash: {small_hash}\n        unpack: false\n    \
         - {other}:\n        hash: {other_hash}\n        unpack: false\n"
    );
    for (name, upstreams, message) in [
        ("sum", sum, "come to 1200 bytes"),
        (
            "one",
            format!("- {large}: {large_hash}\n"),
            "more than the allowed 1000 bytes",
        ),
        (
            "git",
            format!("- git|{git}:\n        ref: main\n"),
            "may fetch 1000",
        ),
    ] {
        let text = recipe(&format!(
            "upstreams:\n    {upstreams}install: |\n    true\n"
        ));
        let order = bench.repository(name, &[("tool/stone.yaml", &text)]);
        let failure = failure(bench.build(&order).await.1);
        assert_eq!(failure.phase, Phase::Fetch);
        assert!(
            failure.message.contains(message),
            "{name}: {}",
            failure.message
        );
    }
    bench.end().await;
}

#[tokio::test]
async fn a_builder_with_a_full_disk_takes_no_orders_and_says_so() {
    let bench = Bench::with("min_free_bytes = 9000000000000000000").await;
    let text = recipe("install: |\n    true\n");
    let order = bench.repository("recipes", &[("tool/stone.yaml", &text)]);
    let id = new_id();
    let error = bench.order(id, &order).await.unwrap_err();
    let CallError::Refused { problem, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(problem.code, Code::NoRoom);
    assert!(
        problem
            .message
            .starts_with("this builder takes no orders: ")
            && problem
                .message
                .ends_with("are free on its disk, and it wants 9000000000 GB"),
        "{}",
        problem.message
    );
    let status = bench.status().await;
    let Some(NoOrders::DiskFull { free, needed }) = status.no_orders else {
        panic!("{status:?}");
    };
    assert_eq!(needed, 9_000_000_000_000_000_000);
    assert!((1..needed).contains(&free));
    assert!((1..needed).contains(&status.free_bytes));
    assert!(status.attempts.is_empty());
    bench.end().await;
}

#[tokio::test]
async fn git_over_https_asks_only_whom_a_recipe_may_ask() {
    let allowed = Bench::with("ca_file = \"{ca}\"").await;
    let strict = Bench::with("ca_file = \"{ca}\"\nsources.allow_private = []").await;
    for (bench, reaches) in [(&allowed, true), (&strict, false)] {
        bench.repository("upstream", &[("hello", "over TLS\n")]);
        let url = bench.secure.join("git/upstream/.git").unwrap();
        let text = recipe(&format!(
            "upstreams:\n    - git|{url}:\n        ref: main\n        clonedir: a\nbuild: |\n    \
             grep -q TLS hello\ninstall: |\n    \
             install -Dm644 hello -t %(installroot)/usr/share/x\n"
        ));
        let order = bench.repository("recipes", &[("tool/stone.yaml", &text)]);
        let (id, state) = bench.build(&order).await;
        if reaches {
            let log = bench.log(id).await;
            assert!(matches!(state, State::Succeeded { .. }), "{state:?}\n{log}");
        } else {
            let failure = failure(state);
            let told = failure.message.contains("has no public address");
            assert!(told, "{}", failure.message);
        }
    }
    allowed.end().await;
    strict.end().await;
}
