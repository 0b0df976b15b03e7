//! A forge that is killed while many ask it for something.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use http::Method;
use serde_json::{Value, json};
use service::Supervisor;
use tokio::sync::watch;

use super::process::{Caller, Process, app_jwt, write_config};
use super::{Kept, with_pull};
use crate::bench::{Answer, REPOSITORY, Receiver, Tree, git};

/// How often the forge is killed.
const ROUNDS: usize = 3;
/// So many answers are awaited before it is.
const ANSWERS: usize = 60;

/// What was answered: it has to be there for ever.
#[derive(Debug, Default)]
struct Answered {
    /// The pull request's comments, by id.
    comments: BTreeMap<u64, String>,
    /// Comments on the commit, by id.
    remarks: BTreeMap<u64, String>,
    /// Check runs and their names, by id.
    runs: BTreeMap<u64, String>,
    completed: BTreeSet<u64>,
    tokens: Vec<String>,
    /// Ids of the delivery log.
    deliveries: BTreeSet<u64>,
    pushed: Vec<String>,
}

impl Answered {
    fn count(&self) -> usize {
        self.comments.len()
            + self.remarks.len()
            + self.runs.len()
            + self.completed.len()
            + self.tokens.len()
            + self.pushed.len()
    }
}

type Book = Arc<watch::Sender<Answered>>;

/// One who asks for one thing after the other, until the forge is gone.
#[derive(Clone)]
struct Client {
    caller: Caller,
    book: Book,
    /// The commit that check runs and comments are about.
    sha: String,
    number: u64,
    token: String,
}

impl Client {
    async fn post(&self, path: &str, body: Value) -> Option<Answer> {
        let path = format!("/repos/{REPOSITORY}{path}");
        let answer = self
            .caller
            .try_call(Method::POST, &path, &self.token, Some(body))
            .await?;
        assert_eq!(answer.status, 201, "{}", answer.body);
        Some(answer)
    }

    async fn comment(self) {
        for turn in 0.. {
            let body = format!("comment {turn}");
            let wanted = json!({ "body": body });
            let (on_pull, on_commit) = (
                format!("/issues/{}/comments", self.number),
                format!("/commits/{}/comments", self.sha),
            );
            let Some(answer) = self.post(&on_pull, wanted.clone()).await else {
                return;
            };
            let text = body.clone();
            self.note(move |book| fresh(book.comments.insert(id(&answer), text)));
            let Some(answer) = self.post(&on_commit, wanted).await else {
                return;
            };
            self.note(move |book| fresh(book.remarks.insert(id(&answer), body)));
        }
    }

    async fn check(self) {
        for turn in 0.. {
            let name = format!("build {turn}");
            let wanted = json!({ "name": name, "head_sha": self.sha });
            let Some(answer) = self.post("/check-runs", wanted).await else {
                return;
            };
            let run = id(&answer);
            self.note(move |book| fresh(book.runs.insert(run, name)));
            let path = format!("/repos/{REPOSITORY}/check-runs/{run}");
            let body = json!({ "status": "completed", "conclusion": "success" });
            let ended = self
                .caller
                .try_call(Method::PATCH, &path, &self.token, Some(body));
            let Some(answer) = ended.await else {
                return;
            };
            assert_eq!(answer.status, 200, "{}", answer.body);
            self.note(move |book| assert!(book.completed.insert(run)));
        }
    }

    async fn look(self) {
        loop {
            let Some(token) = self.caller.mint().await else {
                return;
            };
            self.note(move |book| book.tokens.push(token));
            let path = "/app/hook/deliveries?per_page=100";
            let listed = self
                .caller
                .try_call(Method::GET, path, &app_jwt(), None)
                .await;
            let Some(listed) = listed else {
                return;
            };
            let rows: Vec<_> = ids(&listed.body);
            self.note(move |book| book.deliveries.extend(rows));
        }
    }

