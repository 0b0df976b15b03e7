use std::num::NonZero;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use axum::http::StatusCode;
use moss_fetcher::{
    Cause, Error, Exceptions, Fetcher, FileUrls, Options, Origin, Progress, Reach, Request, Sha256,
    Size,
};
use tokio::sync::Notify;
use url::Url;

use crate::server::{Answer, Server};

/// 300 kB in which no part is like another.
static FILE: LazyLock<Vec<u8>> =
    LazyLock::new(|| (0..75_000_u32).flat_map(u32::to_be_bytes).collect());

fn file() -> &'static [u8] {
    &FILE
}

fn options() -> Options {
    Options {
        backoff: Duration::from_millis(1),
        ..Options::default()
    }
}

fn fetcher() -> Fetcher {
    Fetcher::new(options()).unwrap()
}

fn request(urls: Vec<Url>, folder: &Path) -> Request {
    let sha256 = Sha256::of(file());
    Request {
        urls,
        sha256,
        size: Size::AtMost(1 << 20),
        target: folder.join("file"),
    }
}

/// The names in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[track_caller]
fn assert_fetched(folder: &Path) {
    assert!(
        std::fs::read(folder.join("file")).unwrap() == file(),
        "the file is another one"
    );
    assert_eq!(names(folder), ["file"]);
}

/// The causes of a failed fetch.
#[track_caller]
fn causes(outcome: Result<moss_fetcher::Fetched, Error>) -> Vec<Cause> {
    match outcome {
        Err(Error::Failed { failures, .. }) => {
            failures.into_iter().map(|failure| failure.cause).collect()
        }
        other => panic!("not a failed fetch: {other:?}"),
    }
}

#[tokio::test]
async fn a_file_is_fetched_verified_and_then_found_present() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start([("/file", vec![Answer::File(file())])]).await;
    let request = request(vec![server.url("/file")], folder.path());
    let told = Mutex::new(Vec::new());
    let watcher = |progress| told.lock().unwrap().push(progress);
    let fetched = fetcher().fetch_watched(&request, watcher).await.unwrap();
    assert_eq!(
        (fetched.size, fetched.path),
        (300_000, request.target.clone())
    );
    assert_eq!(fetched.origin, Origin::Url(server.url("/file")));
    assert_fetched(folder.path());
    let told = told.into_inner().unwrap();
    assert_eq!(
        told.first(),
        Some(&Progress {
            received: 0,
            total: Some(300_000)
        })
    );
    assert_eq!(
        told.last(),
        Some(&Progress {
            received: 300_000,
            total: Some(300_000)
        })
    );
    assert!(told.is_sorted_by_key(|progress| progress.received));

    let again = fetcher().fetch(&request).await.unwrap();
    assert_eq!((again.size, again.origin), (300_000, Origin::Present));
    assert_eq!(server.seen(), ["/file"]);
}

#[tokio::test]
async fn a_broken_connection_is_resumed_where_it_broke() {
    let folder = tempfile::tempdir().unwrap();
    let answers = vec![
        Answer::Broken(file(), 100_000),
        Answer::Broken(file(), 50_000),
        Answer::File(file()),
    ];
    let server = Server::start([("/file", answers)]).await;
    fetcher()
        .fetch(&request(vec![server.url("/file")], folder.path()))
        .await
        .unwrap();
    assert_fetched(folder.path());
    assert_eq!(
        server.seen(),
        ["/file", "/file bytes=100000-", "/file bytes=150000-"]
    );
}

