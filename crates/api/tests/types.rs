//! The rules of ids, digests and names, the digest that binds a token to its request, and secrets.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "types/claims.rs"]
mod claims;
#[path = "types/ids.rs"]
mod ids;
#[path = "types/names.rs"]
mod names;
#[path = "types/orders.rs"]
mod orders;
#[path = "types/states.rs"]
mod states;
