//! The suite.

mod architecture;
mod forge;
mod publishing;