    async fn push(self, tree: Arc<Tree>, round: usize) {
        for turn in 0.. {
            let file = format!("file-{round}-{turn}");
            let sha = tree.commit(&file, &file, "Write a file").await;
            let pushed = git(&tree.path, &["push", "--quiet", "origin", "topic"]).await;
            if !pushed.status.success() {
                return;
            }
            self.note(move |book| book.pushed.push(sha));
        }
    }

    fn note(&self, entry: impl FnOnce(&mut Answered)) {
        self.book.send_modify(entry);
    }
}

fn fresh<T: std::fmt::Debug>(before: Option<T>) {
    assert!(before.is_none(), "an id was given twice: {before:?}");
}

fn id(answer: &Answer) -> u64 {
    answer.body["id"].as_u64().unwrap()
}

fn ids(list: &Value) -> Vec<u64> {
    let rows = list.as_array().unwrap().iter();
    rows.map(|row| row["id"].as_u64().unwrap()).collect()
}

/// A pull request, opened in this process; the binary goes on with it.
async fn prepare(data: &Path) -> (u64, String) {
    let forge = Kept::start(data, None).await;
    let number = with_pull(&forge).await;
    let main = forge.forge.find_branch(REPOSITORY, "main").await.unwrap();
    forge.stop().await;
    (number, main.unwrap().to_string())
}

async fn work_tree(folder: &Path, process: &Process) -> Tree {
    let tree = Tree {
        path: folder.join("work"),
    };
    let url = process.push_url("a-token");
    let cloned = git(folder, &["clone", "--quiet", "-b", "topic", &url, "work"]).await;
    assert!(cloned.status.success(), "{cloned:?}");
    tree
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_was_answered_survives_a_kill() {
    testbed::machine::require();
    let folder = tempfile::tempdir().unwrap();
    let watch = Supervisor::new();
    let receiver = Receiver::start(&watch).await;
    let (number, sha) = prepare(&folder.path().join("data")).await;
    let config = write_config(folder.path(), &receiver, "a-token");
    let book: Book = Arc::new(watch::Sender::new(Answered::default()));
    let mut tree = None;
    for round in 1..=ROUNDS {
        let mut process = Process::start(&config);
        let url = process.push_url("a-token");
        let tree = match &tree {
            Some(tree) => Arc::clone(tree),
            None => Arc::clone(tree.insert(Arc::new(work_tree(folder.path(), &process).await))),
        };
        tree.git(&["remote", "set-url", "origin", &url]).await;
        let caller = process.caller();
        check(&caller, &book, &sha, number).await;
        let token = caller.mint().await.unwrap();
        let client = Client {
            caller,
            book: Arc::clone(&book),
            sha: sha.clone(),
            number,
            token,
        };
        let work = Supervisor::new();
        for _ in 0..2 {
            work.spawn("comments", client.clone().comment());
            work.spawn("check runs", client.clone().check());
        }
        work.spawn("looks", client.clone().look());
        work.spawn("pushes", client.clone().push(Arc::clone(&tree), round));
        let mut answered = book.subscribe();
        let enough = answered.wait_for(|book| {
            book.count() >= round * ANSWERS
                && book.pushed.len() >= round * 2
                && !book.deliveries.is_empty()
        });
        let enough = tokio::time::timeout(crate::bench::LIMIT, enough).await;
        enough.expect("the forge answers").unwrap();
        process.kill();
        assert_eq!(work.shutdown(crate::bench::LIMIT).await, [""; 0]);
        assert_eq!(work.find_failed(), None);
    }
    let process = Process::start(&config);
    check(&process.caller(), &book, &sha, number).await;
    arrived(&receiver, &book).await;
    let url = process.push_url("a-token");
    let tip = git(folder.path(), &["ls-remote", &url, "refs/heads/topic"]).await;
    let tip = String::from_utf8(tip.stdout).unwrap();
    let tip = tip.split_whitespace().next().unwrap();
    let token = process.caller().mint().await.unwrap();
    let path = format!("/repos/{REPOSITORY}/pulls/{number}");
    let pull = process.caller().get(&path, &token).await.body;
    assert_eq!(
        pull["head"]["sha"], tip,
        "the pull request has what git has"
    );
}

/// All that was answered so far is there.
async fn check(caller: &Caller, book: &Book, sha: &str, number: u64) {
    let token = caller.mint().await.unwrap();
    let repository = format!("/repos/{REPOSITORY}");
    let of = |rows: Vec<Value>| -> BTreeMap<u64, String> {
        let row = |row: Value| (row["id"].as_u64().unwrap(), row["body"].to_string());
        rows.into_iter().map(row).collect()
    };
    let comments = of(all(
        caller,
        &format!("{repository}/issues/{number}/comments"),
        &token,
    )
    .await);
    let remarks = of(all(
        caller,
        &format!("{repository}/commits/{sha}/comments"),
        &token,
    )
    .await);
    let jwt = app_jwt();
    let (runs, completed, tokens, deliveries) = {
        let book = book.borrow();
        for (known, found) in [(&book.comments, &comments), (&book.remarks, &remarks)] {
            for (id, body) in known {
                assert_eq!(
                    found.get(id),
                    Some(&json!(body).to_string()),
                    "comment {id}"
                );
            }
        }
        (
            book.runs.clone(),
            book.completed.clone(),
            book.tokens.clone(),
            book.deliveries.clone(),
        )
    };
    for (id, name) in runs {
        let run = caller
            .get(&format!("{repository}/check-runs/{id}"), &token)
            .await;
        assert_eq!((run.status, &run.body["name"]), (200, &json!(name)));
        if completed.contains(&id) {
            assert_eq!(run.body["conclusion"], "success");
        }
    }
    for token in tokens {
        let listed = caller.get("/installation/repositories", &token).await;
        assert_eq!(listed.status, 200, "{}", listed.body);
    }
    let listed = deliveries_of(caller, &jwt).await;
    assert!(deliveries.is_subset(&listed), "{deliveries:?} {listed:?}");
}

/// All rows of a list with pages.
async fn all(caller: &Caller, path: &str, token: &str) -> Vec<Value> {
    let mut rows = Vec::new();
    for page in 1.. {
        let answer = caller
            .get(&format!("{path}?per_page=100&page={page}"), token)
            .await;
        let found = answer.body.as_array().unwrap().clone();
        if found.is_empty() {
            break;
        }
        rows.extend(found);
    }
    rows
}

async fn deliveries_of(caller: &Caller, jwt: &str) -> BTreeSet<u64> {
    let mut found = BTreeSet::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/app/hook/deliveries?per_page=100{cursor}");
        let rows = ids(&caller.get(&path, jwt).await.body);
        let Some(last) = rows.last() else {
            return found;
        };
        cursor = format!("&cursor=v1_{last}");
        found.extend(rows);
    }
}

