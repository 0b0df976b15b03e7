//! summit: the GitHub App that turns recipe commits into builds. It shows builds as check runs,
//! runs commands from comments, and has vessel publish the stones.
//!
//! `http` and `github` talk to the outside, `usecase` runs the steps, `domain` decides, `db` and
//! `git` store.

mod aside;
pub mod config;
pub mod db;
pub mod domain;
pub mod git;
pub mod github;
pub mod http;
pub mod operate;
mod start;
pub mod usecase;

pub use aside::{AsideError, set_aside};
pub use config::Config;
pub use start::{Running, StartError, start};
