//! Tests of moss-fetcher against a server that misbehaves as told.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod cases;
mod server;
