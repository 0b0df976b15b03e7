//! Signed requests between services: keys, tokens, and the layer that refuses all others.

mod key;
mod layer;
mod replay;
mod verify;

pub use key::{KeyError, PublicKey, ServiceKey};
pub use layer::{Caller, Guard};
pub use verify::{Bearer, Peer, Refusal, Verifier};
