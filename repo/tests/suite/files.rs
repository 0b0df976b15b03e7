//! The public files over HTTP.

use std::io::Read as _;

use reqwest::{Method, Response};

use super::stage::Stage;
use super::stones::{meta, order, stone};

async fn ask(stage: &Stage, method: Method, path: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = reqwest::Client::new().request(method, stage.url(path));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response
        .headers()
        .get(name)
        .map_or("", |value| value.to_str().unwrap())
}

const POOLED: &str = "main/pool/v0/n/nano/nano-1.0-33-1-x86_64.stone";
const ROOT: &str = "main/moss-root-index.json";
const VOLATILE: &str = "main/stream/volatile/x86_64/stone.index";

async fn stage_with_nano() -> (Stage, String) {
    let stage = Stage::new().await;
    let nano = stage
        .builder
        .offer_stone(&meta("nano", "nano", 33, 1), "text");
    let history = stage.publish(&order("nano", [nano])).await;
    (stage, history)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_never_changes_may_be_kept() {
    let (stage, history) = stage_with_nano().await;
    for path in [
        POOLED,
        &format!("main/history/{history}/x86_64/stone.index"),
    ] {
        let response = stage.fetch(path).await;
        assert_eq!(
            header(&response, "cache-control"),
            "public, max-age=31536000, immutable"
        );
        assert_eq!(
            header(&response, "content-type"),
            "application/octet-stream"
        );
        assert_eq!(header(&response, "x-content-type-options"), "nosniff");
        assert!(!header(&response, "last-modified").is_empty());
        let tag = header(&response, "etag").to_owned();
        assert!(!tag.is_empty());
        let again = ask(&stage, Method::GET, path, &[("if-none-match", &tag)]).await;
        assert_eq!(again.status(), 304);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_moves_is_asked_for_again() {
    let (stage, _) = stage_with_nano().await;
    let mut tags = Vec::new();
    for path in [ROOT, VOLATILE] {
        let response = stage.fetch(path).await;
        assert_eq!(header(&response, "cache-control"), "no-cache");
        assert_eq!(header(&response, "last-modified"), "");
        let tag = header(&response, "etag").to_owned();
        let again = ask(&stage, Method::GET, path, &[("if-none-match", &tag)]).await;
        assert_eq!(again.status(), 304);
        // A date could not tell apart two imports of one second, so it does not count.
        let later = [("if-modified-since", "Fri, 31 Dec 2100 23:59:59 GMT")];
        assert_eq!(ask(&stage, Method::GET, path, &later).await.status(), 200);
        tags.push((path, tag));
    }
    let nano = stage
        .builder
        .offer_stone(&meta("nano", "nano", 34, 1), "text");
    stage.publish(&order("nano", [nano])).await;
    for (path, tag) in tags {
        let moved = ask(&stage, Method::GET, path, &[("if-none-match", &tag)]).await;
        assert_eq!(moved.status(), 200, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_download_can_go_on() {
    let (stage, _) = stage_with_nano().await;
    let bytes = stone(&meta("nano", "nano", 33, 1), "text");
    let part = ask(&stage, Method::GET, POOLED, &[("range", "bytes=10-")]).await;
    assert_eq!(part.status(), 206);
    let range = format!("bytes 10-{}/{}", bytes.len() - 1, bytes.len());
    assert_eq!(header(&part, "content-range"), range);
    assert_eq!(part.bytes().await.unwrap(), bytes[10..]);
    let head = ask(&stage, Method::HEAD, POOLED, &[]).await;
    assert_eq!(header(&head, "content-length"), bytes.len().to_string());
    let beyond = ask(&stage, Method::GET, POOLED, &[("range", "bytes=99999999-")]).await;
    assert_eq!(beyond.status(), 416);
    let post = ask(&stage, Method::POST, POOLED, &[]).await;
    assert_eq!(post.status(), 405);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_root_index_comes_compressed_to_those_who_take_it() {
    let (stage, _) = stage_with_nano().await;
    let plain = stage.fetch(ROOT).await;
    assert_eq!(header(&plain, "content-encoding"), "");
    assert_eq!(header(&plain, "content-type"), "application/json");
    assert_eq!(header(&plain, "vary"), "accept-encoding");
    let plain = plain.bytes().await.unwrap();
    let zstd = ask(
        &stage,
        Method::GET,
        ROOT,
        &[("accept-encoding", "zstd, gzip;q=0.5")],
    )
    .await;
    assert_eq!(header(&zstd, "content-encoding"), "zstd");
    assert_eq!(header(&zstd, "content-type"), "application/json");
    assert_eq!(header(&zstd, "vary"), "accept-encoding");
    assert_eq!(
        zstd::decode_all(&zstd.bytes().await.unwrap()[..]).unwrap(),
        plain
    );
    let gzip = ask(&stage, Method::GET, ROOT, &[("accept-encoding", "gzip")]).await;
    assert_eq!(header(&gzip, "content-encoding"), "gzip");
    let mut unzipped = Vec::new();
    let gzip = gzip.bytes().await.unwrap();
    flate2::read::GzDecoder::new(&gzip[..])
        .read_to_end(&mut unzipped)
        .unwrap();
    assert_eq!(unzipped, plain);
    let index = ask(
        &stage,
        Method::GET,
        VOLATILE,
        &[("accept-encoding", "zstd, gzip")],
    )
    .await;
    assert_eq!(header(&index, "content-encoding"), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_else_is_served() {
    let (stage, history) = stage_with_nano().await;
    let channel = stage.data().join("public/main");
    // Things that have no business in the public tree.
    std::fs::write(channel.join(".secret"), "secret").unwrap();
    std::fs::write(stage.data().join("secret"), "secret").unwrap();
    let pool = channel.join("pool/v0/n/nano");
    std::os::unix::fs::symlink(
        stage.data().join("secret"),
        pool.join("link-1-1-1-x86_64.stone"),
    )
    .unwrap();
    std::os::unix::fs::symlink(&pool, channel.join("pool/v0/n/pico")).unwrap();
    std::fs::create_dir_all(stage.data().join("public/other")).unwrap();
    std::fs::copy(
        channel.join("moss-root-index.json"),
        stage.data().join("public/other/moss-root-index.json"),
    )
    .unwrap();
    for path in [
        "main",
        "main/",
        "main/.secret",
        "main/moss-root-index.json.zst",
        "main/history",
        &format!("main/history/{history}"),
        &format!("main/history/{history}/x86_64"),
        &format!("main/history/{history}/aarch64/stone.index"),
        "main/pool/v0/n/nano/link-1-1-1-x86_64.stone",
        "main/pool/v0/n/pico/nano-1.0-33-1-x86_64.stone",
        "main/pool/v0/n/nano/..%2f..%2f..%2f..%2f..%2fsecret",
        "..%2fsecret",
        "%2e%2e/secret",
        "main/%2e%2e/%2e%2e/secret",
        "other/moss-root-index.json",
        "staging",
        "db/data.mdb",
    ] {
        let response = stage.fetch(path).await;
        assert_eq!(response.status(), 404, "{path}");
        assert_eq!(
            response.text().await.unwrap(),
            "There is no such file.\n",
            "{path}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn people_get_a_page() {
    let (stage, history) = stage_with_nano().await;
    let response = stage.fetch("").await;
    assert_eq!(
        header(&response, "content-type"),
        "text/html; charset=utf-8"
    );
    assert!(header(&response, "content-security-policy").contains("default-src 'none'"));
    let page = response.text().await.unwrap();
    assert!(page.contains(&history), "{page}");
    assert!(page.contains(stage.running.public_url.as_str()), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_can_have_a_listener_of_their_own() {
    service::install_tls_provider();
    let folder = tempfile::tempdir().unwrap();
    let mut config = super::stage::config(folder.path().join("data"), Vec::new());
    config.public_listen = Some(service::listen::Config::loopback());
    let supervisor = service::Supervisor::new();
    let running = vessel::start(config, &supervisor).await.unwrap();
    assert_ne!(running.address, running.public_address);
    assert_eq!(
        running.public_url.as_str(),
        format!("http://{}/", running.public_address)
    );
    let control = format!("http://{}/", running.address);
    let public = running.public_url.to_string();
    for (base, path, expected) in [
        (&control, ROOT, 404),
        (&control, "", 404),
        (&control, "health", 200),
        (&control, "api/v1/channels/main", 401),
        (&public, ROOT, 200),
        (&public, "", 200),
        (&public, "health", 404),
        (&public, "api/v1/channels/main", 404),
    ] {
        let status = reqwest::get(format!("{base}{path}"))
            .await
            .unwrap()
            .status();
        assert_eq!(status, expected, "{base}{path}");
    }
    assert!(
        supervisor
            .shutdown(std::time::Duration::from_secs(20))
            .await
            .is_empty()
    );
}
