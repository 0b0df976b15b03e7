//! An address that stays while the service behind it comes and goes, where requests can be held.
//!
//! Other services, the forge and people know a service by its gateway. So a service that was killed
//! is found again at the address it had, and a request can be stopped before it reaches the service
//! or before its answer gets back. While the service is down connections are closed without an
//! answer.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use forge::{Faults, Moment, Pause, Point};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use service::Supervisor;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use url::Url;

/// So many requests are remembered.
const KEPT: usize = 4000;

/// A request that passed.
#[derive(Debug, Clone)]
pub struct Passed {
    /// `GET`, `PUT` …
    pub method: String,
    /// The path, with the query.
    pub path: String,
    /// The body, where it is JSON.
    pub body: Value,
    /// The status of the answer.
    pub status: u16,
}

/// A gateway at work.
#[derive(Debug, Clone)]
pub struct Gateway {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    target: Mutex<Option<SocketAddr>>,
    faults: Arc<Faults>,
    passed: Mutex<VecDeque<Passed>>,
    supervisor: Supervisor,
}

/// The service is down, or one of the two connections broke; why makes no difference.
#[derive(Debug)]
struct NoAnswer;

impl std::fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("there is no answer")
    }
}

impl std::error::Error for NoAnswer {}

impl From<hyper::Error> for NoAnswer {
    fn from(_: hyper::Error) -> Self {
        Self
    }
}

impl From<std::io::Error> for NoAnswer {
    fn from(_: std::io::Error) -> Self {
        Self
    }
}

impl Gateway {
    /// Opens a gateway with nothing behind it.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn open(supervisor: &Supervisor) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .context("cannot open a gateway")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            target: Mutex::default(),
            faults: Arc::default(),
            passed: Mutex::default(),
            supervisor: supervisor.clone(),
        });
        let gateway = Self {
            address,
            shared: Arc::clone(&shared),
        };
        supervisor.spawn_until_shutdown("gateway", accept(listener, shared));
        Ok(gateway)
    }

    /// Where it is.
    pub fn url(&self) -> Url {
        Url::parse(&format!("http://{}/", self.address)).expect("an address makes a URL")
    }

    /// Puts a service behind it, or takes it away.
    pub fn lead_to(&self, target: Option<SocketAddr>) {
        *self.shared.target() = target;
    }

    /// Holds requests that come to a point for as long as the [`Pause`] lives.
    #[must_use = "dropping the pause ends it"]
    pub fn pause(&self, point: Point) -> Pause {
        self.shared.faults.pause(point)
    }

    /// The requests that were answered, oldest first.
    pub fn passed(&self) -> Vec<Passed> {
        let passed = self.shared.passed.lock();
        passed
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .cloned()
            .collect()
    }
}

impl Shared {
    fn target(&self) -> MutexGuard<'_, Option<SocketAddr>> {
        self.target.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, passed: Passed) {
        let mut all = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() == KEPT {
            all.pop_front();
        }
        all.push_back(passed);
    }

    /// Hears a request to its end, asks the service, and passes the answer on.
    async fn forward(&self, request: Request<Incoming>) -> Result<Response<Incoming>, NoAnswer> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let (method, path) = (parts.method.to_string(), parts.uri.path().to_owned());
        let stop = self.supervisor.token();
        self.faults.pass(&method, &path, Moment::Asked, &stop).await;
        let target = *self.target();
        let target = target.ok_or(NoAnswer)?;
        let stream = TcpStream::connect(target).await?;
        stream.set_nodelay(true)?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        self.supervisor
            .spawn_until_shutdown("gateway connection", async move {
                // A connection that breaks is seen by who waits for the answer.
                let _ = connection.await;
            });
        let mut passed = Passed {
            method: method.clone(),
            path: parts.uri.to_string(),
            body: serde_json::from_slice(&body).unwrap_or_default(),
            status: 0,
        };
        let request = Request::from_parts(parts, Full::<Bytes>::new(body));
        let answer = sender.send_request(request).await?;
        passed.status = answer.status().as_u16();
        self.remember(passed);
        self.faults.pass(&method, &path, Moment::Done, &stop).await;
        Ok(answer)
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(connection(stream, Arc::clone(&shared)));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>) -> Result<(), Infallible> {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { shared.forward(request).await }
    });
    // An error closes the connection without an answer, as that of a service that died does.
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
    Ok(())
}