#[tokio::test]
async fn the_rest_may_come_from_another_mirror() {
    let folder = tempfile::tempdir().unwrap();
    let broken = vec![Answer::Broken(file(), 1000), Answer::Broken(file(), 0)];
    let server = Server::start([("/one", broken), ("/two", vec![Answer::File(file())])]).await;
    let options = Options {
        attempts: NonZero::new(2).unwrap(),
        ..options()
    };
    let urls = vec![server.url("/one"), server.url("/two")];
    let fetcher = Fetcher::new(options).unwrap();
    let fetched = fetcher.fetch(&request(urls, folder.path())).await.unwrap();
    assert_eq!(fetched.origin, Origin::Url(server.url("/two")));
    assert_fetched(folder.path());
    assert_eq!(
        server.seen(),
        ["/one", "/one bytes=1000-", "/two bytes=1000-"]
    );
}

#[tokio::test]
async fn a_part_from_before_is_resumed_or_thrown_away() {
    let answers = || vec![Answer::File(file())];
    let cases: [(&str, Vec<u8>, &[&str]); 5] = [
        ("good", file()[..7].to_vec(), &["/file bytes=7-"]),
        ("whole", file().to_vec(), &[]),
        ("wrong", b"wrong".to_vec(), &["/file bytes=5-", "/file"]),
        (
            "longer than the file",
            vec![1; 400_000],
            &["/file bytes=400000-", "/file"],
        ),
        ("longer than any file", vec![1; 2 << 20], &["/file"]),
    ];
    for (name, part, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file.part"), part).unwrap();
        let server = Server::start([("/file", answers())]).await;
        fetcher()
            .fetch(&request(vec![server.url("/file")], folder.path()))
            .await
            .unwrap();
        assert_fetched(folder.path());
        assert_eq!(server.seen(), expected, "the part was {name}");
    }
}

#[tokio::test]
async fn a_torn_part_costs_no_attempt() {
    let torn: Vec<u8> = [&[0; 4096], &file()[4096..100_000]].concat();
    let long = vec![7; 300_001];
    for (part, range) in [(torn, "bytes=100000-"), (long, "bytes=300001-")] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file.part"), part).unwrap();
        let server = Server::start([("/file", vec![Answer::File(file())])]).await;
        let options = Options {
            attempts: NonZero::<u32>::MIN,
            ..options()
        };
        Fetcher::new(options)
            .unwrap()
            .fetch(&request(vec![server.url("/file")], folder.path()))
            .await
            .unwrap();
        assert_fetched(folder.path());
        assert_eq!(server.seen(), [&format!("/file {range}"), "/file"]);
    }
}

#[tokio::test]
async fn a_torn_part_of_a_wrong_file_is_tried_anew_once() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file.part"), b"torn").unwrap();
    let server = Server::start([("/file", vec![Answer::File(b"another file")])]).await;
    let request = request(vec![server.url("/file")], folder.path());
    let causes = causes(fetcher().fetch(&request).await);
    assert!(
        matches!(causes.as_slice(), [Cause::Mismatch { actual, .. }] if *actual == Sha256::of(b"another file")),
        "{causes:?}"
    );
    assert_eq!(server.seen(), ["/file bytes=4-", "/file"]);
}

#[tokio::test]
async fn a_server_without_ranges_sends_all_of_it_again() {
    let folder = tempfile::tempdir().unwrap();
    let answers = vec![Answer::Broken(file(), 1000), Answer::Stream(file())];
    let server = Server::start([("/file", answers)]).await;
    fetcher()
        .fetch(&request(vec![server.url("/file")], folder.path()))
        .await
        .unwrap();
    assert_fetched(folder.path());
    assert_eq!(server.seen(), ["/file", "/file bytes=1000-"]);
}

#[tokio::test]
async fn a_wrong_file_shows_both_digests_and_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start([("/file", vec![Answer::File(b"another file")])]).await;
    let request = request(vec![server.url("/file")], folder.path());
    let error = fetcher().fetch(&request).await.unwrap_err();
    assert_eq!(
        error.mismatch(),
        Some((Sha256::of(file()), Sha256::of(b"another file")))
    );
    let (target, url) = (request.target.display(), &request.urls[0]);
    let (expected, actual) = (Sha256::of(file()), Sha256::of(b"another file"));
    assert_eq!(
        error.to_string(),
        format!(
            "cannot fetch `{target}`: {url}: the file has SHA-256 {actual}, expected is {expected}"
        )
    );
    assert_eq!(names(folder.path()), [""; 0]);
    assert_eq!(
        server.seen(),
        ["/file"],
        "a wrong file is not asked for again"
    );
}

