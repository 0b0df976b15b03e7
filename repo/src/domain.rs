//! What vessel decides, as pure functions of what it knows: no I/O, no clock, no database.
//!
//! - [`import`]: the states of an import and what moves it from one to the next;
//! - [`arrival`]: which packages a channel takes;
//! - [`change`]: what an import does to the packages of a channel, and which leave it;
//! - [`pool`]: where a package lies, and how an index names that place;
//! - [`history`] and [`root`]: the immutable states of a channel, and the file that lists them;
//! - [`pointer`]: which streams and tags may be moved, and where to;
//! - [`order`]: which orders can be taken at all.

pub(crate) mod arrival;
pub(crate) mod change;
pub(crate) mod history;
pub(crate) mod import;
pub(crate) mod order;
pub(crate) mod package;
pub(crate) mod pointer;
pub(crate) mod pool;
pub(crate) mod root;
