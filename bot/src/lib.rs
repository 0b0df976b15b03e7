//! summit: the GitHub App that turns recipe commits into builds, shows them as check runs, takes
//! comment commands, and has what was built published.

pub mod config;
pub mod db;
pub mod domain;
pub mod git;
pub mod github;

pub use config::Config;