#[tokio::test]
async fn mirrors_are_tried_in_turn_and_every_failure_is_listed() {
    let folder = tempfile::tempdir().unwrap();
    let gone = Answer::Status(StatusCode::NOT_FOUND, Vec::new());
    let script = [
        ("/gone", vec![gone]),
        ("/wrong", vec![Answer::File(b"x")]),
        ("/file", vec![Answer::File(file())]),
    ];
    let server = Server::start(script).await;
    let bad = vec![
        server.url("/gone"),
        server.url("/wrong"),
        "ftp://a/b".parse().unwrap(),
    ];
    let failed = fetcher().fetch(&request(bad.clone(), folder.path())).await;
    let causes = causes(failed);
    assert!(
        matches!(
            causes.as_slice(),
            [
                Cause::Status(StatusCode::NOT_FOUND),
                Cause::Mismatch { .. },
                Cause::Scheme(_)
            ]
        ),
        "{causes:?}"
    );
    let urls = bad.into_iter().chain([server.url("/file")]).collect();
    let fetched = fetcher()
        .fetch(&request(urls, folder.path()))
        .await
        .unwrap();
    assert_eq!(fetched.origin, Origin::Url(server.url("/file")));
    assert_fetched(folder.path());
}

#[tokio::test]
async fn an_overloaded_server_is_asked_again_after_a_while() {
    let folder = tempfile::tempdir().unwrap();
    let busy = |status, headers| Answer::Status(status, headers);
    let answers = vec![
        busy(StatusCode::SERVICE_UNAVAILABLE, Vec::new()),
        busy(
            StatusCode::TOO_MANY_REQUESTS,
            vec![("retry-after", "0".to_owned())],
        ),
        busy(
            StatusCode::BAD_GATEWAY,
            vec![("retry-after", "3600".to_owned())],
        ),
        Answer::File(file()),
    ];
    let server = Server::start([("/file", answers)]).await;
    let options = Options {
        longest_pause: Duration::from_millis(20),
        ..options()
    };
    let fetcher = Fetcher::new(options).unwrap();
    fetcher
        .fetch(&request(vec![server.url("/file")], folder.path()))
        .await
        .unwrap();
    assert_fetched(folder.path());
    assert_eq!(server.seen().len(), 4);
}

#[tokio::test]
async fn attempts_end_and_leave_what_came_for_the_next_fetch() {
    let folder = tempfile::tempdir().unwrap();
    let answers = vec![Answer::Broken(file(), 1000), Answer::Broken(file(), 0)];
    let server = Server::start([("/file", answers)]).await;
    let request = request(vec![server.url("/file")], folder.path());
    let causes = causes(fetcher().fetch(&request).await);
    assert!(
        matches!(causes.as_slice(), [Cause::Transport { .. }]),
        "{causes:?}"
    );
    assert_eq!(server.seen().len(), 4);
    assert_eq!(names(folder.path()), ["file.part"]);
    assert_eq!(
        std::fs::metadata(folder.path().join("file.part"))
            .unwrap()
            .len(),
        1000
    );
}

#[tokio::test]
async fn silence_does_not_last_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start([("/file", vec![Answer::Silence])]).await;
    let stall_timeout = Duration::from_millis(500);
    let options = Options {
        stall_timeout,
        attempts: NonZero::new(2).unwrap(),
        ..options()
    };
    let fetcher = Fetcher::new(options).unwrap();
    let causes = causes(
        fetcher
            .fetch(&request(vec![server.url("/file")], folder.path()))
            .await,
    );
    assert!(
        matches!(causes.as_slice(), [Cause::Stalled(_)]),
        "{causes:?}"
    );
    assert_eq!(server.seen().len(), 2);
    assert_eq!(names(folder.path()), [""; 0]);
}

