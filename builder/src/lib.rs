//! avalanche, the build agent: it takes build orders, builds recipes in a sandbox, and serves what
//! came out of them.

pub mod helper;
pub mod log;
pub mod package;
pub mod sandbox;
