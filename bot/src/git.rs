//! Bare mirrors of the repositories, and what is read from them. All of it blocks: callers use a
//! thread where that is allowed.

mod merge;
mod mirror;
mod tree;

pub use merge::Conflicts;
pub use mirror::{Error, FETCH_TIMEOUT, Mirror, Mirrors};
pub use tree::{Changes, RecipeFiles, RecipeTree, TooLarge};

#[cfg(test)]
mod tests;
