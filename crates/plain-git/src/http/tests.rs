use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use super::*;

/// A server that answers each request by a rule, and remembers the heads of all requests.
struct Server {
    url: Url,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(rule: impl Fn(&str, &[u8]) -> Vec<u8> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let heads = Arc::<Mutex<Vec<String>>>::default();
        let seen = Arc::clone(&heads);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let Some((head, body, mut stream)) = read(stream) else {
                    continue;
                };
                seen.lock().unwrap().push(head.clone());
                let _ = stream.write_all(&rule(&head, &body));
            }
        });
        Self {
            url: url.parse().unwrap(),
            heads,
        }
    }

    /// A server of the bare repositories in a folder, by git's own program.
    fn of(folder: &Path) -> Self {
        let folder = folder.to_owned();
        Self::start(move |head, body| serve(&folder, head, body))
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

fn read(stream: TcpStream) -> Option<(String, Vec<u8>, TcpStream)> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let length = header(&head, "content-length").unwrap_or("0");
    let mut body = vec![0; length.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    Some((head, body, reader.into_inner()))
}

fn header<'head>(head: &'head str, name: &str) -> Option<&'head str> {
    head.lines().find_map(|line| {
        let (found, value) = line.split_once(": ")?;
        found.eq_ignore_ascii_case(name).then_some(value)
    })
}

fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let mut bytes = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n"
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

fn serve(folder: &Path, head: &str, body: &[u8]) -> Vec<u8> {
    let target = head.split(' ').nth(1).unwrap();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut child = crate::command()
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", folder)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("REQUEST_METHOD", head.split(' ').next().unwrap())
        .env("CONTENT_TYPE", header(head, "content-type").unwrap_or(""))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(body).unwrap();
    let output = child.wait_with_output().unwrap().stdout;
    let split = output.windows(4).position(|four| four == b"\r\n\r\n");
    let (headers, body) = output.split_at(split.unwrap() + 2);
    answer("200 OK", &String::from_utf8_lossy(headers), &body[2..])
}

/// A bare repository `there.git` with one commit on `main`, in a folder.
fn repository() -> (tempfile::TempDir, git2::Oid) {
    crate::isolate();
    let folder = tempfile::tempdir().unwrap();
    let there = git2::Repository::init_bare(folder.path().join("there.git")).unwrap();
    let tree = there.find_tree(there.treebuilder(None).unwrap().write().unwrap());
    let person = git2::Signature::now("A", "a@example.org").unwrap();
    let commit = there
        .commit(
            Some("refs/heads/main"),
            &person,
            &person,
            "Begin",
            &tree.unwrap(),
            &[],
        )
        .unwrap();
    (folder, commit)
}

fn network() -> Network {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Network::with_limits(None, CONNECT, SILENCE).unwrap()
}

/// Fetches `main` into a new repository.
fn fetch(network: &Network, url: &str) -> Result<git2::Oid, String> {
    crate::isolate();
    let folder = tempfile::tempdir().unwrap();
    let here = git2::Repository::init_bare(folder.path()).unwrap();
    let mut remote = here.remote_anonymous(url).unwrap();
    let refs = ["+refs/heads/main:refs/heads/main"];
    network
        .run(|| remote.fetch(&refs, None, None))
        .map_err(|error| error.message().to_owned())?;
    Ok(here.refname_to_id("refs/heads/main").unwrap())
}

/// A server that is asked for a repository by a query, as a gateway is:
/// `/git?q=/there.git/info/refs&service=…`.
fn gateway(folder: &Path) -> Server {
    let folder = folder.to_owned();
    Server::start(move |head, body| {
        let asked = target(head).strip_prefix("/git?q=").unwrap();
        let (path, query) = asked.split_once('&').unwrap_or((asked, ""));
        let head = head.replacen(target(head), &format!("{path}?{query}"), 1);
        serve(&folder, &head, body)
    })
}

fn target(head: &str) -> &str {
    head.split(' ').nth(1).unwrap()
}

