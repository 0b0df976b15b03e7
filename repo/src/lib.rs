//! vessel, the repository manager: it takes the stones of successful builds into channels and
//! serves these to moss clients.
//!
//! Told by an import order, it fetches the stones, verifies them, gives them their places in the
//! pool, writes an immutable history with an index over the whole channel, and lets clients see it.
//! All of an import becomes one history, or nothing does; imports into one channel go one after the
//! other. `docs/ARCHITECTURE.md` has the picture.
//!
//! - `domain`: what is decided, as pure functions;
//! - `db`: what is remembered, in LMDB;
//! - `tree`: the files, for clients and on the way;
//! - `usecase`: what is done, with the commit points of an import;
//! - `http`: the control API, the public files, and a page for people.

pub mod config;
mod db;
mod domain;
mod http;
mod start;
mod tree;
mod usecase;

pub use config::{Channel, Config, Contradiction};
pub use start::{Running, StartError, start};
