//! summit's rules: states, events and decisions, as pure functions. No code here reads a clock, a
//! file, a database or the network.

pub mod build;
pub mod check_run;
pub mod choose;
pub mod claim;
pub mod command;
pub mod head;
pub mod hope;
pub mod missing;
pub mod name;
pub mod plan;
pub mod queue;
pub mod retention;
pub mod schedule;
pub mod silence;
pub mod suspect;
pub mod tail;
pub mod trust;
pub mod under_way;
