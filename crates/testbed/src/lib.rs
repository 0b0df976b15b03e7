//! What the tests of all crates stand on: a machine that has what they need, real input where it is
//! there, and the binaries as their users meet them. Nothing but tests may depend on it.

pub mod binary;
pub mod corpus;
pub mod machine;
pub mod skip;

pub use binary::Binary;

/// git without the settings of the machine and of whoever runs the tests.
pub use plain_git::command as git;
