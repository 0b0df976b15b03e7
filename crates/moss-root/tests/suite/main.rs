//! Installing from indexes as a client finds them: from files, and over HTTP.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod installing;
mod refusing;
mod shelf;