#[tokio::test]
async fn a_file_that_is_too_large_is_cut() {
    let script = [
        ("/told", vec![Answer::File(file())]),
        ("/untold", vec![Answer::Stream(file())]),
    ];
    let server = Server::start(script).await;
    for (path, size) in [
        ("/told", Size::AtMost(299_999)),
        ("/untold", Size::AtMost(299_999)),
        ("/told", Size::Exactly(300_001)),
        ("/untold", Size::Exactly(299_999)),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let request = Request {
            size,
            ..request(vec![server.url(path)], folder.path())
        };
        let causes = causes(fetcher().fetch(&request).await);
        match (path, size) {
            ("/told", Size::Exactly(expected)) => assert!(
                matches!(causes[..], [Cause::WrongSize { expected: e, actual: 300_000 }] if e == expected),
                "{causes:?}"
            ),
            _ => assert!(
                matches!(causes.as_slice(), [Cause::TooLarge { limit: 299_999 }]),
                "{causes:?}"
            ),
        }
        assert_eq!(names(folder.path()), [""; 0], "{path} {size:?}");
    }
    let folder = tempfile::tempdir().unwrap();
    let size = Size::Exactly(300_000);
    let request = Request {
        size,
        ..request(vec![server.url("/untold")], folder.path())
    };
    fetcher().fetch(&request).await.unwrap();
    assert_fetched(folder.path());
}

#[tokio::test]
async fn redirects_are_followed_up_to_a_limit() {
    let to = |path: &str| {
        let headers = vec![("location", path.to_owned())];
        vec![Answer::Status(StatusCode::FOUND, headers)]
    };
    let script = [
        ("/old", to("/older")),
        ("/older", to("/file")),
        ("/round", to("/round")),
        ("/file", vec![Answer::File(file())]),
    ];
    let server = Server::start(script).await;
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        attempts: NonZero::<u32>::MIN,
        redirects: 3,
        ..options()
    };
    let fetcher = Fetcher::new(options).unwrap();
    let failed = fetcher
        .fetch(&request(vec![server.url("/round")], folder.path()))
        .await;
    let shown = failed.unwrap_err().to_string();
    assert!(shown.ends_with("too many redirects"), "{shown}");
    fetcher
        .fetch(&request(vec![server.url("/old")], folder.path()))
        .await
        .unwrap();
    assert_fetched(folder.path());
}

#[tokio::test]
async fn strangers_reach_only_the_public_network() {
    let secret = || ("/secret", vec![Answer::File(file())]);
    let internal = Server::start([secret()]).await;
    let to_internal = Answer::Status(
        StatusCode::FOUND,
        vec![("location", internal.url("/secret").to_string())],
    );
    let script = [("/redirect", vec![to_internal]), secret()];
    let mirror = Server::start(script).await;
    let by_name = |mut url: Url| {
        url.set_host(Some("localhost")).unwrap();
        url
    };
    let public = |networks: &[&str], origins: Vec<Url>| {
        let networks = networks.iter().map(|text| text.parse().unwrap()).collect();
        Fetcher::new(Options {
            reach: Reach::Public(Exceptions { networks, origins }),
            ..options()
        })
        .unwrap()
    };
    let folder = tempfile::tempdir().unwrap();
    let urls = vec![
        mirror.url("/redirect"),
        internal.url("/secret"),
        by_name(internal.url("/secret")),
    ];
    let request = request(urls, folder.path());
    let fetcher = public(&[], vec![mirror.url("/")]);
    let causes = causes(fetcher.fetch(&request).await);
    assert!(
        matches!(
            causes.as_slice(),
            [
                Cause::NotPublic(_),
                Cause::NotPublic(_),
                Cause::NotPublic(_)
            ]
        ),
        "{causes:?}"
    );
    assert_eq!(internal.seen(), [""; 0]);
    assert_eq!(mirror.seen(), ["/redirect"]);
    let shown: Vec<String> = causes.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "`127.0.0.1` has no public address",
            "`127.0.0.1` has no public address",
            "`localhost` has no public address"
        ]
    );

    let exceptions = [
        public(&[], vec![internal.url("/other")]),
        public(&["127.0.0.0/8", "::1/128"], Vec::new()),
    ];
    for fetcher in exceptions {
        fetcher.fetch(&request).await.unwrap();
        assert_fetched(folder.path());
        std::fs::remove_file(folder.path().join("file")).unwrap();
    }
}

