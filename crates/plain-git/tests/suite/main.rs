//! git and libgit2 as a user's machine has them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod hostile;
