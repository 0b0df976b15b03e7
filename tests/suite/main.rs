//! The suite.

mod architecture;
mod forge;