#[tokio::test]
async fn file_urls_are_refused_unless_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let source = elsewhere.path().join("archive");
    std::fs::write(&source, file()).unwrap();
    let urls = vec![Url::from_file_path(&source).unwrap()];
    let request = request(urls, folder.path());
    let refused = causes(fetcher().fetch(&request).await);
    assert!(matches!(refused.as_slice(), [Cause::Scheme(scheme)] if scheme == "file"));

    let fetcher = Fetcher::new(Options {
        file_urls: FileUrls::Allowed,
        ..options()
    })
    .unwrap();
    let small = Request {
        size: Size::AtMost(1000),
        ..request.clone()
    };
    let cut = causes(fetcher.fetch(&small).await);
    assert!(
        matches!(cut.as_slice(), [Cause::TooLarge { limit: 1000 }]),
        "{cut:?}"
    );
    fetcher.fetch(&request).await.unwrap();
    assert_fetched(folder.path());
    std::fs::remove_file(&source).unwrap();
    std::fs::remove_file(&request.target).unwrap();
    let missing = causes(fetcher.fetch(&request).await);
    assert!(
        matches!(missing.as_slice(), [Cause::Unreadable(_)]),
        "{missing:?}"
    );
}

#[tokio::test]
async fn two_fetches_of_one_target_ask_once() {
    let folder = tempfile::tempdir().unwrap();
    let (come, gate) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let answer = Answer::Gated(file(), Arc::clone(&come), Arc::clone(&gate));
    let server = Server::start([("/file", vec![answer])]).await;
    let request = request(vec![server.url("/file")], folder.path());
    // Two fetchers, as two processes would have.
    let (one, two) = (fetcher(), fetcher());
    let open = async {
        come.notified().await;
        gate.notify_one();
    };
    let (one, two, ()) = tokio::join!(one.fetch(&request), two.fetch(&request), open);
    let origins = [one.unwrap().origin, two.unwrap().origin];
    assert!(origins.contains(&Origin::Present), "{origins:?}");
    assert!(
        origins.contains(&Origin::Url(server.url("/file"))),
        "{origins:?}"
    );
    assert_eq!(server.seen(), ["/file"]);
    assert_fetched(folder.path());
}

#[tokio::test]
async fn a_dropped_fetch_frees_its_target() {
    let folder = tempfile::tempdir().unwrap();
    let come = Arc::new(Notify::new());
    let never = Answer::Gated(file(), Arc::clone(&come), Arc::new(Notify::new()));
    let server = Server::start([("/file", vec![never, Answer::File(file())])]).await;
    let request = request(vec![server.url("/file")], folder.path());
    let fetcher = fetcher();
    tokio::select! {
        outcome = fetcher.fetch(&request) => panic!("the server has not answered: {outcome:?}"),
        () = come.notified() => {}
    }
    fetcher.fetch(&request).await.unwrap();
    assert_fetched(folder.path());
}

