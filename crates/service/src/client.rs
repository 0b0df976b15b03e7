//! Signed requests to another service.

use std::time::Duration;

use api::claims::Scope;
use api::id::ServiceName;
use api::problem::Problem;
use bytes::Bytes;
use reqwest::{Method, Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

use crate::auth::ServiceKey;

/// The longest wait for an answer: a long poll takes 25 seconds.
const TIMEOUT: Duration = Duration::from_secs(40);

/// The largest answer that is read into memory, in bytes. Services trust each other to speak, not to
/// stop.
const MAX_ANSWER: usize = 16 << 20;

/// A request that did not bring what was asked.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The service could not be reached, or the answer broke off: ask again.
    #[error("cannot reach {service} at {url}")]
    Transport {
        /// Which service.
        service: ServiceName,
        /// Where.
        url: Url,
        /// Why.
        source: reqwest::Error,
    },
    /// The service says why not.
    #[error("{service} answered {status}: {problem}")]
    Refused {
        /// Which service.
        service: ServiceName,
        /// The HTTP status.
        status: StatusCode,
        /// What it said.
        problem: Problem,
    },
    /// The answer is none of the protocol's.
    #[error("{service} answered {status} with something else than was asked for")]
    Unexpected {
        /// Which service.
        service: ServiceName,
        /// The HTTP status.
        status: StatusCode,
    },
    /// The answer is larger than any of the protocol's.
    #[error("{service} answered with more than {} MiB", MAX_ANSWER >> 20)]
    TooLarge {
        /// Which service.
        service: ServiceName,
    },
    /// The request could not be made.
    #[error("cannot make the request to {service}: {message}")]
    Unmakeable {
        /// Which service.
        service: ServiceName,
        /// Why.
        message: String,
    },
}

impl CallError {
    /// The HTTP status of the answer, if there was one.
    pub fn find_status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } | Self::Unexpected { status, .. } => Some(status.as_u16()),
            Self::Transport { .. } | Self::TooLarge { .. } | Self::Unmakeable { .. } => None,
        }
    }
}

/// Another service, and the key with which we speak to it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    key: ServiceKey,
    service: ServiceName,
    base: Url,
}

impl Client {
    /// Speaks to `service`, whose API is below `base`, such as `http://127.0.0.1:8100/`.
    pub fn new(key: ServiceKey, service: ServiceName, base: Url) -> Self {
        crate::install_tls_provider();
        Self {
            http: http_client(),
            key,
            service,
            base,
        }
    }

    /// The service that this client speaks to.
    pub fn service(&self) -> &ServiceName {
        &self.service
    }

    /// Where the service is.
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// `GET path` and reads the answer as JSON.
    ///
    /// # Errors
    /// When the service is out of reach, refuses, or answers something else.
    pub async fn get<T: DeserializeOwned>(&self, scope: Scope, path: &str) -> Result<T, CallError> {
        self.json(Method::GET, scope, path, Bytes::new()).await
    }

    /// `PUT path` with `body` and reads the answer as JSON.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn put<T: DeserializeOwned>(
        &self,
        scope: Scope,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, CallError> {
        let body = self.encode(body)?;
        self.json(Method::PUT, scope, path, body).await
    }

    /// `POST path` with `body` and reads the answer as JSON.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn post<T: DeserializeOwned>(
        &self,
        scope: Scope,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, CallError> {
        let body = self.encode(body)?;
        self.json(Method::POST, scope, path, body).await
    }

    /// `DELETE path` and reads the answer as JSON.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn delete<T: DeserializeOwned>(
        &self,
        scope: Scope,
        path: &str,
    ) -> Result<T, CallError> {
        self.json(Method::DELETE, scope, path, Bytes::new()).await
    }

    /// Sends a request and returns the successful answer, unread.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn send(
        &self,
        method: Method,
        scope: Scope,
        path: &str,
        body: Bytes,
    ) -> Result<Response, CallError> {
        let url = self
            .base
            .join(path.trim_start_matches('/'))
            .map_err(|e| self.unmakeable(&e))?;
        let path_and_query = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        let token = self
            .key
            .sign(
                &self.service,
                scope,
                method.as_str(),
                &path_and_query,
                &body,
            )
            .map_err(|error| self.unmakeable(&error))?;
        let mut request = self.http.request(method, url.clone()).bearer_auth(token);
        if !body.is_empty() {
            request = request
                .header(reqwest::header::CONTENT_TYPE, "application/json")
                .body(body);
        }
        let answer = request
            .send()
            .await
            .map_err(|source| self.transport(&url, source))?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let status = answer.status();
        let body = self.read(answer).await?;
        Err(match serde_json::from_slice::<Problem>(&body) {
            Ok(problem) => CallError::Refused {
                service: self.service.clone(),
                status,
                problem,
            },
            Err(_) => CallError::Unexpected {
                service: self.service.clone(),
                status,
            },
        })
    }

    async fn json<T: DeserializeOwned>(
        &self,
        method: Method,
        scope: Scope,
        path: &str,
        body: Bytes,
    ) -> Result<T, CallError> {
        let answer = self.send(method, scope, path, body).await?;
        let status = answer.status();
        let body = self.read(answer).await?;
        serde_json::from_slice(&body).map_err(|_| CallError::Unexpected {
            service: self.service.clone(),
            status,
        })
    }

    /// The whole body of an answer.
    async fn read(&self, mut answer: Response) -> Result<Vec<u8>, CallError> {
        let url = answer.url().clone();
        let mut body = Vec::new();
        loop {
            let part = answer.chunk().await;
            let Some(part) = part.map_err(|source| self.transport(&url, source))? else {
                return Ok(body);
            };
            if body.len() + part.len() > MAX_ANSWER {
                return Err(CallError::TooLarge {
                    service: self.service.clone(),
                });
            }
            body.extend_from_slice(&part);
        }
    }

    fn encode(&self, body: &impl Serialize) -> Result<Bytes, CallError> {
        serde_json::to_vec(body)
            .map(Bytes::from)
            .map_err(|error| self.unmakeable(&error))
    }

    fn transport(&self, url: &Url, source: reqwest::Error) -> CallError {
        CallError::Transport {
            service: self.service.clone(),
            url: url.clone(),
            source,
        }
    }

    fn unmakeable(&self, error: &dyn std::fmt::Display) -> CallError {
        CallError::Unmakeable {
            service: self.service.clone(),
            message: error.to_string(),
        }
    }
}

/// The HTTP client under [`Client`]: no proxies, no redirects, one timeout.
fn http_client() -> reqwest::Client {
    reqwest::Client::builder()
        .user_agent(concat!("snekbook/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(Duration::from_secs(10))
        .timeout(TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .expect("the TLS provider is installed and the settings are constant")
}
