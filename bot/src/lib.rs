//! summit: the GitHub App that turns recipe commits into builds, shows them as check runs, takes
//! comment commands, and has what was built published.
//!
//! `http` and `github` speak to the outside, `usecase` does, `domain` decides, `db` and `git`
//! remember.

pub mod config;
pub mod db;
pub mod domain;
pub mod git;
pub mod github;
pub mod http;
mod start;
pub mod usecase;

pub use config::Config;
pub use start::{Running, StartError, start};
