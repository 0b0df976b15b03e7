//! Packages of a channel, installed into a folder as a moss client installs them.
//!
//! [`install`] reads an index, chooses the packages that are asked for and all that they depend on,
//! fetches their stones, and lays them into a new folder, the *root*:
//!
//! ```text
//! index ──► choose ──► fetch ──► lay ──► the root, renamed to its place when it is whole
//! ```
//!
//! It is as strict as a client, and refuses before it fetches anything: a package is not installed
//! when the index lists no provider of something that it depends on. Packages bring files below
//! `/usr` only; the links at the top of the root are ours (see [`LINKS`]).

mod channel;
mod error;
mod fetch;
mod install;
mod lay;

pub use channel::{Fault as IndexFault, read as read_index};
pub use error::Error;
pub use install::{Installed, Order, install};
pub use lay::{Conflict, LINKS};
