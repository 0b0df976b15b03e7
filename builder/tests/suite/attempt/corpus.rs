//! Real recipes with their real archives, where the corpus is there.

use api::attempt::{AssetKind, State};
use moss_format::package::Package;

use super::bench::{Bench, fetch};

/// Builds a recipe of the corpus, unpacks its main package, and runs a program of it.
async fn build(name: &str, program: &str, argument: &str, expected: &str) {
    let Some(corpus) = testbed::corpus::find() else {
        return;
    };
    let bench = Bench::new().await;
    for entry in std::fs::read_dir(corpus.join("distfiles")).unwrap() {
        bench.put(&std::fs::read(entry.unwrap().path()).unwrap());
    }
    let recipe = corpus.join("recipes").join(name);
    let mut files = Vec::new();
    for entry in walkdir::WalkDir::new(&recipe) {
        let entry = entry.unwrap();
        if entry.file_type().is_file()
            && let Ok(content) = std::fs::read_to_string(entry.path())
        {
            let path = entry
                .path()
                .strip_prefix(&recipe)
                .unwrap()
                .display()
                .to_string();
            files.push((format!("{name}/{path}"), content));
        }
    }
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(path, content)| (path.as_str(), content.as_str()))
        .collect();
    let mut order = bench.repository("recipes", &files);
    order.recipe = name.parse().unwrap();
    order.folder = name.parse().unwrap();
    let (id, state) = bench.build(&order).await;
    let State::Succeeded { assets, .. } = state else {
        panic!("{state:?}\n{}", bench.log(id).await)
    };
    let root = bench.folder.path().join("unpacked");
    for asset in assets.iter().filter(|asset| asset.kind == AssetKind::Stone) {
        let stone = fetch(&asset.uri).await.1;
        let mut package = Package::open(std::io::Cursor::new(stone)).unwrap();
        moss_format::unpack::unpack(
            &mut package,
            &root,
            &moss_format::unpack::Options::default(),
        )
        .unwrap();
    }
    let output = std::process::Command::new(root.join("usr/bin").join(program))
        .arg(argument)
        .env("LD_LIBRARY_PATH", root.join("usr/lib"))
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(said.contains(expected), "{said}");
    bench.end().await;
}

#[tokio::test]
async fn xxhash_is_built_from_its_real_recipe() {
    build("xxhash", "xxhsum", "--version", "0.8.1").await;
}

#[tokio::test]
async fn dash_is_built_from_its_real_recipe() {
    build("dash", "dash", "-c", "requires an argument").await;
}

#[tokio::test]
#[ignore = "takes half a minute"]
async fn lz4_is_built_from_its_real_recipe() {
    build("lz4", "lz4", "--version", "1.9.4").await;
}

#[tokio::test]
#[ignore = "takes half a minute"]
async fn xz_is_built_from_its_real_recipe() {
    build("xz", "xz", "--version", "5.4.1").await;
}

#[tokio::test]
#[ignore = "takes half a minute"]
async fn sed_is_built_from_its_real_recipe() {
    build("sed", "sed", "--version", "4.9").await;
}
