//! snekbook-dev: the whole line in one process, on loopback, with its own folders, databases and
//! generated keys. The same code, configured, runs on separate machines.

pub mod line;

pub use line::Line;
