//! The listener: plain HTTP on loopback, TLS everywhere else.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde::Deserialize;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::Supervisor;

/// Where a service listens.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Address and port; port 0 takes a free one.
    pub address: SocketAddr,
    /// Required off loopback.
    #[serde(default)]
    pub tls: Option<Tls>,
}

impl Config {
    /// A free port on loopback, in plain HTTP.
    pub fn loopback() -> Self {
        Self {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            tls: None,
        }
    }
}

/// The certificate and key of a listener, in PEM files.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The certificate chain, the service's own first.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// A listener that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Off loopback tokens and assets would be readable on the way.
    #[error(
        "refusing plain HTTP on {0}: configure `tls` with certificate and key, or listen on loopback"
    )]
    PlainOffLoopback(SocketAddr),
    /// The address cannot be bound.
    #[error("cannot listen on {address}")]
    Bind {
        /// Which address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The certificate or key cannot be read.
    #[error("cannot read {}", path.display())]
    Pem {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: rustls::pki_types::pem::Error,
    },
    /// Certificate and key do not make a TLS server.
    #[error("the certificate and key cannot be used")]
    Tls(#[source] rustls::Error),
}

/// A bound listener.
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
}

impl Listener {
    /// Binds the address of `config`.
    ///
    /// # Errors
    /// When it is off loopback without TLS, cannot be bound, or its certificate is no use.
    pub async fn bind(config: &Config) -> Result<Self, ListenError> {
        let address = config.address;
        if config.tls.is_none() && !address.ip().is_loopback() {
            return Err(ListenError::PlainOffLoopback(address));
        }
        let tls = config.tls.as_ref().map(acceptor).transpose()?;
        let bind = |source| ListenError::Bind { address, source };
        let socket = TcpListener::bind(address).await.map_err(bind)?;
        let address = socket.local_addr().map_err(bind)?;
        Ok(Self {
            socket,
            address,
            tls,
        })
    }

    /// The address with its real port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers requests until the supervisor stops; then finishes those that are open.
    pub fn serve(self, supervisor: &Supervisor, name: &'static str, router: Router) {
        let router = crate::request::observe(router);
        let stop = supervisor.token().cancelled_owned();
        match self.tls {
            None => {
                let socket = self.socket.tap_io(|stream| {
                    // Small answers must not wait for an acknowledgement.
                    let _ = stream.set_nodelay(true);
                });
                let server = axum::serve(socket, router).with_graceful_shutdown(stop);
                supervisor.spawn(name, async move { report(name, server.await) });
            }
            Some(acceptor) => {
                let (sender, receiver) = mpsc::channel(64);
                supervisor.spawn_until_shutdown(name, accept(self.socket, acceptor, sender));
                let listener = TlsListener {
                    receiver,
                    address: self.address,
                };
                let server = axum::serve(listener, router).with_graceful_shutdown(stop);
                supervisor.spawn(name, async move { report(name, server.await) });
            }
        }
    }
}

fn report(name: &str, result: std::io::Result<()>) {
    if let Err(error) = result {
        tracing::error!(listener = name, %error, "a listener ended");
    }
}

fn acceptor(tls: &Tls) -> Result<TlsAcceptor, ListenError> {
    crate::install_tls_provider();
    let unreadable = |path: &PathBuf| {
        let path = path.clone();
        move |source| ListenError::Pem { path, source }
    };
    let chain = CertificateDer::pem_file_iter(&tls.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(unreadable(&tls.certificate))?;
    let key = PrivateKeyDer::from_pem_file(&tls.key).map_err(unreadable(&tls.key))?;
    let mut config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(ListenError::Tls)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Shakes hands side by side, so that one slow client does not hold up the others.
async fn accept(
    socket: TcpListener,
    acceptor: TlsAcceptor,
    sender: mpsc::Sender<(TlsStream<TcpStream>, SocketAddr)>,
) {
    let mut handshakes = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = socket.accept() => match accepted {
                Ok((stream, peer)) => {
                    let _ = stream.set_nodelay(true);
                    let handshake = acceptor.accept(stream);
                    let sender = sender.clone();
                    handshakes.spawn(async move {
                        match tokio::time::timeout(Duration::from_secs(10), handshake).await {
                            Ok(Ok(stream)) => drop(sender.send((stream, peer)).await),
                            Ok(Err(error)) => tracing::debug!(%peer, %error, "no TLS"),
                            Err(_) => tracing::debug!(%peer, "a TLS handshake took too long"),
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            },
            Some(_) = handshakes.join_next() => {}
        }
    }
}

struct TlsListener {
    receiver: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
    address: SocketAddr,
}

impl axum::serve::Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.receiver.recv().await {
            Some(accepted) => accepted,
            // The acceptor ends only with the service, which stops this server too.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        Ok(self.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn plain_http_off_loopback_is_refused() {
        let config = Config {
            address: SocketAddr::from(([0, 0, 0, 0], 0)),
            tls: None,
        };
        let error = Listener::bind(&config)
            .await
            .err()
            .map(|error| error.to_string());
        assert_eq!(
            error.as_deref(),
            Some(
                "refusing plain HTTP on 0.0.0.0:0: configure `tls` with certificate and key, \
                 or listen on loopback"
            )
        );
    }
}
