//! The manifests beside the sample recipes are what a build makes.

use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::time::Duration;

use api::attempt::{Asset, AssetKind};
use forge::{Edit, OpenPull};
use moss_format::Manifest;
use service::Supervisor;
use snekbook_dev::Line;
use snekbook_dev::line::{Options, REPOSITORY};
use snekbook_dev::{distfiles, examples};
use summit::domain::build::{Build, State};

use crate::program;

const LIMIT: Duration = Duration::from_secs(120);

/// Pull requests end with assets that the builder keeps, and a program builds against the library
/// of the same pull request, which is not published.
#[tokio::test]
async fn the_committed_manifests_are_what_a_pull_request_builds() {
    service::install_tls_provider();
    let folder = tempfile::tempdir().unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o711);
    std::fs::set_permissions(folder.path(), open).unwrap();
    let supervisor = Supervisor::new();
    let archives = folder.path().join("distfiles");
    distfiles::keep(&archives, &examples::archives()).unwrap();
    let mut options = Options::new(folder.path().join("data"));
    options.executable = Some(PathBuf::from(program::BINARY));
    options.slots = NonZeroU16::new(2).unwrap();
    let mirror = distfiles::serve(&archives, 0, &supervisor).await.unwrap();
    options.mirrors = vec![mirror.pattern];
    let line = Line::start(&options, &supervisor).await.unwrap();

    let builds = build_pull(&line).await;
    assert_eq!(builds.len(), 2);
    let mut wrong = String::new();
    for build in &builds {
        let State::Built(built) = &build.state else {
            panic!("{}: {}", build.recipe, build.explain());
        };
        for asset in &built.assets {
            if asset.kind != AssetKind::Stone {
                wrong.push_str(&compare(build, asset).await);
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert_eq!(supervisor.shutdown(Duration::from_secs(20)).await, [""; 0]);
}

/// Opens a pull request with the samples and waits until none of its builds moves any more.
async fn build_pull(line: &Line) -> Vec<Build> {
    let forge = &line.forge;
    let readme = [("README.md", Edit::Put(b"Recipes.\n".to_vec()))];
    let commit = forge.commit(REPOSITORY, "packager", "main", "Begin", &readme);
    commit.await.unwrap();
    let main = forge
        .find_branch(REPOSITORY, "main")
        .await
        .unwrap()
        .unwrap();

    let recipes = examples::recipes();
    let files: Vec<(String, Edit)> = recipes
        .iter()
        .flat_map(|recipe| {
            let path = |file: &str| format!("{}/{file}", recipe.folder);
            let edits = recipe.files.iter();
            edits.map(move |file| (path(&file.path), Edit::Put(file.content.to_vec())))
        })
        .collect();
    let edits: Vec<(&str, Edit)> = files
        .iter()
        .map(|(path, edit)| (path.as_str(), edit.clone()))
        .collect();
    branch(line, main.as_str()).await;
    let commit = forge.commit(REPOSITORY, "packager", "samples", "Add samples", &edits);
    commit.await.unwrap();
    let open = OpenPull {
        repository: REPOSITORY,
        author: "packager",
        head: "samples",
        base: "main",
        title: "Add the samples",
        body: None,
        draft: false,
    };
    forge.open_pull(open).await.unwrap();
    let ended = |forge: &forge::Forge| {
        let mut runs = forge.check_runs(REPOSITORY);
        runs.retain(|run| run.name.starts_with("build "));
        let all = runs.len() == 2 && runs.iter().all(|run| run.status.conclusion().is_some());
        all.then_some(())
    };
    let waited = forge
        .wait_for("the end of both check runs", LIMIT, ended)
        .await;
    let builds = builds(line).await;
    if let Err(error) = waited {
        let states: Vec<_> = builds.iter().map(|b| (&b.recipe, b.explain())).collect();
        let runs = forge.check_runs(REPOSITORY);
        let runs: Vec<_> = runs.iter().map(|run| (&run.name, &run.status)).collect();
        panic!("{error}: {states:?}, {runs:?}");
    }
    builds
}

async fn branch(line: &Line, from: &str) {
    let path = line.forge.repository_path(REPOSITORY).unwrap();
    let output = tokio::process::Command::from(testbed::git())
        .arg("-C")
        .arg(path)
        .args(["branch", "samples", from])
        .output();
    assert!(output.await.unwrap().status.success());
}

async fn builds(line: &Line) -> Vec<Build> {
    let url = line.summit.join("api/v1/builds").unwrap();
    reqwest::get(url).await.unwrap().json().await.unwrap()
}

/// How a manifest differs from the committed one; where it does, the new one is kept for a person
/// to look at and to commit.
async fn compare(build: &Build, asset: &Asset) -> String {
    let bytes = reqwest::get(asset.uri.clone())
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    let recipe = Path::new("examples/recipes").join(build.recipe.as_str());
    let committed = recipe.join(asset.file_name.as_str());
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let found = std::fs::read(root.join(&committed)).unwrap_or_default();
    let differs = match asset.kind {
        AssetKind::Manifest => mismatches(&found, &bytes),
        AssetKind::ManifestText | AssetKind::Stone if found != bytes => "it differs".to_owned(),
        AssetKind::ManifestText | AssetKind::Stone => String::new(),
    };
    if differs.is_empty() {
        return differs;
    }
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("{}-{}", build.recipe, asset.file_name));
    std::fs::write(&kept, &bytes).unwrap();
    format!(
        "{}: {differs}\nIf the build is right: cp {} {}\n",
        committed.display(),
        kept.display(),
        committed.display()
    )
}

fn mismatches(committed: &[u8], built: &[u8]) -> String {
    let Ok(committed) = Manifest::decode(committed) else {
        return "it cannot be read".to_owned();
    };
    let found = committed.mismatches(&Manifest::decode(built).unwrap());
    let found: Vec<String> = found.iter().map(ToString::to_string).collect();
    found.join("\n")
}
