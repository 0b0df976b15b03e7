//! avalanche, the build agent: it takes build orders, builds recipes in a sandbox, and serves what
//! came out of them.
//!
//! ```text
//! http ──► usecase (engine) ──► git, usecase::fetch, unpack ──► sandbox ──► package ──► assets
//!             │        │
//!             │        └──► domain: what may become of an attempt
//!             └──► db: each attempt's state, before anyone sees it
//! ```
//!
//! A binary that contains it calls [`helper::run_if_requested`] first in `main`.

pub mod config;
pub mod db;
pub mod domain;
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
pub mod usecase;

pub use config::Config;
pub use start::{Elsewhere, Running, StartError, start};
