//! summit as an administrator meets it.

mod cli;