/// The webhooks of all that was answered have come, once or more often.
async fn arrived(receiver: &Receiver, book: &Book) {
    let (comments, remarks, runs, completed, pushed) = {
        let book = book.borrow();
        (
            keys(&book.comments),
            keys(&book.remarks),
            keys(&book.runs),
            book.completed.iter().copied().collect::<Vec<_>>(),
            book.pushed.clone(),
        )
    };
    for (event, wanted) in [("issue_comment", comments), ("commit_comment", remarks)] {
        receiver
            .wait_for_all(event, &wanted, |body| body["comment"]["id"].as_u64())
            .await;
    }
    for (action, wanted) in [("created", runs), ("completed", completed)] {
        let run = |body: &Value| {
            let id = body["check_run"]["id"].as_u64();
            id.filter(|_| body["action"] == action)
        };
        receiver.wait_for_all("check_run", &wanted, run).await;
    }
    let after = |body: &Value| body["after"].as_str().map(str::to_owned);
    receiver.wait_for_all("push", &pushed, after).await;
    receiver.wait_for_all("pull_request", &pushed, after).await;
}

fn keys(map: &BTreeMap<u64, String>) -> Vec<u64> {
    map.keys().copied().collect()
}

/// git has moved the branch, and the forge ends before it could know.
#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_was_cut_off_is_settled_at_the_next_start() {
    testbed::machine::require();
    let folder = tempfile::tempdir().unwrap();
    let watch = Supervisor::new();
    let receiver = Receiver::start(&watch).await;
    let data = folder.path().join("data");
    let (number, _) = prepare(&data).await;
    let config = write_config(folder.path(), &receiver, "a-token");
    let process = Process::start(&config);
    let tree = work_tree(folder.path(), &process).await;
    let sha = tree.commit("c", "c", "Write c").await;
    let hook = data.join(format!("git/{REPOSITORY}.git/hooks/post-receive"));
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    let script = format!("#!/bin/sh\nkill -KILL {}\n", process.id());
    testbed::program::write(&hook, &script);
    let pushed = git(&tree.path, &["push", "--quiet", "origin", "topic"]).await;
    assert!(!pushed.status.success(), "the forge was killed");
    process.wait();
    std::fs::remove_file(&hook).unwrap();
    let told = |hook: &crate::bench::Hook| hook.body["after"] == sha.as_str();
    assert!(!receiver.hooks().iter().any(told), "nobody was told yet");

    let process = Process::start(&config);
    let wanted = [(sha.clone(), "maya".to_owned())];
    for event in ["push", "pull_request"] {
        let seen = |body: &Value| {
            let text = |value: &Value| value.as_str().map(str::to_owned);
            Some((text(&body["after"])?, text(&body["sender"]["login"])?))
        };
        receiver.wait_for_all(event, &wanted, seen).await;
    }
    let suite = |body: &Value| body["check_suite"]["head_sha"].as_str().map(str::to_owned);
    receiver
        .wait_for_all("check_suite", std::slice::from_ref(&sha), suite)
        .await;
    let token = process.caller().mint().await.unwrap();
    let path = format!("/repos/{REPOSITORY}/pulls/{number}");
    let pull = process.caller().get(&path, &token).await.body;
    assert_eq!(pull["head"]["sha"], sha.as_str());
}

