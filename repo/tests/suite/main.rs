//! vessel from outside: orders by its API, packages from a builder, files as clients fetch them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod channels;
mod cli;
mod corpus;
mod faults;
mod files;
mod imports;
mod leaving;
mod refusals;
mod restart;
mod stage;
mod status;
mod stones;
