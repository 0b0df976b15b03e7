//! Pages for people. maud escapes every inserted value.

pub(super) mod build;
pub(super) mod overview;
mod parts;
