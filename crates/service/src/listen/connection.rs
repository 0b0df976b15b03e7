//! Connections: at most so many at a time, each in a task of its own. One that says nothing is
//! closed, so that silent clients cannot take all places. On the stop no new one is taken, and each
//! open one ends after the answer that it is giving.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// What connections may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// How many at a time; more wait in the system's queue.
    pub(super) connections: usize,
    /// How long a TLS handshake may take, and how long the headers of a request, counted from the
    /// connection or from the last answer.
    pub(super) silence: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections: 1024,
            silence: Duration::from_secs(30),
        }
    }
}

/// Takes connections until `stop`, and ends when all are closed.
pub(super) async fn take(
    socket: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    stop: CancellationToken,
    bounds: Bounds,
) {
    let places = Arc::new(Semaphore::new(bounds.connections));
    let mut open = JoinSet::new();
    loop {
        let place = tokio::select! {
            place = Arc::clone(&places).acquire_owned() => place,
            () = stop.cancelled() => break,
        };
        let stream = tokio::select! {
            stream = accept(&socket) => stream,
            () = stop.cancelled() => break,
        };
        let (tls, router, stop) = (tls.clone(), router.clone(), stop.clone());
        open.spawn(async move {
            match tls {
                None => answer(stream, router, stop, bounds).await,
                Some(tls) => match shake_hands(&tls, stream, bounds).await {
                    Ok(stream) => answer(stream, router, stop, bounds).await,
                    Err(error) => tracing::debug!(%error, "no TLS"),
                },
            }
            drop(place);
        });
        while open.try_join_next().is_some() {}
    }
    drop(socket);
    while open.join_next().await.is_some() {}
}

async fn accept(socket: &TcpListener) -> TcpStream {
    loop {
        match socket.accept().await {
            Ok((stream, _)) => {
                // Small answers must not wait for an acknowledgement.
                let _ = stream.set_nodelay(true);
                return stream;
            }
            Err(error) => {
                // No more open files, mostly: the ones that end make room.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

async fn shake_hands(
    tls: &TlsAcceptor,
    stream: TcpStream,
    bounds: Bounds,
) -> std::io::Result<tokio_rustls::server::TlsStream<TcpStream>> {
    tokio::time::timeout(bounds.silence, tls.accept(stream))
        .await
        .map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))?
}

async fn answer(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
    stop: CancellationToken,
    bounds: Bounds,
) {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.silence);
    let connection =
        builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::trace!(%error, "a connection broke off");
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    async fn serve(bounds: Bounds) -> (std::net::SocketAddr, CancellationToken, JoinSet<()>) {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let stop = CancellationToken::new();
        let router = Router::new().route("/", axum::routing::get(async || "hello"));
        let mut server = JoinSet::new();
        server.spawn(take(socket, None, router, stop.clone(), bounds));
        (address, stop, server)
    }

    async fn ask(stream: &mut TcpStream) -> String {
        stream
            .write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            .await
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn silent_clients_lose_their_places_to_others() {
        let bounds = Bounds {
            connections: 2,
            silence: Duration::from_millis(100),
        };
        let (address, _stop, _server) = serve(bounds).await;
        let mut silent = TcpStream::connect(address).await.unwrap();
        let mut dripping = TcpStream::connect(address).await.unwrap();
        dripping.write_all(b"GET / HTTP/1.1\r\nho").await.unwrap();
        let mut third = TcpStream::connect(address).await.unwrap();
        assert!(ask(&mut third).await.ends_with("hello"));
        let mut rest = Vec::new();
        for stream in [&mut silent, &mut dripping] {
            // Closed, with or without an answer.
            let _ = stream.read_to_end(&mut rest).await;
        }
    }

    #[tokio::test]
    async fn the_stop_closes_idle_connections_and_ends_the_server() {
        let (address, stop, mut server) = serve(Bounds::default()).await;
        let mut idle = TcpStream::connect(address).await.unwrap();
        idle.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .unwrap();
        let mut part = [0; 16];
        idle.read_exact(&mut part).await.unwrap();
        stop.cancel();
        let mut rest = Vec::new();
        idle.read_to_end(&mut rest).await.unwrap();
        server.join_next().await.unwrap().unwrap();
        assert!(TcpStream::connect(address).await.is_err());
    }
}
