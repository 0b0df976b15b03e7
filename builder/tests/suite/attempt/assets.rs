//! Orders that succeed, and what anyone can fetch then.

use api::attempt::{AssetKind, ClosureStone, Order, Phase, State};
use api::claims::Scope;
use api::id::Sha256;
use axum::http::StatusCode;
use moss_format::package::Package;

use super::bench::{Bench, fetch, path};
use super::{failure, program_recipe, recipe};

#[tokio::test]
async fn an_order_becomes_assets_that_anyone_can_fetch() {
    let bench = Bench::new().await;
    let order = bench.repository("recipes", &[("tool/stone.yaml", &program_recipe(&bench))]);
    let (id, state) = bench.build(&order).await;
    let log = bench.log(id).await;
    let State::Succeeded { assets, .. } = state else {
        panic!("{state:?}\n{log}")
    };
    let kinds: Vec<(AssetKind, &str)> = assets
        .iter()
        .map(|asset| (asset.kind, asset.file_name.as_str()))
        .collect();
    assert_eq!(
        kinds,
        [
            (AssetKind::Stone, "tool-1.0-1-1-x86_64.stone"),
            (AssetKind::Stone, "tool-dbginfo-1.0-1-1-x86_64.stone"),
            (AssetKind::Manifest, "manifest.x86_64.bin"),
            (AssetKind::ManifestText, "manifest.x86_64.jsonc"),
        ]
    );
    for asset in &assets {
        let (status, bytes) = fetch(&asset.uri).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(
            (Sha256::of(&bytes), bytes.len() as u64),
            (asset.sha256, asset.size)
        );
    }
    let stone = fetch(&assets[0].uri).await.1;
    let package = Package::open(std::io::Cursor::new(&stone)).unwrap();
    assert_eq!(package.layout()[0].target, "bin/tool");

    // Ranges, for fetches that are taken up again.
    let part = reqwest::Client::new()
        .get(assets[0].uri.clone())
        .header("range", "bytes=4-")
        .send()
        .await
        .unwrap();
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.bytes().await.unwrap(), stone[4..]);

    insta::with_settings!({filters => vec![
        (r"127\.0\.0\.1:\d+", "[address]"),
        (r"\b[0-9a-f]{64}\b", "[sha256]"),
        (r"\b[0-9a-f]{40}\b", "[commit]"),
        (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "[time]"),
        (r"\d+ bytes", "[n] bytes"),
        (r"-j \S+", "-j [jobs]"),
        (r"(\w+) \d+ \((?:measured|resource limit|control group)\)", "$1 [n] ([holder])"),
    ]}, { insta::assert_snapshot!(log); });
    let reports = bench.reports();
    assert!(
        reports
            .last()
            .is_some_and(|attempt| attempt.state.is_final()),
        "{reports:?}"
    );

    let released = format!("{}/release", path(id));
    let _: api::attempt::Attempt = bench
        .client
        .post(Scope::Attempts, &released, &())
        .await
        .unwrap();
    assert_eq!(fetch(&assets[0].uri).await.0, StatusCode::NOT_FOUND);
    assert!(bench.read(id, 0).await.state.is_final(), "the record stays");
    bench.end().await;
}

