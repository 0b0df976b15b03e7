//! Tests of testbed through the test runner.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod runner;
