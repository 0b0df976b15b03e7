//! Attempts: from an order to assets.
//!
//! An order is written to the database before it is answered. Then the attempt waits for a slot,
//! runs through the phases of [`api::attempt::Phase`] in a workspace of its own, and ends in one of
//! the final states; every change of state is written before it can be seen. A restart finds what
//! was not final and ends it as interrupted: summit gives a new order, with fresh credentials,
//! which are never written anywhere.
//!
//! While an attempt waits or runs, two clocks watch it: its lease, renewed whenever somebody reads
//! it, and the wall time of its limits.

mod budget;
mod disk;
mod engine;
mod failure;
mod fetch;
mod live;
mod prepare;
mod probe;
mod queue;
mod run;
mod scripts;
mod space;
mod tools;
mod workspace;

pub use engine::{AcceptError, Engine, LogSource, Parts, RecoverError, ReleaseError};
pub use fetch::{Cache, Fetchers};
pub use space::Floor;
