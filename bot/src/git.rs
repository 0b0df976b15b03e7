//! Bare mirrors of the repositories: fetching into them and reading from them. All functions here
//! block, so callers run them on a thread that may block.

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
