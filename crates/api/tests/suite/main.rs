//! The rules of ids, digests and names, the digest that binds a token to its request, secrets, and
//! the protocol as its document has it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod claims;
mod ids;
mod names;
mod orders;
mod protocol;
mod states;
