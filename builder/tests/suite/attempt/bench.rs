//! A builder under test: a git server, a file server, and a client that gives orders.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use api::attempt::{Attempt, Limits, Order, State};
use api::claims::Scope;
use api::host::Status;
use api::id::{AttemptId, BuildId, Sha256};
use api::problem::Code;
use avalanche::{Config, Running};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path as UrlPath, Request};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use service::Supervisor;
use service::auth::ServiceKey;
use service::client::{CallError, Client};
use url::Url;

/// The longest that anything here takes.
const LIMIT: Duration = Duration::from_secs(120);

/// The token that opens repositories below `/private`.
pub(crate) const TOKEN: &str = "ghs_0123456789abcdefghij";

type Files = Arc<Mutex<HashMap<String, Vec<u8>>>>;
type Reports = Arc<Mutex<Vec<Attempt>>>;

pub(crate) struct Bench {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) supervisor: Supervisor,
    pub(crate) running: Running,
    pub(crate) client: Client,
    pub(crate) key: ServiceKey,
    pub(crate) base: Url,
    /// The same as the base, over TLS with a certificate of the test's own authority.
    pub(crate) secure: Url,
    extra: String,
    files: Files,
    reports: Reports,
    servers: Supervisor,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        Self::with("").await
    }

    /// With further lines of configuration; `{ca}` in them is the file of the test's authority.
    pub(crate) async fn with(extra: &str) -> Self {
        testbed::machine::require();
        let folder = tempfile::tempdir().unwrap();
        let (files, reports) = (Files::default(), Reports::default());
        let servers = Supervisor::new();
        let (base, secure) = serve(folder.path(), &files, &reports, &servers).await;
        let name = "summit".parse().unwrap();
        let key = ServiceKey::load_or_create(name, &folder.path().join("summit.pem")).unwrap();
        let ca = folder.path().join("ca.pem");
        let extra = extra.replace("{ca}", ca.to_str().unwrap());
        let (supervisor, running, client) = start(folder.path(), &base, &key, &extra).await;
        Self {
            folder,
            supervisor,
            running,
            client,
            key,
            base,
            secure,
            extra,
            files,
            reports,
            servers,
        }
    }

    /// Ends the builder as a shutdown does and starts another on its folders.
    pub(crate) async fn restart(&mut self) {
        assert_eq!(self.supervisor.shutdown(LIMIT).await, Vec::<&str>::new());
        (self.supervisor, self.running, self.client) =
            start(self.folder.path(), &self.base, &self.key, &self.extra).await;
    }

    pub(crate) async fn end(self) {
        assert_eq!(self.supervisor.shutdown(LIMIT).await, Vec::<&str>::new());
        let left = std::fs::read_dir(self.work()).unwrap().count();
        assert_eq!(left, 0, "workspaces are left");
        self.servers.shutdown(LIMIT).await;
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    /// Serves `content` under its hash; returns the URL and the hash.
    pub(crate) fn put(&self, content: &[u8]) -> (Url, Sha256) {
        let sha256 = Sha256::of(content);
        self.files
            .lock()
            .unwrap()
            .insert(sha256.to_string(), content.to_vec());
        (self.base.join(&format!("files/{sha256}")).unwrap(), sha256)
    }

    /// A repository with these files; returns an order for its head.
    pub(crate) fn repository(&self, name: &str, files: &[(&str, &str)]) -> Order {
        let path = self.folder.path().join("git").join(name);
        std::fs::create_dir_all(&path).unwrap();
        git(&path, &["init", "--quiet", "--initial-branch", "main"]);
        for (file, content) in files {
            let file = path.join(file);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, content).unwrap();
        }
        git(&path, &["add", "."]);
        git(&path, &["commit", "--quiet", "--message", "A recipe"]);
        let commit = git(&path, &["rev-parse", "HEAD"]);
        Order {
            recipe: "tool".parse().unwrap(),
            folder: "tool".parse().unwrap(),
            clone_url: self.base.join(&format!("git/{name}/.git")).unwrap(),
            credentials: None,
            git_ref: "refs/heads/main".to_owned(),
            commit: commit.trim().parse().unwrap(),
            profile: "default".parse().unwrap(),
            architecture: "x86_64".parse().unwrap(),
            build_release: 1,
            source_date_epoch: 1_700_000_000,
            closure: Vec::new(),
            host_needs: vec!["make".to_owned()],
            limits: Limits::default(),
            lease_seconds: 120,
            report_to: Some(self.base.join("reports").unwrap()),
        }
    }

    /// Runs git in a repository.
    pub(crate) fn git(&self, name: &str, arguments: &[&str]) -> String {
        git(&self.folder.path().join("git").join(name), arguments)
    }

    pub(crate) async fn order(&self, id: AttemptId, order: &Order) -> Result<Attempt, CallError> {
        self.client.put(Scope::Attempts, &path(id), order).await
    }

    pub(crate) async fn read(&self, id: AttemptId, after: u64) -> Attempt {
        let path = format!("{}?after={after}", path(id));
        self.client.get(Scope::Attempts, &path).await.unwrap()
    }

    /// Reads the attempt until `wanted`.
    pub(crate) async fn until(&self, id: AttemptId, wanted: impl Fn(&State) -> bool) -> Attempt {
        let start = Instant::now();
        let mut attempt = self.read(id, 0).await;
        while !wanted(&attempt.state) {
            assert!(
                start.elapsed() < LIMIT,
                "still {:?}\n{}",
                attempt.state,
                self.log(id).await
            );
            assert!(
                !attempt.state.is_final(),
                "{:?}\n{}",
                attempt.state,
                self.log(id).await
            );
            attempt = self.read(id, attempt.seq).await;
        }
        attempt
    }

    /// The builder's status, once it has looked at its host.
    pub(crate) async fn status(&self) -> Status {
        let start = Instant::now();
        loop {
            match self.client.get(Scope::Status, "api/v1/status").await {
                Ok(status) => return status,
                Err(CallError::Refused { problem, .. }) if problem.code == Code::Unavailable => {
                    assert!(start.elapsed() < LIMIT, "still: {problem}");
                }
                Err(error) => panic!("no status: {error}"),
            }
        }
    }

    /// Gives the order and waits for its end.
    pub(crate) async fn build(&self, order: &Order) -> (AttemptId, State) {
        let id = AttemptId::new(BuildId::new(), 1);
        self.order(id, order).await.unwrap();
        (id, self.until(id, State::is_final).await.state)
    }

    /// The log as far as it is, read in pieces as summit does.
    pub(crate) async fn log(&self, id: AttemptId) -> String {
        let mut text = Vec::new();
        loop {
            let path = format!("{}/log?offset={}", path(id), text.len());
            let answer = self
                .client
                .send(Method::GET, Scope::Attempts, &path, Bytes::new())
                .await
                .unwrap();
            let complete = answer.headers()["x-log-complete"] == "true";
            text.extend_from_slice(&answer.bytes().await.unwrap());
            if complete {
                return String::from_utf8(text).unwrap();
            }
        }
    }

    pub(crate) fn reports(&self) -> Vec<Attempt> {
        self.reports.lock().unwrap().clone()
    }
}

