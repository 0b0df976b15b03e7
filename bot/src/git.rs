//! Bare mirrors of the repositories, and what is read from them. All of it blocks: callers use a
//! thread where that is allowed.

mod bounds;
mod entry;
mod merge;
mod mirror;
mod odd;
mod recipe;
mod repack;
mod tree;

pub use bounds::{Bounds, Stop, StopOnDrop, TooLarge};
pub use entry::Unfit;
pub use merge::Conflicts;
pub use mirror::{Error, FETCH_TIMEOUT, Mirror, Mirrors};
pub use odd::Oddity;
pub use recipe::{ManifestId, RecipeFiles};
pub use tree::{Changes, RecipeTree};

#[cfg(test)]
mod tests;
