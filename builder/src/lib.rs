//! avalanche, the build agent: it takes build orders, builds recipes in a sandbox, and serves what
//! came out of them.
//!
//! ```text
//! http ──► attempt (engine) ──► git, attempt::fetch, unpack ──► sandbox ──► package ──► assets
//!                │
//!                └──► moss-db: each attempt's state, before anyone sees it
//! ```
//!
//! A binary that contains it calls [`helper::run_if_requested`] first in `main`.

pub mod attempt;
pub mod config;
mod folder;
pub mod git;
pub mod helper;
pub mod host;
pub mod http;
pub mod log;
pub mod package;
pub mod report;
pub mod sandbox;
mod start;
pub mod unpack;

pub use config::Config;
pub use start::{Running, StartError, start};
