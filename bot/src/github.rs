//! The parts of GitHub's API that summit uses. The types hold only the fields that summit reads.
//! The suite checks every request and answer against GitHub's OpenAPI description.

mod app;
mod call;
mod check_run;
mod comment;
mod delivery;
#[cfg(test)]
pub(crate) mod double;
mod etag_cache;
mod pace;
pub mod payload;
mod permission;
mod repository;
mod session;
mod token;

pub use app::{App, OpenError};
pub use call::Error;
pub use check_run::{HEAD_ID, Place, Sent};
pub use delivery::FailedDelivery;
pub use pace::{Class, Turn};
pub use permission::{Authorised, Person, Role};
pub use repository::{Account, Mark, Pull, RepositoryInfo};
