//! snekbook-dev: the whole line in one process, on loopback, with its own folders, databases and
//! generated keys. The same code, configured, runs on separate machines.
//!
//! [`Line`] starts the services; a [`Session`] pushes recipes to one and follows their builds.

pub mod archive;
pub mod cli;
pub mod data;
pub mod distfiles;
pub mod environment;
pub mod examples;
pub mod file;
pub mod git;
pub mod host_glibc;
pub mod installed;
pub mod line;
pub mod logs;
pub mod outcome;
pub mod people;
pub mod ports;
pub mod recipes;
pub mod screen;
pub mod session;
pub mod signals;

pub use cli::Cli;
pub use line::Line;
pub use session::Session;
