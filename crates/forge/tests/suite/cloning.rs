//! Push and clone with a real git client.

use std::path::Path;

use forge::config::Config;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use service::listen::Tls;

use crate::bench::{Bench, REPOSITORY, git};

#[tokio::test(flavor = "multi_thread")]
async fn a_push_can_be_cloned_and_is_told_of() {
    let bench = Bench::start().await;
    let tree = bench.work_tree("maya").await;
    let sha = tree.git(&["rev-parse", "HEAD"]).await;
    tree.push("main").await;

    let hooks = bench.receiver.wait("push", 1).await;
    let push = &hooks[0].body;
    assert_eq!(push["ref"], "refs/heads/main");
    assert_eq!(push["before"], "0".repeat(40));
    assert_eq!(push["after"], sha);
    assert_eq!(push["created"], true);
    assert_eq!(push["commits"][0]["added"][0], "lz4/stone.yaml");
    assert_eq!(push["sender"]["login"], "maya");
    assert_eq!(push["repository"]["full_name"], REPOSITORY);
    assert_eq!(push["organization"]["login"], "snekbook");
    assert_eq!(push["installation"]["id"], bench.installation().await);
    for header in [
        "x-github-delivery",
        "x-github-hook-id",
        "x-hub-signature-256",
    ] {
        assert!(hooks[0].headers.contains_key(header), "{header}");
    }
    assert_eq!(
        hooks[0].header("x-github-hook-installation-target-type"),
        "integration"
    );
    assert_eq!(
        hooks[0].header("x-github-hook-installation-target-id"),
        "77"
    );
    let suites = bench.receiver.wait("check_suite", 1).await;
    assert_eq!(suites[0].body["action"], "requested");

    for end in ["", ".git"] {
        let folder = format!("clone{end}");
        let url = bench.forge.push_url(REPOSITORY, "rowan").unwrap();
        let url = url.trim_end_matches(".git").to_owned() + end;
        let output = git(bench.folder.path(), &["clone", "--quiet", &url, &folder]).await;
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let text = bench.folder.path().join(folder).join("lz4/stone.yaml");
        assert_eq!(std::fs::read_to_string(text).unwrap(), "name: lz4\n");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn forced_created_and_deleted_refs_are_told_apart() {
    let bench = Bench::start().await;
    let tree = bench.work_tree("maya").await;
    tree.push("main").await;
    let first = tree.git(&["rev-parse", "HEAD"]).await;
    tree.git(&["commit", "--quiet", "--amend", "-m", "Add lz4 anew"])
        .await;
    tree.push("+main").await;
    let second = tree.git(&["rev-parse", "HEAD"]).await;
    tree.push("main:topic").await;
    tree.push(":topic").await;
    let hooks = bench.receiver.wait("push", 4).await;
    let find = |after: &str, name: &str, before: &str| {
        hooks
            .iter()
            .map(|hook| &hook.body)
            .find(|body| body["after"] == after && body["ref"] == name && body["before"] == before)
            .unwrap()
    };
    let zero = "0".repeat(40);
    let forced = find(&second, "refs/heads/main", &first);
    assert_eq!(
        (&forced["forced"], &forced["created"]),
        (&true.into(), &false.into())
    );
    let created = find(&second, "refs/heads/topic", &zero);
    assert_eq!(created["created"], true);
    assert_eq!(
        created["commits"].as_array().unwrap().len(),
        0,
        "main has them"
    );
    assert_eq!(created["head_commit"]["id"], second);
    let deleted = find(&zero, "refs/heads/topic", &second);
    assert_eq!(
        (&deleted["deleted"], &deleted["head_commit"]),
        (&true.into(), &().into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn only_those_with_a_role_come_in() {
    let bench = Bench::start().await;
    bench.work_tree("maya").await.push("main").await;
    let clone = async |url: String| {
        let output = git(bench.folder.path(), &["ls-remote", &url]).await;
        (
            output.status.success(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let plain = bench.forge.clone_url(REPOSITORY);
    assert!(!clone(plain.clone()).await.0, "anonymous");
    let (ok, error) = clone(bench.forge.push_url(REPOSITORY, "stranger").unwrap()).await;
    assert!(!ok && error.contains("not found"), "{error}");
    assert!(
        clone(bench.forge.push_url(REPOSITORY, "rowan").unwrap())
            .await
            .0
    );
    let with = |token: &str| plain.replace("://", &format!("://x-access-token:{token}@"));
    assert!(clone(with(&bench.token().await)).await.0);
    let blind = bench.scoped_token(serde_json::json!({ "permissions": { "checks": "write" } }));
    assert!(!clone(with(&blind.await)).await.0, "no contents:read");

    let tree = bench.work_tree("rowan").await;
    let output = git(&tree.path, &["push", "origin", "main:mine"]).await;
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && error.contains("403"), "{error}");
    tree.git(&["remote", "set-url", "origin", &with(&bench.token().await)])
        .await;
    let output = git(&tree.path, &["push", "origin", "main:mine"]).await;
    assert!(!output.status.success(), "contents:read does not push");
}

#[tokio::test(flavor = "multi_thread")]
async fn refs_of_pull_requests_cannot_be_pushed() {
    let bench = Bench::start().await;
    let tree = bench.work_tree("maya").await;
    let output = git(&tree.path, &["push", "origin", "main:refs/pull/1/head"]).await;
    assert!(!output.status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn four_tags_at_once_make_no_event() {
    let bench = Bench::start().await;
    let tree = bench.work_tree("maya").await;
    tree.push("main").await;
    for tag in ["a", "b", "c", "d"] {
        tree.git(&["tag", tag]).await;
    }
    tree.push("--tags").await;
    tree.git(&["tag", "e"]).await;
    tree.push("e").await;
    let hooks = bench.receiver.wait("push", 2).await;
    let refs: Vec<_> = hooks
        .iter()
        .map(|hook| hook.body["ref"].as_str().unwrap())
        .collect();
    assert!(
        refs.contains(&"refs/tags/e") && refs.contains(&"refs/heads/main"),
        "{refs:?}"
    );
}

/// Bytes that do not compress, the same every time.
fn noise(count: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let step = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    std::iter::repeat_with(step).take(count).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_push_comes_in_pieces_and_goes_out_whole() {
    let bench = Bench::start().await;
    let tree = bench.work_tree("maya").await;
    // Git sends more than a megabyte in chunks, without a length.
    let bytes = noise(6 * 1024 * 1024);
    std::fs::write(tree.path.join("large"), &bytes).unwrap();
    tree.git(&["add", "large"]).await;
    tree.git(&["commit", "--quiet", "-m", "Add a large file"])
        .await;
    tree.push("main").await;
    let url = bench.forge.push_url(REPOSITORY, "rowan").unwrap();
    let output = git(bench.folder.path(), &["clone", "--quiet", &url, "copy"]).await;
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(std::fs::read(bench.folder.path().join("copy/large")).unwrap() == bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_commit_is_fetched_by_its_id() {
    let bench = Bench::start().await;
    let tree = bench.work_tree("maya").await;
    let first = tree.git(&["rev-parse", "HEAD"]).await;
    tree.commit("lz4/stone.yaml", "release: 2\n", "Raise").await;
    tree.push("main").await;
    let empty = bench.folder.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    git(&empty, &["init", "--quiet"]).await;
    let url = bench.forge.push_url(REPOSITORY, "rowan").unwrap();
    let output = git(&empty, &["fetch", "--quiet", "--depth=1", &url, &first]).await;
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(
        git(&empty, &["rev-parse", "FETCH_HEAD"]).await.stdout,
        format!("{first}\n").as_bytes()
    );
}

/// A certificate for loopback by a new authority, both written into a folder.
fn certify(folder: &Path) -> Tls {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params
        .distinguished_name
        .push(DnType::CommonName, "authority of the test");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    std::fs::write(
        folder.join("ca.pem"),
        params.self_signed(&key).unwrap().pem(),
    )
    .unwrap();
    let authority = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap();
    let tls = Tls {
        certificate: folder.join("cert.pem"),
        key: folder.join("key.pem"),
    };
    std::fs::write(&tls.certificate, certificate.pem()).unwrap();
    std::fs::write(&tls.key, key.serialize_pem()).unwrap();
    tls
}

#[tokio::test(flavor = "multi_thread")]
async fn https_serves_those_who_trust_its_authority() {
    let with_tls = |config: &mut Config, folder: &Path| config.listen.tls = Some(certify(folder));
    let bench = Bench::start_with(with_tls).await;
    assert!(bench.forge.url().starts_with("https://127.0.0.1:"));
    let authority = bench.folder.path().join("ca.pem");
    let trust = format!("http.sslCAInfo={}", authority.display());
    let tree = bench.work_tree("maya").await;
    tree.git(&["-c", &trust, "push", "--quiet", "origin", "main"])
        .await;
    bench.receiver.wait("push", 1).await;
    let url = bench.forge.push_url(REPOSITORY, "rowan").unwrap();
    let clone = ["-c", &trust, "clone", "--quiet", &url, "trusting"];
    let output = git(bench.folder.path(), &clone).await;
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let output = git(bench.folder.path(), &["clone", "--quiet", &url, "wary"]).await;
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && error.contains("certificate"),
        "{error}"
    );
}