#[tokio::test]
async fn a_closure_stone_supplies_what_the_host_lacks() {
    let bench = Bench::new().await;
    let library = recipe(
        "toolchain: gnu\nbuild: |\n    echo 'int zephyr(void) { return 42; }' > z.c\n    \
         gcc -shared -fPIC -Wl,-soname,libzephyr.so.1 z.c -o libzephyr.so.1\ninstall: |\n    \
         install -Dm755 libzephyr.so.1 -t %(installroot)%(libdir)\n    \
         ln -s libzephyr.so.1 %(installroot)%(libdir)/libzephyr.so\n    \
         install -d %(installroot)%(libdir)/pkgconfig\n    \
         printf 'Name: z\\nDescription: z\\nVersion: 1\\nLibs: -lzephyr\\n' \
         > %(installroot)%(libdir)/pkgconfig/zephyr.pc\n"
            .replace("%s", "%%s")
            .as_str(),
    );
    let order = bench.repository("library", &[("tool/stone.yaml", &library)]);
    let (id, state) = bench.build(&order).await;
    let State::Succeeded { assets, .. } = state else {
        panic!("{state:?}\n{}", bench.log(id).await)
    };
    let closure: Vec<ClosureStone> = assets
        .iter()
        .filter(|asset| asset.kind == AssetKind::Stone)
        .map(|asset| ClosureStone {
            package: asset.file_name.to_string(),
            url: asset.uri.clone(),
            sha256: asset.sha256,
            size: asset.size,
        })
        .collect();
    assert!(
        closure.len() >= 2,
        "a library and its devel package: {closure:?}"
    );
    let program = recipe(
        "toolchain: gnu\nbuilddeps:\n    - pkgconfig(zephyr)\nbuild: |\n    \
         echo 'int zephyr(void); int main(void) { return zephyr() != 42; }' > main.c\n    \
         gcc main.c -o tool -lzephyr\n    ./tool\ninstall: |\n    \
         install -Dm755 tool -t %(installroot)%(bindir)\n",
    );
    let order = bench.repository("program", &[("tool/stone.yaml", &program)]);
    let without = failure(bench.build(&order).await.1);
    assert_eq!(
        (without.phase, without.reason.is_transient()),
        (Phase::Build, false)
    );
    let (id, state) = bench.build(&Order { closure, ..order }).await;
    let log = bench.log(id).await;
    let State::Succeeded { assets, .. } = state else {
        panic!("{state:?}\n{log}")
    };
    let stone = fetch(&assets[0].uri).await.1;
    let package = Package::open(std::io::Cursor::new(&stone)).unwrap();
    let needs = "soname(libzephyr.so.1(x86_64))".parse().unwrap();
    assert!(
        package.meta().depends.contains(&needs),
        "{:?}",
        package.meta().depends
    );
    bench.end().await;
}

/// A library, a program with debug info, links and texts: what packages are made of.
const MIXED: &str = "toolchain: gnu\nbuild: |\n    \
    echo 'int zephyr(int n) { return n * 3; }' > z.c\n    \
    echo 'int zephyr(int); int main(int n, char **a) { return zephyr(n) + __LINE__; }' > main.c\n    \
    gcc $CFLAGS -shared -fPIC $LDFLAGS -Wl,-soname,libzephyr.so.1 z.c -o libzephyr.so.1\n    \
    gcc $CFLAGS main.c -o tool $LDFLAGS -L. -l:libzephyr.so.1\n    \
    ar rcs libzephyr.a *.so.1\ninstall: |\n    \
    install -Dm755 libzephyr.so.1 -t %(installroot)%(libdir)\n    \
    install -Dm644 libzephyr.a -t %(installroot)%(libdir)\n    \
    ln -s libzephyr.so.1 %(installroot)%(libdir)/libzephyr.so\n    \
    install -Dm755 tool -t %(installroot)%(bindir)\n    \
    ln %(installroot)%(bindir)/tool %(installroot)%(bindir)/other\n    \
    mkdir -p %(installroot)/usr/share/tool\n    \
    for n in $(seq 40); do echo $SOURCE_DATE_EPOCH $n > %(installroot)/usr/share/tool/$n; done\n";

#[tokio::test]
async fn an_order_gives_the_same_bytes_each_time_and_in_every_slot() {
    let bench = Bench::with("slots = 2\njobs = 2").await;
    let order = bench.repository("recipes", &[("tool/stone.yaml", &recipe(MIXED))]);
    // Side by side, so that the second one has another slot and, where tests run as root, user.
    let (first, second) = tokio::join!(bench.build(&order), bench.build(&order));
    let mut made = Vec::new();
    for (id, state) in [first, second, bench.build(&order).await] {
        let State::Succeeded { assets, .. } = state else {
            panic!("{state:?}\n{}", bench.log(id).await)
        };
        let files: Vec<(String, Sha256)> = assets
            .into_iter()
            .map(|asset| (asset.file_name.to_string(), asset.sha256))
            .collect();
        made.push(files);
    }
    assert_eq!(made[0].len(), 5, "{:?}", made[0]);
    assert_eq!(made[0], made[1]);
    assert_eq!(made[0], made[2]);
    bench.end().await;
}
