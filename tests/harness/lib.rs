//! What the suite stands on: a [`Stage`] with a forge and the services of the line, people who push
//! and talk with a real git client, ways to see what came of it, and ways to break it.
//!
//! The services are the real binaries, each in a process of its own behind a [`gateway::Gateway`].
//! A test is played with [`Stage::play`], which fails when anything is left undone or unread at its
//! end, and prints what was seen whenever it fails.

pub mod actor;
pub mod authority;
mod config;
pub mod figures;
pub mod gateway;
pub mod git;
pub mod hook;
pub mod mirror;
pub mod openapi;
pub mod process;
pub mod program;
pub mod recipe;
pub mod sender;
pub mod stage;

pub use git::{Checkout, File};
pub use recipe::Recipe;
pub use stage::{Builders, Https, REPOSITORY, Runs, STRANGER, Setup, Stage, WRITER};
