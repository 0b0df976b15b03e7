//! The listener: plain HTTP on loopback, TLS everywhere else.

mod connection;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

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
        let server = connection::take(
            self.socket,
            self.tls,
            router,
            supervisor.token().clone(),
            connection::Bounds::default(),
        );
        supervisor.spawn(name, server);
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
