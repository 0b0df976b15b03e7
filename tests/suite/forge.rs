//! The forge against GitHub's own OpenAPI description: every call that it answers, every error
//! that it gives and every webhook that it sends.

mod merging;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use forge::config::{App, Config};
use forge::{CheckRunId, Edit, Failure, Forge, OpenPull, Point, Role, Visibility};
use harness::openapi::{OpenApi, Sender};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::Method;
use serde_json::{Value, json};
use service::Supervisor;

const REPOSITORY: &str = "snekbook/recipes";
/// What the App asks for itself.
const ORGANISATION: &str = "/orgs/snekbook/installation";
const LIMIT: Duration = Duration::from_secs(30);

/// The events that the App is told of by no default.
const UNASKED: [&str; 6] = [
    "create",
    "delete",
    "fork",
    "merge_group",
    "pull_request_review",
    "pull_request_review_comment",
];

/// The webhooks that the calls below make the forge send.
const WEBHOOKS: [(&str, Option<&str>); 35] = [
    ("create", None),
    ("delete", None),
    ("fork", None),
    ("ping", None),
    ("push", None),
    ("pull_request", Some("opened")),
    ("pull_request", Some("synchronize")),
    ("pull_request", Some("edited")),
    ("pull_request", Some("closed")),
    ("pull_request", Some("reopened")),
    ("issue_comment", Some("created")),
    ("issue_comment", Some("edited")),
    ("issue_comment", Some("deleted")),
    ("commit_comment", Some("created")),
    ("check_run", Some("created")),
    ("check_run", Some("completed")),
    ("check_run", Some("rerequested")),
    ("check_run", Some("requested_action")),
    ("check_suite", Some("requested")),
    ("check_suite", Some("completed")),
    ("check_suite", Some("rerequested")),
    ("installation", Some("suspend")),
    ("installation", Some("unsuspend")),
    ("installation", Some("deleted")),
    ("installation", Some("created")),
    ("installation_repositories", Some("removed")),
    ("installation_repositories", Some("added")),
    ("repository", Some("edited")),
    ("repository", Some("renamed")),
    ("repository", Some("transferred")),
    ("repository", Some("archived")),
    ("repository", Some("unarchived")),
    ("repository", Some("publicized")),
    ("repository", Some("privatized")),
    ("repository", Some("deleted")),
];

/// A forge, and a client that speaks to it as the App, an installation or a person.
struct Caller {
    forge: Forge,
    client: reqwest::Client,
    _folder: tempfile::TempDir,
}

impl Caller {
    async fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let public_key = include_str!("../../crates/forge/tests/suite/app.pub.pem");
        let mut app = App::new(public_key.to_owned(), "secret".into());
        // Nobody listens there: what is sent is on record all the same.
        app.webhook_url = Some("http://127.0.0.1:1/webhook".parse()?);
        app.events.extend(UNASKED.map(str::to_owned));
        let config = Config::loopback(folder.path().to_owned(), app);
        let forge = forge::start(config, &Supervisor::new()).await?.forge;
        forge.create_organisation("snekbook")?;
        forge.create_repository(REPOSITORY).await?;
        for (login, role) in [("maya", Role::Write), ("rowan", Role::Read)] {
            forge.create_user(login)?;
            forge.set_role(REPOSITORY, login, role)?;
        }
        let client = testbed::http::client();
        Ok(Self {
            forge,
            client,
            _folder: folder,
        })
    }

    fn jwt() -> Result<String> {
        let key =
            EncodingKey::from_rsa_pem(include_bytes!("../../crates/forge/tests/suite/app.pem"))?;
        let now = jiff::Timestamp::now().as_second();
        let claims = json!({ "iss": "77", "iat": now - 60, "exp": now + 540 });
        Ok(jsonwebtoken::encode(
            &Header::new(Algorithm::RS256),
            &claims,
            &key,
        )?)
    }

    /// Asks, expects a status, gives the answer.
    async fn ask(
        &self,
        method: Method,
        path: &str,
        token: &str,
        body: Option<Value>,
        status: u16,
    ) -> Result<Value> {
        let url = format!("{}{path}", self.forge.api_url());
        let mut request = self.client.request(method.clone(), url).bearer_auth(token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await?;
        let found = response.status().as_u16();
        let bytes = response.bytes().await?;
        let text = String::from_utf8_lossy(&bytes);
        ensure!(
            found == status,
            "{method} {path}: {found} instead of {status}: {text}"
        );
        Ok(serde_json::from_slice(&bytes).unwrap_or_default())
    }

    async fn get(&self, path: &str, token: &str) -> Result<Value> {
        self.ask(Method::GET, path, token, None, 200).await
    }

    async fn post(&self, path: &str, token: &str, body: Value) -> Result<Value> {
        self.ask(Method::POST, path, token, Some(body), 201).await
    }

    async fn patch(&self, path: &str, token: &str, body: Value) -> Result<Value> {
        self.ask(Method::PATCH, path, token, Some(body), 200).await
    }

    async fn commit(&self, branch: &str, file: &str, text: &str) -> Result<forge::Sha> {
        let edits = [(file, Edit::Put(text.as_bytes().to_vec()))];
        Ok(self
            .forge
            .commit(REPOSITORY, "maya", branch, "Write a file", &edits)
            .await?)
    }

    /// Fails if GitHub's description has anything against what passed.
    fn judge(&self, api: &OpenApi) -> Result<()> {
        let mut problems = api.judge_all(Sender::Test, &self.forge.traffic());
        for event in self.forge.sent_webhooks() {
            problems.extend(api.judge_webhook(&event));
        }
        problems.sort();
        problems.dedup();
        ensure!(problems.is_empty(), "\n{}", problems.join("\n"));
        Ok(())
    }
}