pub(crate) fn path(id: AttemptId) -> String {
    format!("api/v1/attempts/{id}")
}

/// Fetches a public file as anyone can.
pub(crate) async fn fetch(url: &Url) -> (StatusCode, Vec<u8>) {
    let answer = reqwest::get(url.clone()).await.unwrap();
    (answer.status(), answer.bytes().await.unwrap().to_vec())
}

/// A gzipped tar archive.
pub(crate) fn archive(files: &[(&str, &str)]) -> Vec<u8> {
    let encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut tar = tar::Builder::new(encoder);
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(1_600_000_000);
        tar.append_data(&mut header, name, content.as_bytes())
            .unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

/// A configuration below `folder`.
pub(crate) fn config(folder: &Path, base: &Url, key: &ServiceKey, extra: &str) -> String {
    // Where tests do not say otherwise, upstreams may lie on loopback, where all of its servers are.
    let private = match extra.contains("sources.allow_private") {
        true => "",
        false => "sources.allow_private = [\"127.0.0.0/8\"]",
    };
    // The builds' user must be able to pass.
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    format!(
        r#"
        name = "builder-1"
        data = "{0}/data"
        work = "{0}/work"
        executable = "{1}"
        mirrors = ["{base}files/{{sha256}}"]
        {private}
        {extra}
        [listen]
        address = "127.0.0.1:0"
        [[peers]]
        name = "summit"
        public_key = "{2}"
        scopes = ["attempts", "status"]
        [telemetry]
        format = "json"
        "#,
        folder.display(),
        env!("CARGO_BIN_EXE_avalanche"),
        key.public(),
    )
}

async fn start(
    folder: &Path,
    base: &Url,
    key: &ServiceKey,
    extra: &str,
) -> (Supervisor, Running, Client) {
    let text = config(folder, base, key, extra);
    let config: Config = toml::from_str(&text).unwrap();
    let supervisor = Supervisor::new();
    let running = avalanche::start(config, &supervisor).await.unwrap();
    let builder = "builder-1".parse().unwrap();
    let client = Client::new(key.clone(), builder, running.public_url.clone());
    (supervisor, running, client)
}

async fn serve(
    folder: &Path,
    files: &Files,
    reports: &Reports,
    supervisor: &Supervisor,
) -> (Url, Url) {
    let (files, reports) = (Arc::clone(files), Arc::clone(reports));
    let root = folder.join("git");
    let router = Router::new()
        .route(
            "/files/{name}",
            axum::routing::get(move |UrlPath(name): UrlPath<String>| async move {
                files
                    .lock()
                    .unwrap()
                    .get(&name)
                    .cloned()
                    .ok_or(StatusCode::NOT_FOUND)
            }),
        )
        .route(
            "/reports",
            axum::routing::post(move |axum::Json(attempt): axum::Json<Attempt>| async move {
                reports.lock().unwrap().push(attempt);
            }),
        )
        .fallback(move |request: Request| async move {
            let (parts, body) = request.into_parts();
            let body = axum::body::to_bytes(body, 1 << 26).await.unwrap();
            let root = root.clone();
            tokio::task::spawn_blocking(move || {
                backend(&root, &parts.method, &parts.uri, &parts.headers, &body)
            })
            .await
            .unwrap()
        });
    let plain = service::listen::Config::loopback();
    let secure = service::listen::Config {
        tls: Some(certificates(folder)),
        ..plain.clone()
    };
    let mut urls = Vec::new();
    for (scheme, config) in [("http", plain), ("https", secure)] {
        let listener = service::listen::Listener::bind(&config).await.unwrap();
        urls.push(Url::parse(&format!("{scheme}://{}/", listener.address())).unwrap());
        listener.serve(supervisor, "test server", router.clone());
    }
    let secure = urls.pop().unwrap();
    (urls.pop().unwrap(), secure)
}

/// An authority in `ca.pem`, and a certificate of it for 127.0.0.1.
fn certificates(folder: &Path) -> service::listen::Tls {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose};
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    // Else both have the same name, and openssl takes the server's for self-signed.
    authority
        .distinguished_name
        .push(rcgen::DnType::CommonName, "A test authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let authority_key = KeyPair::generate().unwrap();
    let authority_certificate = authority.self_signed(&authority_key).unwrap();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = server.signed_by(&key, &issuer).unwrap();
    std::fs::write(folder.join("ca.pem"), authority_certificate.pem()).unwrap();
    std::fs::write(folder.join("tls.pem"), certificate.pem()).unwrap();
    std::fs::write(folder.join("tls.key"), key.serialize_pem()).unwrap();
    service::listen::Tls {
        certificate: folder.join("tls.pem"),
        key: folder.join("tls.key"),
    }
}

/// git's own server program; repositories below `/git/private` ask for the token.
fn backend(root: &Path, method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Response {
    let header = |name: &str| {
        headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    };
    let Some(path) = uri.path().strip_prefix("/git") else {
        return StatusCode::NOT_FOUND.into_response();
    };
    if path.starts_with("/private/") {
        let pair = base64::Engine::encode(
            &base64::engine::general_purpose::STANDARD,
            format!("x-access-token:{TOKEN}"),
        );
        if header("authorization") != format!("Basic {pair}") {
            let challenge = [("www-authenticate", "Basic realm=\"git\"")];
            return (StatusCode::UNAUTHORIZED, challenge).into_response();
        }
    }
    let mut child = testbed::git()
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("PATH_INFO", path)
        .env("REQUEST_METHOD", method.as_str())
        .env("QUERY_STRING", uri.query().unwrap_or(""))
        .env("CONTENT_TYPE", header("content-type"))
        .env("CONTENT_LENGTH", body.len().to_string())
        .env("GIT_PROTOCOL", header("git-protocol"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(body).unwrap();
    let output = child.wait_with_output().unwrap().stdout;
    let end = output
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap();
    let mut response = Response::builder();
    for line in std::str::from_utf8(&output[..end]).unwrap().lines() {
        let (name, value) = line.split_once(": ").unwrap();
        if name == "Status" {
            response = response.status(value[..3].parse::<u16>().unwrap());
        } else {
            response = response.header(name, value);
        }
    }
    response.body(output[end + 4..].to_vec().into()).unwrap()
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = testbed::git()
        .args([
            "-c",
            "user.name=Tester",
            "-c",
            "user.email=tester@example.org",
        ])
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}
