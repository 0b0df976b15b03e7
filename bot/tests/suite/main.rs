//! summit as an administrator meets it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cli;
