//! What moss-db promises of the disk: an answer comes after the sync, a killed process has lost
//! nothing that was answered, and a disk without room takes a change whole or not at all.
//!
//! These tests start this very executable anew, as a process of its own: to look at it from
//! outside, to kill it, and to give it a disk of its own.

#[cfg(test)]
#[path = "durability/child.rs"]
mod child;
#[cfg(test)]
#[path = "durability/full.rs"]
mod full;
#[cfg(test)]
#[path = "durability/kill.rs"]
mod kill;
#[cfg(test)]
#[path = "durability/load.rs"]
mod load;
#[cfg(test)]
#[path = "durability/memory.rs"]
mod memory;
#[cfg(test)]
#[path = "durability/sync.rs"]
mod sync;
#[cfg(test)]
#[path = "durability/trace.rs"]
mod trace;
