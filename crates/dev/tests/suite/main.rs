//! snekbook-dev as its users meet it: the binary, run on recipes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod corpus;
mod host_glibc;
mod installed;
mod interrupt;
mod kept;
mod manifests;
mod once;
mod program;
mod refusals;
mod samples;
mod unmet;
