//! What a request between services proves about itself.
//!
//! Every request carries `Authorization: Bearer <JWT>`, signed with the sender's Ed25519 key
//! (EdDSA). The receiver knows the sender by a pinned public key.

use serde::{Deserialize, Serialize};

use crate::id::{ServiceName, Sha256};

/// The longest life of a token that a receiver accepts, in seconds.
pub const MAX_LIFETIME: i64 = 60;

/// How far the clocks of two services may be apart, in seconds.
pub const LEEWAY: i64 = 30;

/// The claims of a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who sends.
    pub iss: ServiceName,
    /// Who is meant.
    pub aud: ServiceName,
    /// What the sender wants to do.
    pub scope: Scope,
    /// When the token was made, in Unix seconds.
    pub iat: i64,
    /// When it ends, in Unix seconds; at most [`MAX_LIFETIME`] after `iat`.
    pub exp: i64,
    /// Used once: remembered by the receiver until `exp`.
    pub jti: String,
    /// The digest of the request that the token was made for: see [`request_digest`].
    pub req: Sha256,
}

/// What a request asks for. An endpoint names the one that it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Order, read, cancel and release attempts of a builder.
    Attempts,
    /// Ask a builder what it can do and what its host supplies; ask vessel how it stands.
    Status,
    /// Tell summit that an attempt has moved on.
    Reports,
    /// Do what an operator of summit does.
    Operate,
    /// Import assets into a channel.
    Imports,
    /// Read and move channels, streams and tags.
    Channels,
}

/// The digest over method, path with query, and body that binds a token to one request.
pub fn request_digest(method: &str, path_and_query: &str, body: &[u8]) -> Sha256 {
    let mut text = Vec::with_capacity(method.len() + path_and_query.len() + 66);
    text.extend_from_slice(method.as_bytes());
    text.push(b'\n');
    text.extend_from_slice(path_and_query.as_bytes());
    text.push(b'\n');
    text.extend_from_slice(Sha256::of(body).to_string().as_bytes());
    Sha256::of(&text)
}
