//! What must be built before what, and what a package drags along.
//!
//! - [`Graph`] orders the recipes that are to be built now by what they need from each other,
//!   and names the cycles among them.
//! - [`Universe`] computes the run-time closure of some dependencies from the packages of a
//!   channel.
//!
//! Everything here is a pure function of its input, and the same input in another order gives
//! the same answer.

mod closure;
mod graph;
mod node;

pub use closure::{Closure, Missing, Universe};
pub use graph::{Edge, Graph, Step, Stuck};
pub use node::Node;
