//! Tests of moss-deps on a real distribution.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod corpus;
