//! Tests of moss-format on what the corpus has, and on texts made for it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod corpus;
mod recipes;
