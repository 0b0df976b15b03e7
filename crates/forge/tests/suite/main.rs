//! The forge from outside: a real git client, a receiver of webhooks, and REST as an App speaks
//! it. The key pair beside this file signs the test App's JWTs and nothing else.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop where it is"
)]

mod bench;
mod bots;
mod browser;
mod checks;
mod cli;
mod cloning;
mod comments;
mod deliveries;
mod faults;
mod forms;
mod installations;
mod kept;
mod merging;
mod pages;
mod pulls;
mod queue;
mod references;
mod repositories;
mod rest_people;
mod reviews;
mod settings;
mod teams;
mod tokens;
