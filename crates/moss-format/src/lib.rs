//! The file formats of a moss distribution: packages (`.stone`), build
//! manifests, repository indexes, and the recipes (`stone.yaml`) they are
//! built from.
//!
//! Everything here is plain data in, plain data out: no async, no network, no
//! clock. Only [`unpack`], [`package::Folder`] and [`package::survey()`], which
//! reads many packages on several threads, touch the file system.
//!
//! # The layers of the binary formats
//!
//! - [`stone`]: the container. A file is a header and a row of [`payload`]s;
//!   [`stone::View`] reads one over bytes, [`stone::Reader`] over `Read + Seek`,
//!   [`stone::Writer`] writes one. Payloads of unknown kind or compression pass
//!   through unchanged.
//! - [`meta`], [`layout`], [`content`] and [`attributes`]: what the payloads
//!   hold.
//! - [`package`], [`manifest`] and [`index`]: the three kinds of file.
//!
//! # Hostile input
//!
//! Every length in a file is a claim. Nothing is allocated by a claim alone,
//! decompression stops at [`Limits`], and each malformed file is answered with
//! a typed error that names the offset of the fault.

#![deny(clippy::indexing_slicing, clippy::expect_used, clippy::panic)]
#![cfg_attr(
    test,
    allow(
        clippy::indexing_slicing,
        clippy::expect_used,
        clippy::panic,
        clippy::unwrap_used,
        reason = "a test that cannot go on has failed"
    )
)]

pub mod attributes;
mod below;
mod bytes;
pub mod content;
pub mod dependency;
pub mod digest;
pub mod glob;
pub mod index;
pub mod layout;
mod limits;
pub mod manifest;
pub mod meta;
pub mod package;
pub mod payload;
pub mod recipe;
pub mod script;
pub mod stone;
#[cfg(test)]
mod testing;
pub mod unpack;

pub use bytes::Short;
pub use dependency::{Dependency, Provider};
pub use digest::Digest;
pub use index::Index;
pub use limits::Limits;
pub use manifest::Manifest;
pub use meta::Meta;
