//! What the tests of all crates stand on: a machine that has what they need, real input where it is
//! there, the binaries as their users meet them, channels as clients read them, and benchmarks
//! against a floor. Nothing but tests may depend on it.

pub mod binary;
pub mod corpus;
pub mod disk;
#[cfg(feature = "published")]
pub mod http;
pub mod json;
pub mod machine;
pub mod program;
#[cfg(feature = "published")]
pub mod published;
pub mod ratio;
pub mod skip;

pub use binary::Binary;
pub use ratio::Ratio;

/// git without the settings of the machine and of whoever runs the tests.
pub use plain_git::command as git;