fn path(end: &str) -> String {
    format!("/repos/{REPOSITORY}{end}")
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_as_github_describes_them() -> Result<()> {
    let Some(api) = OpenApi::find()? else {
        return Ok(());
    };
    let caller = Caller::start().await?;
    let token = the_app(&caller).await?;
    let number = code(&caller, &token).await?;
    checks(&caller, &token).await?;
    comments(&caller, &token, number).await?;
    people(&caller, &token).await?;
    by_rest(&caller).await?;
    gone(&caller, &token).await?;
    moved(&caller, &token).await?;
    deliveries(&caller).await?;
    refusals(&caller, &token).await?;
    installations(&caller, &token).await?;
    ensure!(caller.forge.traffic().len() > 40, "all calls were made");
    for wanted in WEBHOOKS {
        let sent = caller.forge.sent_webhooks();
        let found = sent
            .iter()
            .any(|event| (event.event.as_ref(), event.action.as_deref()) == wanted);
        ensure!(found, "no webhook {wanted:?} was sent");
    }
    caller.judge(&api)
}

/// The App, its installations and a token.
async fn the_app(caller: &Caller) -> Result<String> {
    let jwt = Caller::jwt()?;
    let installation = caller.get(ORGANISATION, &jwt).await?;
    let mint = format!("/app/installations/{}/access_tokens", installation["id"]);
    let scope = json!({
        "repositories": ["recipes"],
        "permissions": { "contents": "read", "checks": "write" },
    });
    let scoped = caller.post(&mint, &jwt, scope).await?;
    let scoped = scoped["token"].as_str().context("a token")?.to_owned();
    caller.get("/installation/repositories", &scoped).await?;
    let token = caller.post(&mint, &jwt, json!({})).await?;
    let token = token["token"].as_str().context("a token")?.to_owned();
    caller
        .get("/installation/repositories?per_page=5", &token)
        .await?;
    Ok(token)
}

/// The repository, its branches and commits, and pull requests in all their states.
async fn code(caller: &Caller, token: &str) -> Result<u64> {
    let forge = &caller.forge;
    caller
        .commit("main", "lz4/stone.yaml", "name: lz4\n")
        .await?;
    let fork = forge.fork(REPOSITORY, "rowan").await?.to_string();
    let edits = [("xz/stone.yaml", Edit::Put(b"name: xz\n".to_vec()))];
    forge
        .commit(&fork, "rowan", "feature/xz", "Add xz", &edits)
        .await?;
    let open = |author, head| OpenPull {
        repository: REPOSITORY,
        author,
        head,
        base: "main",
        title: "A change",
        body: None,
        draft: false,
    };
    let number = forge.open_pull(open("rowan", "rowan:feature/xz")).await?;
    let edits = [(
        "xz/stone.yaml",
        Edit::Put(b"name: xz\nrelease: 2\n".to_vec()),
    )];
    forge
        .commit(&fork, "rowan", "feature/xz", "Raise xz", &edits)
        .await?;
    forge
        .rename_pull(REPOSITORY, number, "maya", "Another title")
        .await?;
    forge.close_pull(REPOSITORY, number, "maya").await?;
    forge.reopen_pull(REPOSITORY, number, "maya").await?;
    for end in [
        "/branches/main",
        "/git/matching-refs/heads",
        "/git/matching-refs/tags",
        "/pulls?state=all&base=main&per_page=1",
        "/pulls?head=rowan:feature/xz&sort=created&direction=asc",
        "/pulls/1",
    ] {
        caller.get(&path(end), token).await?;
    }
    forge.merge_pull(REPOSITORY, number, "maya").await?;
    caller.get(&path("/pulls/1"), token).await?;
    caller.commit("brief", "a", "1\n").await?;
    forge.delete_branch(REPOSITORY, "maya", "brief").await?;
    Ok(number)
}

/// A check run from its beginning to its buttons.
async fn checks(caller: &Caller, token: &str) -> Result<()> {
    let forge = &caller.forge;
    let head = forge
        .find_branch(REPOSITORY, "main")
        .await?
        .context("main")?;
    let waiting = json!({ "name": "lz4", "head_sha": head, "external_id": "b-1" });
    let run = caller.post(&path("/check-runs"), token, waiting).await?;
    let one = path(&format!("/check-runs/{}", run["id"]));
    let building = json!({
        "status": "in_progress",
        "started_at": "2026-01-01T00:00:00Z",
        "details_url": "https://summit.example/builds/b-1",
    });
    caller.patch(&one, token, building).await?;
    let annotation = json!({
        "path": "lz4/stone.yaml",
        "start_line": 1,
        "end_line": 1,
        "start_column": 3,
        "end_column": 4,
        "annotation_level": "failure",
        "message": "no such key",
        "title": "Key",
        "raw_details": "…",
    });
    let failed = json!({
        "conclusion": "failure",
        "completed_at": "2026-01-01T00:01:00Z",
        "output": {
            "title": "Failed",
            "summary": "The recipe",
            "text": "…",
            "annotations": [annotation],
        },
        "actions": [{ "label": "Rebuild", "description": "Again", "identifier": "again" }],
    });
    caller.patch(&one, token, failed).await?;
    caller.get(&one, token).await?;
    let list = path(&format!("/commits/{head}/check-runs"));
    caller.get(&list, token).await?;
    caller
        .get(
            &format!("{list}?check_name=lz4&filter=all&app_id=77&status=completed"),
            token,
        )
        .await?;
    caller.get(&path("/commits/main/check-runs"), token).await?;
    for (conclusion, name) in [
        ("success", "a"),
        ("neutral", "b"),
        ("cancelled", "c"),
        ("skipped", "d"),
        ("timed_out", "e"),
        ("action_required", "f"),
    ] {
        let ended = json!({ "name": name, "head_sha": head, "conclusion": conclusion });
        caller.post(&path("/check-runs"), token, ended).await?;
    }
    let id: CheckRunId = run["id"].to_string().parse()?;
    forge.rerun(id, "maya")?;
    forge.request_action(id, "maya", "again")?;
    let suite = forge.check_runs(REPOSITORY)[0].suite;
    forge.rerun_suite(suite, "maya").await?;
    Ok(())
}

/// Comments on the pull request and on a commit, and reactions.
async fn comments(caller: &Caller, token: &str, number: u64) -> Result<()> {
    let forge = &caller.forge;
    let head = forge
        .find_branch(REPOSITORY, "main")
        .await?
        .context("main")?;
    let on_pull = forge.comment_on_pull(REPOSITORY, number, "maya", "/rebuild")?;
    let on_commit = forge
        .comment_on_commit(REPOSITORY, &head, "maya", "/rebuild")
        .await?;
    let list = path(&format!("/issues/{number}/comments"));
    caller.post(&list, token, json!({ "body": "Yes." })).await?;
    caller
        .get(
            &format!("{list}?per_page=1&since=2026-01-01T00:00:00Z"),
            token,
        )
        .await?;
    let react = path(&format!("/issues/comments/{on_pull}/reactions"));
    caller
        .post(&react, token, json!({ "content": "eyes" }))
        .await?;
    let again = Some(json!({ "content": "eyes" }));
    caller.ask(Method::POST, &react, token, again, 200).await?;
    let one = path(&format!("/issues/comments/{on_pull}"));
    caller.get(&one, token).await?;
    caller
        .patch(&one, token, json!({ "body": "/cancel" }))
        .await?;
    caller.ask(Method::DELETE, &one, token, None, 204).await?;
    caller.ask(Method::GET, &one, token, None, 404).await?;
    let react = path(&format!("/comments/{on_commit}/reactions"));
    caller
        .post(&react, token, json!({ "content": "-1" }))
        .await?;
    let commit = path(&format!("/commits/{head}/comments"));
    caller
        .post(&commit, token, json!({ "body": "Built." }))
        .await?;
    caller.get(&commit, token).await?;
    Ok(())
}

/// People and what they may do.
async fn people(caller: &Caller, token: &str) -> Result<()> {
    let custom = Role::Custom {
        name: "packager".to_owned(),
        base: Box::new(Role::Maintain),
    };
    caller.forge.create_user("kim")?;
    caller.forge.set_role(REPOSITORY, "kim", custom)?;
    for login in ["maya", "rowan", "kim", "snekbook"] {
        let of = path(&format!("/collaborators/{login}/permission"));
        let permission = caller.get(&of, token).await?;
        caller
            .get(&format!("/user/{}", permission["user"]["id"]), token)
            .await?;
    }
    Ok(())
}

/// What people do by REST: the calls of their own, answered and refused.
async fn by_rest(caller: &Caller) -> Result<()> {
    use secrecy::ExposeSecret as _;
    let token = |login| anyhow::Ok(caller.forge.mint_token(login)?.expose_secret().to_owned());
    let (maya, rowan) = (token("maya")?, token("rowan")?);
    caller.get("/user", &maya).await?;
    caller.get(&path(""), &maya).await?;
    caller.get(&path("/branches?per_page=1"), &maya).await?;
    caller
        .get(&path("/commits?sha=main&per_page=1"), &maya)
        .await?;
    let fork = path("/forks");
    caller
        .ask(Method::POST, &fork, &rowan, Some(json!({})), 202)
        .await?;
    caller.get("/repos/rowan/recipes", &rowan).await?;

    let edits = [("zstd/stone.yaml", Edit::Put(b"name: zstd\n".to_vec()))];
    let made = caller
        .forge
        .commit("rowan/recipes", "rowan", "main", "Add zstd", &edits);
    let head = made.await?;
    let new = json!({ "title": "Add zstd", "head": "rowan:main", "base": "main", "body": "Why" });
    let pull = caller.post(&path("/pulls"), &rowan, new.clone()).await?;
    let pull = path(&format!("/pulls/{}", pull["number"]));
    caller
        .ask(Method::POST, &path("/pulls"), &rowan, Some(new), 422)
        .await?;
    caller.get(&format!("{pull}/files"), &rowan).await?;
    caller.get(&format!("{pull}/commits"), &rowan).await?;
    for change in [
        json!({ "title": "Add zstd 1.5", "body": "Because" }),
        json!({ "state": "closed" }),
        json!({ "state": "open" }),
    ] {
        caller.patch(&pull, &rowan, change).await?;
    }
    let merge = format!("{pull}/merge");
    let put = |token, body, status| caller.ask(Method::PUT, &merge, token, Some(body), status);
    put(&rowan, json!({}), 403).await?;
    put(&maya, json!({ "sha": "0".repeat(40) }), 409).await?;
    put(&maya, json!({ "merge_method": "octopus" }), 422).await?;
    put(
        &maya,
        json!({ "sha": head, "commit_title": "Take zstd" }),
        200,
    )
    .await?;
    put(&maya, json!({}), 405).await?;

    let run = caller.forge.check_runs(REPOSITORY);
    let run = run.first().context("a check run")?;
    for again in [
        format!("/check-runs/{}/rerequest", run.id),
        format!("/check-suites/{}/rerequest", run.suite),
    ] {
        caller
            .ask(Method::POST, &path(&again), &maya, None, 201)
            .await?;
        caller
            .ask(Method::POST, &path(&again), &rowan, None, 403)
            .await?;
    }
    Ok(())
}

/// A repository that the App is taken out of and put into again, and that is deleted in the end.
async fn gone(caller: &Caller, token: &str) -> Result<()> {
    let (forge, name) = (&caller.forge, "snekbook/brief");
    forge.create_repository(name).await?;
    forge.remove_app(name, "maya")?;
    caller.get("/installation/repositories", token).await?;
    caller.get(ORGANISATION, &Caller::jwt()?).await?;
    forge.put_app_back(name, "maya")?;
    forge.delete_repository(name, "maya").await?;
    let branch = format!("/repos/{name}/branches/main");
    caller.ask(Method::GET, &branch, token, None, 404).await?;
    Ok(())
}

/// A repository whose settings are changed, and one that comes from a person.
async fn moved(caller: &Caller, token: &str) -> Result<()> {
    let forge = &caller.forge;
    forge.create_organisation("other")?;
    let (old, new) = ("snekbook/old", "snekbook/new");
    let id = forge.create_repository(old).await?;
    let edits = [("file", Edit::Put(b"1\n".to_vec()))];
    for branch in ["main", "topic"] {
        forge
            .commit(old, "maya", branch, "Write a file", &edits)
            .await?;
    }
    forge
        .set_default_branch(old, "maya", "topic".parse()?)
        .await?;
    forge.rename_repository(old, "maya", "new")?;
    // Clients follow a redirection, and both are on record.
    caller
        .get(&format!("/repos/{old}/branches/main"), token)
        .await?;
    caller.get(&format!("/repositories/{id}"), token).await?;
    forge.set_visibility(new, "maya", Visibility::Public)?;
    caller.get(&format!("/repos/{new}"), token).await?;
    forge.set_visibility(new, "maya", Visibility::Private)?;
    forge.archive_repository(new, "maya")?;
    caller.get(&format!("/repos/{new}"), token).await?;
    let run = json!({ "name": "lz4", "head_sha": "0".repeat(40) });
    let runs = format!("/repos/{new}/check-runs");
    caller
        .ask(Method::POST, &runs, token, Some(run), 403)
        .await?;
    forge.unarchive_repository(new, "maya")?;
    forge.transfer_repository(new, "maya", "other")?;
    forge.transfer_repository("rowan/recipes", "rowan", "other")?;
    Ok(())
}

/// An installation that is suspended, taken away, and put back.
async fn installations(caller: &Caller, token: &str) -> Result<()> {
    let (forge, jwt) = (&caller.forge, Caller::jwt()?);
    let own = caller.get(ORGANISATION, &jwt).await?;
    let mint = format!("/app/installations/{}/access_tokens", own["id"]);
    let list = "/installation/repositories";
    forge.suspend_installation("snekbook", "maya")?;
    caller.get(ORGANISATION, &jwt).await?;
    caller.ask(Method::GET, list, token, None, 403).await?;
    caller.ask(Method::POST, &mint, &jwt, None, 403).await?;
    forge.unsuspend_installation("snekbook", "maya")?;
    forge.uninstall_app("snekbook", "maya")?;
    caller
        .ask(Method::GET, ORGANISATION, &jwt, None, 404)
        .await?;
    caller.ask(Method::GET, list, token, None, 401).await?;
    caller.ask(Method::POST, &mint, &jwt, None, 404).await?;
    forge.reinstall_app("snekbook", "maya")?;
    caller.get(ORGANISATION, &jwt).await?;
    forge.set_webhook_url(Some("http://127.0.0.1:1/webhook".parse()?));
    forge
        .wait_for("the last webhooks", LIMIT, |forge| {
            (forge.webhooks_in_flight() == 0).then_some(())
        })
        .await?;
    Ok(())
}

/// The log of webhooks that nobody took.
async fn deliveries(caller: &Caller) -> Result<()> {
    let jwt = Caller::jwt()?;
    caller
        .forge
        .wait_for("the deliveries", LIMIT, |forge| {
            (forge.webhooks_in_flight() == 0).then_some(())
        })
        .await?;
    let rows = caller
        .get("/app/hook/deliveries?per_page=2&status=failure", &jwt)
        .await?;
    let one = format!("/app/hook/deliveries/{}", rows[0]["id"]);
    let again = format!("{one}/attempts");
    caller.ask(Method::POST, &again, &jwt, None, 202).await?;
    Ok(())
}

/// Errors of all kinds.
async fn refusals(caller: &Caller, token: &str) -> Result<()> {
    let jwt = Caller::jwt()?;
    let mint = "/app/installations/99/access_tokens";
    caller.ask(Method::POST, mint, &jwt, None, 404).await?;
    caller
        .ask(Method::GET, ORGANISATION, token, None, 401)
        .await?;
    caller
        .ask(Method::GET, ORGANISATION, "nonsense", None, 401)
        .await?;
    caller
        .ask(
            Method::GET,
            "/repos/snekbook/absent/pulls",
            token,
            None,
            404,
        )
        .await?;
    caller
        .ask(Method::GET, "/nothing/of/the/kind", token, None, 404)
        .await?;
    caller
        .ask(Method::GET, &path("/pulls/99"), token, None, 404)
        .await?;
    caller
        .ask(
            Method::GET,
            &path("/commits/absent/check-runs"),
            token,
            None,
            422,
        )
        .await?;
    let runs = path("/check-runs");
    let bad = json!({ "name": "", "head_sha": "main" });
    caller
        .ask(Method::POST, &runs, token, Some(bad), 422)
        .await?;
    caller
        .ask(Method::POST, &runs, &jwt, Some(json!({})), 422)
        .await?;
    let point = Point::rest("GET", "/installation/repositories");
    caller.forge.fail_next(point.clone(), Failure::Status(503));
    caller
        .ask(Method::GET, "/installation/repositories", token, None, 503)
        .await?;
    caller
        .forge
        .fail_next(point, Failure::HourlyLimit { resets_in: 3600 });
    caller
        .ask(Method::GET, "/installation/repositories", token, None, 403)
        .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_judge_finds_what_github_would_not_say() -> Result<()> {
    let Some(api) = OpenApi::find()? else {
        return Ok(());
    };
    let caller = Caller::start().await?;
    caller.get("/app/hook/deliveries", &Caller::jwt()?).await?;
    caller.get(ORGANISATION, &Caller::jwt()?).await?;
    caller
        .commit("main", "lz4/stone.yaml", "name: lz4\n")
        .await?;
    let mut good = caller.forge.traffic().pop().context("the second request")?;
    good.headers.accept = Some("application/vnd.github+json".to_owned());
    let problems = api.judge(Sender::Service, &good);
    ensure!(problems.is_empty(), "{problems:?}");

    let answer = |change: &dyn Fn(&mut serde_json::Map<String, Value>)| -> Result<_> {
        let mut body = good.response.json().context("a body")?.clone();
        change(body.as_object_mut().context("an object")?);
        let response = forge::Body::Json(body);
        Ok(forge::Exchange {
            response,
            ..good.clone()
        })
    };
    let lacking = answer(&|body| drop(body.remove("app_id")))?;
    let invented = answer(&|body| drop(body.insert("mood".to_owned(), json!("good"))))?;
    let mut misspelt = good.clone();
    misspelt.query = Some("per_pgae=1".to_owned());
    let mut unknown = good.clone();
    unknown.path = "/apps".to_owned();
    unknown.status = 404;
    let mut anonymous = good.clone();
    anonymous.headers.user_agent = None;
    let mut typo = good.clone();
    typo.method = "POST".to_owned();
    typo.path = path("/check-runs");
    typo.request = forge::Body::Json(json!({ "name": "a", "head_sha": "b", "staus": "queued" }));
    typo.status = 503;
    for (exchange, word) in [
        (lacking, "app_id"),
        (invented, "/mood: there is no such field"),
        (misspelt, "per_pgae"),
        (unknown, "no such call"),
        (anonymous, "User-Agent"),
        (typo, "staus"),
    ] {
        let problems = api.judge(Sender::Service, &exchange).join("\n");
        ensure!(problems.contains(word), "{word}: {problems}");
    }
    let mut push = caller
        .forge
        .wait_for("a push", LIMIT, |forge| {
            let mut sent = forge.sent_webhooks().into_iter();
            sent.find(|event| event.event == "push")
        })
        .await?;
    ensure!(
        api.judge_webhook(&push).is_empty(),
        "{:?}",
        api.judge_webhook(&push)
    );
    let mut payload = push.payload();
    payload["mood"] = json!("good");
    push.body = payload.to_string().into();
    let problems = api.judge_webhook(&push).join("\n");
    ensure!(problems.contains("/mood"), "{problems}");
    Ok(())
}
