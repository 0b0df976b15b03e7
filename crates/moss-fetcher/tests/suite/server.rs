//! A server whose every answer is written down beforehand.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode, header};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use url::Url;

/// One answer.
#[derive(Clone)]
pub(crate) enum Answer {
    /// The whole file, or the range that was asked for.
    File(&'static [u8]),
    /// The whole file whatever was asked for, without telling its length.
    Stream(&'static [u8]),
    /// The range that was asked for, but the connection breaks after this many bytes of it.
    Broken(&'static [u8], usize),
    /// The file, once the gate is opened. A permit is left when the request has come.
    Gated(&'static [u8], Arc<Notify>, Arc<Notify>),
    /// A byte every few milliseconds, for ever.
    Drip,
    /// Nothing, ever.
    Silence,
    /// A status with headers and no file.
    Status(StatusCode, Vec<(&'static str, String)>),
}

/// The answers by path. The last one for a path is given again and again.
type Script = HashMap<&'static str, VecDeque<Answer>>;

#[derive(Clone)]
struct Shared {
    script: Arc<Mutex<Script>>,
    /// The path of every request, and its range if one was asked for.
    seen: Arc<Mutex<Vec<String>>>,
}

/// Runs until it is dropped.
pub(crate) struct Server {
    address: SocketAddr,
    shared: Shared,
    _tasks: JoinSet<()>,
}

impl Server {
    pub(crate) async fn start<const N: usize>(script: [(&'static str, Vec<Answer>); N]) -> Self {
        let script = script.map(|(path, answers)| (path, answers.into())).into();
        let shared = Shared {
            script: Arc::new(Mutex::new(script)),
            seen: Arc::default(),
        };
        let router = Router::new().fallback(answer).with_state(shared.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            address,
            shared,
            _tasks: tasks,
        }
    }

    pub(crate) fn url(&self, path: &str) -> Url {
        format!("http://{}{path}", self.address).parse().unwrap()
    }

    /// The requests so far: path, and range if one was asked for.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.shared.seen.lock().unwrap().clone()
    }
}

async fn answer(State(shared): State<Shared>, request: Request) -> Response<Body> {
    let range = request
        .headers()
        .get(header::RANGE)
        .map(|range| range.to_str().unwrap().to_owned());
    let path = request.uri().path().to_owned();
    let answer = {
        let mut script = shared.script.lock().unwrap();
        let answers = script
            .get_mut(path.as_str())
            .expect("the test wrote an answer for the path");
        if answers.len() > 1 {
            answers.pop_front()
        } else {
            answers.front().cloned()
        }
    };
    let seen = range
        .iter()
        .fold(path, |path, range| format!("{path} {range}"));
    shared.seen.lock().unwrap().push(seen);
    match answer.expect("the test wrote an answer for the path") {
        Answer::File(file) => partial(file, range.as_deref(), usize::MAX),
        Answer::Stream(file) => {
            let pieces = file
                .chunks(1000)
                .map(|piece| Ok::<_, Infallible>(Bytes::from(piece)));
            Response::new(Body::from_stream(futures_util::stream::iter(pieces)))
        }
        Answer::Broken(file, after) => partial(file, range.as_deref(), after),
        Answer::Gated(file, come, gate) => {
            come.notify_one();
            gate.notified().await;
            partial(file, range.as_deref(), usize::MAX)
        }
        Answer::Drip => {
            let drops = futures_util::stream::unfold((), |()| async {
                tokio::time::sleep(std::time::Duration::from_millis(2)).await;
                Some((Ok::<_, Infallible>(Bytes::from_static(b".")), ()))
            });
            Response::new(Body::from_stream(drops))
        }
        Answer::Silence => std::future::pending().await,
        Answer::Status(status, headers) => {
            let mut response = Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(name, value);
            }
            response.body(Body::empty()).unwrap()
        }
    }
}

fn partial(file: &'static [u8], range: Option<&str>, breaks_after: usize) -> Response<Body> {
    let start = range.map_or(0, |range| {
        range
            .strip_prefix("bytes=")
            .unwrap()
            .strip_suffix('-')
            .unwrap()
            .parse()
            .unwrap()
    });
    let size = file.len();
    if start >= size && range.is_some() {
        return Response::builder()
            .status(StatusCode::RANGE_NOT_SATISFIABLE)
            .header(header::CONTENT_RANGE, format!("bytes */{size}"))
            .body(Body::empty())
            .unwrap();
    }
    let rest = &file[start..];
    let mut response = Response::builder().header(header::CONTENT_LENGTH, rest.len());
    if range.is_some() {
        let range = format!("bytes {start}-{}/{size}", size - 1);
        response = response
            .status(StatusCode::PARTIAL_CONTENT)
            .header(header::CONTENT_RANGE, range);
    }
    let (sent, is_whole) = match rest.get(..breaks_after) {
        Some(sent) => (sent, false),
        None => (rest, true),
    };
    let end = (!is_whole).then(|| Err(std::io::Error::other("the connection breaks on purpose")));
    let pieces = sent
        .chunks(1000)
        .map(|piece| Ok(Bytes::from(piece)))
        .chain(end);
    // Without the pause the break could overtake the bytes before it.
    let stream = futures_util::StreamExt::then(futures_util::stream::iter(pieces), |piece| async {
        tokio::task::yield_now().await;
        piece
    });
    response.body(Body::from_stream(stream)).unwrap()
}
