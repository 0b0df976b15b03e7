//! Decisions without effects: what may become of an attempt.

pub mod lifecycle;
