//! Is this token good for this request?

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use api::claims::{Claims, LEEWAY, MAX_LIFETIME, Scope, request_digest};
use api::id::ServiceName;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;

use super::replay::Used;
use super::{Caller, PublicKey};
use crate::Clock;

/// A service that may send requests, by its pinned public key.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// Its name in tokens.
    pub name: ServiceName,
    /// Its key.
    pub public_key: PublicKey,
    /// What it may do.
    pub scopes: Vec<Scope>,
}

/// Checks the tokens of requests to one service. Cheap to clone.
#[derive(Clone)]
pub struct Verifier(Arc<Inner>);

struct Inner {
    audience: ServiceName,
    peers: HashMap<ServiceName, (DecodingKey, Vec<Scope>)>,
    used: Used,
    clock: Clock,
}

/// Why a token is not good for a request. [`Refusal::WrongScope`] is answered 403, all
/// others 401.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is none.
    #[error("the request carries no token")]
    NoToken,
    /// It cannot be read, or is signed with another algorithm.
    #[error("the token cannot be read")]
    Unreadable,
    /// The sender's key is not pinned here.
    #[error("the token's sender is not known here")]
    UnknownSender,
    /// The signature is not the sender's.
    #[error("the token's signature is wrong")]
    BadSignature,
    /// It is for another service.
    #[error("the token is for another service")]
    WrongAudience,
    /// It has ended, has not begun, or lives too long.
    #[error("the token's time is over, not yet come, or too long")]
    WrongTime,
    /// It was made for another request.
    #[error("the token was made for another request")]
    WrongRequest,
    /// It was used before.
    #[error("the token was used before")]
    Replayed,
    /// It does not cover what is asked.
    #[error("the token or its sender does not have the scope of this endpoint")]
    WrongScope,
}

impl Verifier {
    /// A verifier for requests to `audience` from `peers`.
    pub fn new(audience: ServiceName, peers: impl IntoIterator<Item = Peer>) -> Self {
        let peers = peers
            .into_iter()
            .map(|peer| {
                let key = DecodingKey::from_ed_der(peer.public_key.as_bytes());
                (peer.name, (key, peer.scopes))
            })
            .collect();
        Self(Arc::new(Inner {
            audience,
            peers,
            used: Used::default(),
            clock: Clock::system(),
        }))
    }

    /// Checks all of `token` that needs no body: who signed it, for whom, when, and for `scope`.
    /// Whoever fails here has nothing read.
    ///
    /// # Errors
    /// Why the token is not good.
    pub fn authenticate(&self, token: &str, scope: Scope) -> Result<Bearer<'_>, Refusal> {
        let unproven = jsonwebtoken::dangerous::insecure_decode_claims::<Claims>(token)
            .map_err(|_| Refusal::Unreadable)?;
        let (key, scopes) = self
            .0
            .peers
            .get(&unproven.iss)
            .ok_or(Refusal::UnknownSender)?;
        let mut validation = Validation::new(Algorithm::EdDSA);
        // Times are checked below, by our clock and with our bounds.
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.set_required_spec_claims::<&str>(&[]);
        let claims = jsonwebtoken::decode::<Claims>(token, key, &validation)
            .map_err(|_| Refusal::BadSignature)?
            .claims;
        if claims.aud != self.0.audience {
            return Err(Refusal::WrongAudience);
        }
        let now = self.0.clock.now().as_second();
        let lifetime = claims.exp.checked_sub(claims.iat).unwrap_or(i64::MAX);
        let in_time = now <= claims.exp.saturating_add(LEEWAY)
            && claims.iat <= now.saturating_add(LEEWAY)
            && (0..=MAX_LIFETIME).contains(&lifetime);
        if !in_time {
            return Err(Refusal::WrongTime);
        }
        if claims.scope != scope || !scopes.contains(&scope) {
            return Err(Refusal::WrongScope);
        }
        Ok(Bearer {
            verifier: self,
            claims,
        })
    }
}

/// A token with a good signature, not yet spent on a request.
#[derive(Debug)]
pub struct Bearer<'a> {
    verifier: &'a Verifier,
    claims: Claims,
}

impl Bearer<'_> {
    /// Spends the token on the request with `method`, `path_and_query` and `body`.
    ///
    /// # Errors
    /// When it was made for another request, or was spent before.
    pub fn spend(self, method: &str, path_and_query: &str, body: &[u8]) -> Result<Caller, Refusal> {
        if self.claims.req != request_digest(method, path_and_query, body) {
            return Err(Refusal::WrongRequest);
        }
        let verifier = &self.verifier.0;
        let now = verifier.clock.now().as_second();
        let until = self.claims.exp.saturating_add(LEEWAY);
        if !verifier.used.note(self.claims.jti, until, now) {
            return Err(Refusal::Replayed);
        }
        Ok(Caller::new(self.claims.iss))
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Verifier({}, {} peers)",
            self.0.audience,
            self.0.peers.len()
        )
    }
}
