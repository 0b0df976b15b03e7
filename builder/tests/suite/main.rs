//! avalanche from outside, on this machine: its command line, attempts, packages and the sandbox.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod attempt;
mod cli;
mod packaging;
mod sandbox;
