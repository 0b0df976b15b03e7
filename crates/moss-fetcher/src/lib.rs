//! Downloads that are what they should be, or not there at all.
//!
//! A [`Request`] names a file by its SHA-256 and says where it may be had, mirrors first. The
//! bytes go to `<target>.part`; only when the digest of all of them is right is the file synced
//! and renamed to its target. Nobody ever sees a file that was not verified.
//!
//! A part that is left by a broken connection, a dropped future or a killed process is taken up
//! again, with an HTTP range where the server knows them. A part whose bytes turn out wrong is
//! thrown away, and the next URL is tried from the start.
//!
//! Two fetches of one target, in one process or in several, do not meet: the part is locked,
//! the second waits and then finds the file there.
//!
//! Where strangers write the URLs, [`Reach::Public`] keeps them to the public network: its resolver
//! gives no other addresses, and redirects are followed one by one under the same rule.
//!
//! Dropping the future of a fetch cancels it.

mod error;
mod fetcher;
mod http;
mod options;
mod pace;
mod part;
mod places;
mod reach;
mod request;

pub use error::{Cause, Error, Failure, RedirectFault};
pub use fetcher::Fetcher;
pub use options::{FileUrls, Options};
pub use reach::{Exceptions, NotPublic, Reach};
pub use request::{Fetched, Origin, Progress, Request, Size};

pub use api::id::Sha256;