#[tokio::test]
async fn no_more_fetches_run_than_allowed_and_one_failure_stops_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let (come, gate) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let gated = |file| vec![Answer::Gated(file, Arc::clone(&come), Arc::clone(&gate))];
    let script = [
        ("/a", gated(file())),
        ("/b", gated(b"x")),
        ("/c", gated(file())),
    ];
    let server = Server::start(script).await;
    let requests = ["a", "b", "c"].map(|name| Request {
        target: folder.path().join(name),
        ..request(vec![server.url(&format!("/{name}"))], folder.path())
    });
    let options = Options {
        parallel: NonZero::<usize>::MIN,
        ..options()
    };
    let fetcher = Fetcher::new(options).unwrap();
    let open = async {
        for number in 1..=3 {
            come.notified().await;
            assert_eq!(
                server.seen().len(),
                number,
                "the others wait for their turn"
            );
            gate.notify_one();
        }
    };
    let (outcomes, ()) = tokio::join!(fetcher.fetch_all(&requests), open);
    let fetched: Vec<_> = outcomes.iter().map(Result::is_ok).collect();
    assert_eq!(fetched, [true, false, true]);
    assert_eq!(names(folder.path()), ["a", "c"]);
}

#[tokio::test]
async fn a_dripping_server_is_given_up_with_its_rate() {
    let folder = tempfile::tempdir().unwrap();
    let script = [
        ("/drip", vec![Answer::Drip]),
        ("/file", vec![Answer::File(file())]),
    ];
    let server = Server::start(script).await;
    let options = Options {
        attempts: NonZero::<u32>::MIN,
        least_rate: NonZero::new(1_000_000).unwrap(),
        grace: Duration::from_secs(1),
        ..options()
    };
    let hasty = Fetcher::new(options).unwrap();
    let request = request(vec![server.url("/drip")], folder.path());
    let causes = causes(hasty.fetch(&request).await);
    let [
        Cause::TooSlow {
            rate,
            least: 1_000_000,
        },
    ] = causes.as_slice()
    else {
        panic!("{causes:?}");
    };
    // A byte each two milliseconds, at most.
    assert!((1..=1000).contains(rate), "{rate}");
    let shown = causes[0].to_string();
    assert!(
        shown.ends_with("bytes per second, the least is 1000000"),
        "{shown}"
    );
    // The drops stay as a part; the next server's file is not one of them.
    let urls = vec![server.url("/file")];
    fetcher().fetch(&Request { urls, ..request }).await.unwrap();
    assert_fetched(folder.path());
}

#[tokio::test]
async fn a_slow_host_leaves_places_to_others() {
    let folder = tempfile::tempdir().unwrap();
    let slow = Server::start([("/file", vec![Answer::Silence])]).await;
    let quick = Server::start([("/file", vec![Answer::File(file())])]).await;
    let target = |name: &str| Request {
        target: folder.path().join(name),
        ..request(vec![slow.url("/file")], folder.path())
    };
    let held = ["a", "b", "c", "d", "e"].map(target);
    let fetcher = fetcher();
    let holding = fetcher.fetch_all(&held);
    tokio::pin!(holding);
    let mut url = quick.url("/file");
    url.set_host(Some("localhost")).unwrap();
    let wanted = request(vec![url], folder.path());
    tokio::select! {
        _ = &mut holding => panic!("the slow server has answered"),
        fetched = async {
            // All others are under way or wait first.
            while slow.seen().len() < 2 {
                tokio::task::yield_now().await;
            }
            fetcher.fetch(&wanted).await
        } => drop(fetched.unwrap()),
    }
    assert_eq!(slow.seen().len(), 2, "one host has two places");
}

#[tokio::test]
async fn a_folder_that_is_missing_is_named_and_a_url_shows_no_password() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    let error = fetcher()
        .fetch(&request(Vec::new(), &missing))
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::File { action: "open", .. }),
        "{error}"
    );
    let url = "ftp://user:secret@host/file".parse().unwrap();
    let error = fetcher()
        .fetch(&request(vec![url], folder.path()))
        .await
        .unwrap_err();
    let shown = error.to_string();
    assert!(
        shown.ends_with("ftp://host/file: URLs of the scheme `ftp` are not allowed"),
        "{shown}"
    );
}
