//! Reading queries and bodies, with errors in GitHub's shape.

use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use bytes::Bytes;
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::rest::failure::Failure;

/// The query.
pub(crate) struct Params<T>(pub(crate) T);

impl<S: Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Params<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Failure> {
        Self::read(&parts.uri)
    }
}

/// The body. An empty one is an empty object, as GitHub takes it.
pub(crate) struct Input<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Input<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(|_| Failure::Unreadable)?;
        let bytes: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        serde_json::from_slice(bytes).map(Self).map_err(|error| {
            if error.is_data() {
                Failure::invalid(format!("Invalid request.\n\n{error}"))
            } else {
                Failure::Unreadable
            }
        })
    }
}

impl<T: DeserializeOwned> Params<T> {
    /// Reads the query of a request that is told apart by hand.
    pub(crate) fn read(uri: &http::Uri) -> Result<Self, Failure> {
        Query::<T>::try_from_uri(uri)
            .map(|Query(params)| Self(params))
            .map_err(|rejection| Failure::invalid(format!("Invalid request.\n\n{rejection}")))
    }
}
