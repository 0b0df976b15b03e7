//! What moss-db promises of the disk: an answer comes after the sync, a killed process has lost
//! nothing that was answered, and a disk without room takes a change whole or not at all.
//!
//! These tests start this very executable anew, as a process of its own: to look at it from
//! outside, to kill it, and to give it a disk of its own.

mod full;
mod kill;
mod load;
mod memory;
mod sync;
mod trace;