#[test]
fn what_is_asked_stands_behind_the_query_of_an_address() {
    let (folder, commit) = repository();
    let server = gateway(folder.path());
    let url = format!("{}git?q=/there.git", server.url);
    assert_eq!(fetch(&network(), &url), Ok(commit));
    let heads = server.heads();
    let targets: Vec<&str> = heads.iter().map(|head| target(head)).collect();
    assert_eq!(
        targets,
        [
            "/git?q=/there.git/info/refs&service=git-upload-pack",
            "/git?q=/there.git/git-upload-pack"
        ]
    );
}

#[test]
fn refs_that_a_redirect_finds_at_an_odd_address_are_refused() {
    let (folder, commit) = repository();
    for (to, found) in [
        ("there.git/info/refs?service=git-upload-pack", true),
        ("there.git/xinfo/refs?service=git-upload-pack", false),
        ("there.git/info/refs?myservice=git-upload-pack", false),
    ] {
        let folder = folder.path().to_owned();
        let server = Server::start(move |head, body| {
            if target(head).starts_with("/old.git") {
                return answer("301 Moved", &format!("Location: /{to}\r\n"), b"");
            }
            let usual = head.replacen("xinfo", "info", 1);
            serve(&folder, &usual.replacen("myservice", "service", 1), body)
        });
        let fetched = fetch(&network(), &format!("{}old.git", server.url));
        match found {
            true => assert_eq!(fetched, Ok(commit), "{to}"),
            false => {
                let error = fetched.unwrap_err();
                assert!(error.contains("not that of a repository's refs"), "{error}");
            }
        }
    }
}

#[test]
fn a_repository_is_fetched_and_its_server_told_the_password() {
    let (folder, commit) = repository();
    let server = Server::of(folder.path());
    let url = format!("{}there.git", server.url);
    assert_eq!(fetch(&network().with_password("secret"), &url), Ok(commit));
    let heads = server.heads();
    assert!(heads.len() >= 2, "refs and objects: {heads:?}");
    for head in heads {
        // `x-access-token:secret`
        let authorization = header(&head, "authorization");
        assert_eq!(
            authorization,
            Some("Basic eC1hY2Nlc3MtdG9rZW46c2VjcmV0"),
            "{head}"
        );
        assert!(header(&head, "user-agent").unwrap().starts_with("git/"));
    }
}

#[test]
fn a_redirect_is_followed_without_the_password() {
    let (folder, commit) = repository();
    let server = Server::of(folder.path());
    let to = server.url.clone();
    let first = Server::start(move |head, _| {
        let target = head.split(' ').nth(1).unwrap().replacen("/old", "there", 1);
        answer("301 Moved", &format!("Location: {to}{target}\r\n"), b"")
    });
    let url = format!("{}old.git", first.url);
    let network = network().with_password("secret");
    assert_eq!(fetch(&network, &url), Ok(commit));
    assert!(header(&first.heads()[0], "authorization").is_some());
    assert_eq!(
        first.heads().len(),
        1,
        "the rest is asked where it was found"
    );
    for head in server.heads() {
        assert_eq!(header(&head, "authorization"), None, "{head}");
    }
    let refused = fetch(&network.with_redirects(Redirects::Refused), &url);
    let told = format!(
        "the server sends to {}, where this fetch does not follow",
        server.url.origin().ascii_serialization()
    );
    assert_eq!(refused, Err(told));
}

#[test]
fn each_place_that_a_redirect_leads_to_has_to_be_admitted() {
    let (folder, _) = repository();
    let server = Server::of(folder.path());
    let to = format!(
        "{}there.git/{}",
        server.url, "info/refs?service=git-upload-pack"
    );
    let first = Server::start(move |_, _| answer("302 Found", &format!("Location: {to}\r\n"), b""));
    let only = first.url.origin();
    let network = network().with_admission(move |url| match url.origin() == only {
        true => Ok(()),
        false => Err("not there".to_owned()),
    });
    let fetched = fetch(&network, &format!("{}old.git", first.url));
    assert_eq!(fetched, Err("not there".to_owned()));
    assert_eq!(server.heads(), Vec::<String>::new());
}

