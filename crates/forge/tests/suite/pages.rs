//! The pages for people.

use forge::{Edit, OpenPull};
use http::Method;
use serde_json::json;

use crate::bench::{Answer, Bench, REPOSITORY};

async fn page(bench: &Bench, path: &str) -> Answer {
    let url = format!("{}/{REPOSITORY}{path}", bench.forge.url());
    bench.answer(bench.request(Method::GET, &url)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_strangers_write_stands_there_as_text() {
    let bench = Bench::start().await;
    let forge = &bench.forge;
    let put = |text: &str| Edit::Put(text.as_bytes().to_vec());
    forge
        .commit(REPOSITORY, "maya", "main", "One", &[("a", put("1"))])
        .await
        .unwrap();
    let path = forge.repository_path(REPOSITORY).unwrap();
    crate::bench::git(&path, &["branch", "topic", "main"]).await;
    let evil = "<script>alert('x')</script>";
    let head = forge
        .commit(REPOSITORY, "maya", "topic", evil, &[("b", put("2"))])
        .await
        .unwrap();
    let number = forge
        .open_pull(OpenPull {
            repository: REPOSITORY,
            author: "maya",
            head: "topic",
            base: "main",
            title: evil,
            body: Some(evil),
        })
        .await
        .unwrap();
    forge
        .comment_on_pull(REPOSITORY, number, "rowan", evil)
        .unwrap();
    let token = bench.token().await;
    let run = json!({
        "name": evil,
        "head_sha": head,
        "conclusion": "failure",
        "details_url": "https://summit.example/builds/1?a=\"><script>",
        "output": {
            "title": evil,
            "summary": evil,
            "text": evil,
            "annotations": [{
                "path": evil, "start_line": 7, "end_line": 7,
                "annotation_level": "failure", "message": evil,
            }],
        },
    });
    let made = bench
        .post(&format!("/repos/{REPOSITORY}/check-runs"), &token, run)
        .await;
    assert_eq!(made.status, 201, "{}", made.body);

    let checks = format!("/commit/{head}/checks");
    for (path, words) in [
        ("", vec!["failure", "open"]),
        (checks.as_str(), vec!["failure", ":7", "Details"]),
        ("/pull/1", vec!["brings", "topic", "rowan", "failure"]),
    ] {
        let answer = page(&bench, path).await;
        assert_eq!(answer.status, 200, "{path}");
        let text = answer.body.as_str().unwrap();
        assert!(!text.contains("<script"), "{path}");
        assert!(text.contains("&lt;script&gt;"), "{path}");
        for word in words {
            assert!(text.contains(word), "{path} lacks {word}");
        }
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'"));
    }
    let index = bench
        .answer(bench.request(Method::GET, bench.forge.url()))
        .await;
    assert!(
        index
            .body
            .as_str()
            .unwrap()
            .contains("href=\"/snekbook/recipes\"")
    );
    for path in ["/commit/0000000", "/pull/9", "x"] {
        assert_eq!(page(&bench, path).await.status, 404, "{path}");
    }
}