/// The configuration is that of a forge which kept nothing but its bare repositories.
#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_of_today_starts_again_and_again() {
    testbed::machine::require();
    let folder = tempfile::tempdir().unwrap();
    let watch = Supervisor::new();
    let receiver = Receiver::start(&watch).await;
    // What such a forge left: a bare repository with a branch.
    let bare = folder.path().join(format!("data/git/{REPOSITORY}.git"));
    std::fs::create_dir_all(&bare).unwrap();
    let begun = git(
        &bare,
        &["init", "--quiet", "--bare", "--initial-branch=main"],
    )
    .await;
    assert!(begun.status.success());
    let tree = git(&bare, &["hash-object", "-w", "-t", "tree", "/dev/null"]).await;
    let tree = String::from_utf8(tree.stdout).unwrap();
    let sha = git(&bare, &["commit-tree", "-m", "Begin", tree.trim()]).await;
    let sha = String::from_utf8(sha.stdout).unwrap();
    let moved = git(&bare, &["update-ref", "refs/heads/main", sha.trim()]).await;
    assert!(moved.status.success());

    let permission = format!("/repos/{REPOSITORY}/collaborators/maya/permission");
    let branch = format!("/repos/{REPOSITORY}/branches/main");
    let mut installations = BTreeSet::new();
    let mut before = None;
    for token in ["a-token", "a-token", "another-token"] {
        let config = write_config(folder.path(), &receiver, token);
        let mut process = Process::start(&config);
        let caller = process.caller();
        let may = caller.get(&permission, token).await;
        assert_eq!(may.body["role_name"], "write", "{}", may.body);
        let found = caller.get(&branch, token).await;
        assert_eq!(found.body["commit"]["sha"], sha.trim());
        let jwt = app_jwt();
        let installed = caller.get("/orgs/snekbook/installation", &jwt).await;
        installations.insert(installed.body["id"].as_u64().unwrap());
        if let Some(replaced) = before.replace(token).filter(|before| *before != token) {
            assert_eq!(caller.get(&branch, replaced).await.status, 401);
        }
        process.kill();
    }
    assert_eq!(installations.len(), 1, "the installation is kept");
    assert_eq!(receiver.hooks().len(), 0, "nothing has happened");
}