#[test]
fn a_redirect_never_leads_from_https_to_http() {
    let url = |text: &str| Url::parse(text).unwrap();
    let (plain, sealed) = (url("http://a.test/x"), url("https://b.test/x"));
    let follow =
        |from: &Url, to: &Url| super::exchange::follow(Redirects::Followed, from, to.clone());
    for (from, to) in [(&plain, &plain), (&plain, &sealed), (&sealed, &sealed)] {
        assert_eq!(follow(from, to).unwrap(), *to);
    }
    let refused = follow(&sealed, &plain).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the server sends from HTTPS to http://a.test"
    );
    assert!(follow(&sealed, &url("ftp://a.test/x")).is_err());
}

#[test]
fn answers_that_are_no_repository_say_what_they_are() {
    let told = |status: &'static str, headers: &'static str, network: &Network| {
        let server = Server::start(move |_, _| answer(status, headers, b"hello"));
        let fetched = fetch(network, &format!("{}there.git", server.url));
        fetched.unwrap_err()
    };
    let plain = network();
    let opened = network().with_password("secret");
    let html = "Content-Type: text/html\r\n";
    let round = "Location: /there.git/info/refs?service=git-upload-pack\r\n";
    for (status, headers, network, said) in [
        (
            "404 Not Found",
            "",
            &plain,
            "the server answers 404 Not Found",
        ),
        ("401 No", "", &plain, "the repository asks for credentials"),
        ("401 No", "", &opened, "the repository refuses the token"),
        ("403 No", "", &opened, "the repository refuses the token"),
        (
            "200 OK",
            html,
            &plain,
            "the server answers `text/html`, which is not git's protocol",
        ),
        (
            "302 Found",
            round,
            &plain,
            "the server sends from place to place, more than 5 times",
        ),
    ] {
        assert_eq!(told(status, headers, network), said);
    }
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let said = fetch(&plain, &format!("http://{closed}/there.git")).unwrap_err();
    assert!(said.contains("Connection refused"), "{said}");
}

#[test]
fn all_that_servers_send_counts() {
    let (folder, commit) = repository();
    let server = Server::of(folder.path());
    let url = format!("{}there.git", server.url);
    let budget = |most| Arc::new(Budget::new(most));
    let enough = budget(1 << 20);
    let network = network();
    assert_eq!(
        fetch(&network.clone().with_budget(Arc::clone(&enough)), &url),
        Ok(commit)
    );
    assert_eq!(enough.find_excess(), None);
    let short = budget(100);
    let fetched = fetch(&network.with_budget(Arc::clone(&short)), &url);
    assert_eq!(
        fetched,
        Err("the server sends more than 100 bytes".to_owned())
    );
    assert!(short.find_excess().is_some());
}

#[test]
fn without_a_network_nothing_is_asked() {
    let (folder, _) = repository();
    let server = Server::of(folder.path());
    let here = git2::Repository::init_bare(folder.path().join("here.git")).unwrap();
    let url = format!("{}there.git", server.url);
    network().run(|| ());
    let mut remote = here.remote_anonymous(&url).unwrap();
    let error = remote.fetch(&["main"], None, None).unwrap_err();
    assert_eq!(error.message(), "nothing may be fetched over HTTP here");
    let mut remote = here.remote_anonymous(&url).unwrap();
    let pushed = network().run(|| remote.push(&["refs/heads/main"], None));
    assert_eq!(
        pushed.unwrap_err().message(),
        "only fetching is possible over HTTP"
    );
    assert_eq!(server.heads(), Vec::<String>::new());
}

/// A server that takes the connection and says nothing.
#[test]
fn a_silent_server_does_not_hold_a_thread_for_ever() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/silent.git", listener.local_addr().unwrap());
    let (taken, connections) = mpsc::channel();
    thread::spawn(move || {
        // Kept open by the receiver's end of the channel.
        while let Ok((stream, _)) = listener.accept() {
            if taken.send(stream).is_err() {
                return;
            }
        }
    });
    let (done, outcome) = mpsc::channel();
    thread::spawn(move || {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let second = Duration::from_secs(1);
        let network = Network::with_limits(None, second, second).unwrap();
        done.send(fetch(&network, &url))
    });
    let failed = outcome.recv_timeout(Duration::from_secs(30));
    assert_eq!(failed, Ok(Err("the server says nothing".to_owned())));
    assert!(connections.try_recv().is_ok(), "it was connected");
}
