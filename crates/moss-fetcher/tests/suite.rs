//! Tests of moss-fetcher against a server that misbehaves as told.

#[cfg(test)]
#[path = "suite/cases.rs"]
mod cases;
#[cfg(test)]
#[path = "suite/server.rs"]
mod server;
