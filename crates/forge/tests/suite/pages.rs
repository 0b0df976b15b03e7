//! The pages for people: what they show, and that nothing a stranger writes becomes more than text.

use forge::{Edit, OpenPull, Sha};
use http::Method;
use serde_json::json;

use crate::bench::{Bench, REPOSITORY, git};
use crate::browser::{Browser, Page};
use crate::forms::with_topic;

async fn commit(bench: &Bench, branch: &str, message: &str, edits: &[(&str, Edit)]) -> Sha {
    let made = bench
        .forge
        .commit(REPOSITORY, "maya", branch, message, edits);
    made.await.unwrap()
}

fn put(text: &str) -> Edit {
    Edit::Put(text.as_bytes().to_vec())
}

async fn open(bench: &Bench, head: &str, title: &str, body: &str) -> u64 {
    let open = OpenPull {
        repository: REPOSITORY,
        author: "maya",
        head,
        base: "main",
        title,
        body: Some(body),
        draft: false,
    };
    bench.forge.open_pull(open).await.unwrap()
}

async fn run(bench: &Bench, run: serde_json::Value) {
    let path = format!("/repos/{REPOSITORY}/check-runs");
    let made = bench.post(&path, &bench.token().await, run).await;
    assert_eq!(made.status, 201, "{}", made.body);
}

/// All pages of a repository with one pull request.
fn all_pages(head: &Sha, branch: &str, file: &str) -> Vec<String> {
    let (branch, file) = (escaped(branch), escaped(file));
    let mut pages = vec![
        "/".to_owned(),
        "/-/sign-in".to_owned(),
        "/-/tokens".to_owned(),
    ];
    let of_it = [
        String::new(),
        "/branches".to_owned(),
        "/commits".to_owned(),
        format!("/commits/{branch}"),
        format!("/tree/{branch}"),
        format!("/blob/{branch}/{file}"),
        format!("/commit/{head}"),
        format!("/commit/{head}/checks"),
        "/pulls".to_owned(),
        "/pulls?state=closed".to_owned(),
        "/pulls/new".to_owned(),
        "/pull/1".to_owned(),
        "/pull/1/commits".to_owned(),
        "/pull/1/files".to_owned(),
    ];
    pages.extend(of_it.map(|end| format!("/{REPOSITORY}{end}")));
    pages
}

