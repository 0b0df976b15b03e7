//! What summit, avalanche and vessel say to each other: ids, wire types, error codes and token
//! claims. No I/O, no HTTP framework; `docs/protocol.md` shows every message.

pub mod attempt;
pub mod claims;
pub mod host;
pub mod id;
pub mod import;
pub mod operator;
pub mod problem;
pub mod repository;
pub mod status;
pub mod transport;
