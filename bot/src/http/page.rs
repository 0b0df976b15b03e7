//! Pages for people. maud escapes everything that is put into them.

pub(super) mod build;
pub(super) mod overview;
mod parts;