fn escaped(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// What holds for every page, those that refuse included.
fn check_form(page: &Page) {
    let html = &page.html;
    let path = &page.path;
    assert!(
        html.starts_with("<!DOCTYPE html><html lang=\"en\">"),
        "{path}"
    );
    assert!(
        html.contains("<meta name=\"viewport\" content=\"width=device-width"),
        "{path}"
    );
    assert_eq!(html.matches("<h1").count(), 1, "{path}: one heading");
    let (_, heading) = html.split_once("<h1").unwrap();
    let (heading, _) = heading.split_once("</h1>").unwrap();
    let words: String = heading
        .split('<')
        .filter_map(|part| Some(part.split_once('>')?.1))
        .collect();
    assert!(!words.trim().is_empty(), "{path}: an empty heading");
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(
        policy.starts_with("default-src 'none'; style-src 'self'; img-src 'self'; form-action"),
        "{path}"
    );
    assert_eq!(page.headers["x-content-type-options"], "nosniff", "{path}");
    assert_eq!(page.headers["cache-control"], "no-store", "{path}");
    for elsewhere in ["<script", "<img", " style=", " onclick=", "src=\"http"] {
        assert!(!html.contains(elsewhere), "{path}: {elsewhere}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_strangers_write_stands_there_as_text() {
    let bench = Bench::start().await;
    commit(&bench, "main", "One", &[("a", put("1"))]).await;
    let path = bench.forge.repository_path(REPOSITORY).unwrap();
    let evil = "<script>alert('x')</script>";
    let branch = "x\"><script>alert(1)</script>";
    git(&path, &["branch", branch, "main"]).await;
    let file = "d\"'<script>/&#?% <b>.md";
    let head = commit(&bench, branch, evil, &[(file, put(evil))]).await;
    let number = open(&bench, branch, evil, evil).await;
    bench
        .forge
        .comment_on_pull(REPOSITORY, number, "rowan", evil)
        .unwrap();
    bench
        .forge
        .comment_on_commit(REPOSITORY, &head, "rowan", evil)
        .await
        .unwrap();
    run(&bench, json!({
        "name": evil,
        "head_sha": head,
        "conclusion": "failure",
        "details_url": "https://summit.example/builds/1?a=\"><script>",
        "actions": [{ "label": "<script>", "description": "<script>", "identifier": "\"><script>" }],
        "output": {
            "title": evil,
            "summary": evil,
            "text": evil,
            "annotations": [{
                "path": file, "start_line": 1, "end_line": 1, "title": evil, "raw_details": evil,
                "annotation_level": "failure", "message": evil,
            }],
        },
    }))
    .await;
    let mut maya = Browser::signed_in(&bench, "maya").await;
    for path in all_pages(&head, branch, file) {
        let page = maya.open(&path).await;
        assert_eq!(page.status, 200, "{path}");
        check_form(page);
    }
    for (path, words) in [
        ("/branches", vec!["x&quot;&gt;&lt;script&gt;"]),
        ("/commits/main", vec!["One"]),
        ("/pull/1", vec!["failure", "brings", "rowan", "d&quot;"]),
        ("/pull/1/files", vec!["&lt;script&gt;alert", "d&quot;"]),
        ("/pull/1/commits", vec!["&lt;script&gt;alert"]),
    ] {
        let page = maya.open(&format!("/{REPOSITORY}{path}")).await;
        for word in words {
            assert!(page.html.contains(word), "{path} lacks {word}");
        }
    }
    // Links of a page lead to what they name.
    let files = maya
        .open(&format!("/{REPOSITORY}/pull/1/files"))
        .await
        .html
        .clone();
    let (_, target) = files.split_once("<div class=\"head\"><a href=\"").unwrap();
    let page = maya.open(target.split('"').next().unwrap()).await;
    assert_eq!(page.status, 200);
    assert!(
        page.html.contains("&lt;script&gt;alert('x')"),
        "{}",
        page.html
    );
    // The button says what the run's author wrote, and sends it back unchanged.
    maya.open(&format!("/{REPOSITORY}/commit/{head}")).await;
    maya.press("&lt;script&gt;", &[]).await;
    let hooks = bench.receiver.wait("check_run", 3).await;
    let asked = hooks
        .iter()
        .find(|hook| hook.body["action"] == "requested_action")
        .unwrap();
    assert_eq!(asked.body["requested_action"]["identifier"], "\"><script>");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_a_page_too() {
    let bench = Bench::start().await;
    let mut nobody = Browser::new(&bench);
    for path in [
        "/snekbook/absent",
        "/nobody",
        "/snekbook/recipes/commit/0000000",
        "/snekbook/recipes/pull/9",
        "/snekbook/recipes/pull/x",
        "/snekbook/recipes/tree/absent",
        "/snekbook/recipes/commits/absent",
        "/-/nothing",
        "/snekbook/recipes/fork",
    ] {
        let page = nobody.open(path).await;
        assert!(matches!(page.status, 404 | 400), "{path}: {}", page.status);
        check_form(page);
    }
    // A repository without a commit has all its pages.
    for path in ["", "/branches", "/commits", "/pulls"] {
        let page = nobody.open(&format!("/{REPOSITORY}{path}")).await;
        assert_eq!(page.status, 200, "{path}");
        check_form(page);
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
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_is_turned_page_by_page() {
    let bench = Bench::start().await;
    for number in 0..65 {
        let text = number.to_string();
        let edits = [("a", put(&text))];
        commit(&bench, "main", &format!("Commit {number:02}"), &edits).await;
    }
    let mut nobody = Browser::new(&bench);
    nobody.open(&format!("/{REPOSITORY}/commits")).await;
    let mut seen = Vec::new();
    for turn in 0..3 {
        let html = nobody.page.html.clone();
        seen.extend(
            html.split("\">Commit ")
                .skip(1)
                .map(|rest| rest[..2].to_owned()),
        );
        let older = html
            .split("href=\"")
            .find(|rest| rest.contains(">Older →<"));
        match older {
            Some(rest) => {
                let target = rest.split('"').next().unwrap().replace("&amp;", "&");
                // What is pushed meanwhile moves nothing.
                commit(&bench, "main", "Later", &[("b", put(&target))]).await;
                nobody.open(&target).await;
            }
            None => assert_eq!(turn, 2),
        }
    }
    let wanted: Vec<_> = (0..65).rev().map(|number| format!("{number:02}")).collect();
    // Commits of one second have no order among themselves.
    let sorted = |mut all: Vec<String>| {
        all.sort();
        all
    };
    assert_eq!(sorted(seen), sorted(wanted));
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_shown_within_bounds() {
    let bench = Bench::start().await;
    let many: String = (0..6_000)
        .map(|number| format!("line {number}\n"))
        .collect();
    let edits = [
        ("docs/guide/one.md", put("# One\n")),
        ("binary", Edit::Put(vec![0, 159, 146, 150])),
        ("large", put(&"x".repeat(600 * 1024))),
        ("wide", put(&"y".repeat(5_000))),
        ("many", put(&many)),
    ];
    let head = commit(&bench, "main", "All", &edits).await;
    let mut nobody = Browser::new(&bench);
    for (path, words) in [
        ("tree/main", vec![">docs/</a>", ">binary</a>"]),
        ("tree/main/docs", vec![">guide/</a>"]),
        ("tree/main/docs/guide", vec![">one.md</a>"]),
        ("blob/main/docs/guide/one.md", vec!["id=\"L1\"", "# One"]),
        ("blob/main/binary", vec!["not text: 4 bytes"]),
        ("blob/main/large", vec!["614400 bytes"]),
        ("blob/main/wide", vec!["cut here"]),
        (
            "blob/main/many",
            vec!["line 4999", "Only the first 5000 lines"],
        ),
        (
            &format!("commit/{head}"),
            vec!["too long to be shown", "Not text", "+6000"],
        ),
    ] {
        let page = nobody.open(&format!("/{REPOSITORY}/{path}")).await;
        assert_eq!(page.status, 200, "{path}");
        check_form(page);
        for word in words {
            assert!(page.html.contains(word), "{path} lacks {word}");
        }
        assert!(page.html.len() < 2_000_000, "{path}: {}", page.html.len());
    }
    for absent in [
        "tree/main/docs/none",
        "blob/main%2F..%2Fmain/many",
        "tree/main/%00",
        "tree/%00",
        "commits/%00",
        "commit/%00",
        "tree/main/.git",
    ] {
        let page = nobody.open(&format!("/{REPOSITORY}/{absent}")).await;
        assert_eq!(page.status, 404, "{absent}");
    }
}

/// The main part of a page, with what differs from run to run taken out.
fn body_of(page: &Page) -> String {
    let (_, body) = page.html.split_once("</header>").unwrap();
    body.replace("</li>", "</li>\n")
        .replace("</p>", "</p>\n")
        .replace("</section>", "</section>\n")
        .replace("</tr>", "</tr>\n")
        .replace("</form>", "</form>\n")
        .replace("</a><a", "</a>\n<a")
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_have_this_form() {
    let bench = Bench::start().await;
    let head = with_topic(&bench).await;
    let number = open(&bench, "topic", "Add b", "It says **two**.").await;
    bench
        .forge
        .comment_on_pull(REPOSITORY, number, "rowan", "- [x] seen")
        .unwrap();
    run(
        &bench,
        json!({
            "name": "build: lz4 (x86_64)",
            "head_sha": head,
            "conclusion": "failure",
            "details_url": "https://summit.example/builds/1",
            "actions": [{ "label": "Allow", "description": "Builds it.", "identifier": "allow" }],
            "output": {
                "title": "The recipe is refused",
                "summary": "| what | where |\n|---|---|\n| key | `b.txt` |",
                "annotations": [{
                    "path": "b.txt", "start_line": 1, "end_line": 1,
                    "annotation_level": "failure", "message": "error[unknown-action]",
                }],
            },
        }),
    )
    .await;
    let mut maya = Browser::signed_in(&bench, "maya").await;
    let mut settings = insta::Settings::clone_current();
    for (pattern, word) in [
        (r"[0-9a-f]{64}", "[number]"),
        (r"[0-9a-f]{40}", "[sha]"),
        (r"<code>[0-9a-f]{10}</code>", "<code>[sha]</code>"),
        (
            r#"title="\[sha\]">[0-9a-f]{10}<"#,
            r#"title="[sha]">[sha]<"#,
        ),
        (r">[0-9a-f]{10}</a>", ">[sha]</a>"),
        (
            r#"datetime="[^"]*" title="[^"]*""#,
            r#"datetime="[time]" title="[time]""#,
        ),
        (r"127\.0\.0\.1:\d+", "[host]"),
        (
            r"(check-run|check-suites|check-runs|issuecomment)([-/])\d+",
            "$1$2[id]",
        ),
    ] {
        settings.add_filter(pattern, word);
    }
    let _bound = settings.bind_to_scope();
    for (name, path) in [
        ("overview", "/".to_owned()),
        ("repository", format!("/{REPOSITORY}")),
        ("commits", format!("/{REPOSITORY}/commits/topic")),
        ("commit", format!("/{REPOSITORY}/commit/{head}")),
        ("pull_request", format!("/{REPOSITORY}/pull/1")),
        ("files_changed", format!("/{REPOSITORY}/pull/1/files")),
        (
            "new_pull_request",
            format!("/{REPOSITORY}/pulls/new?head=topic"),
        ),
    ] {
        insta::assert_snapshot!(format!("page_{name}"), body_of(maya.open(&path).await));
    }
    let mut nobody = Browser::new(&bench);
    insta::assert_snapshot!("page_sign_in", body_of(nobody.open("/-/sign-in").await));
}
