//! The suite.

mod forge;
