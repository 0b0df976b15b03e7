//! `stone` as people and scripts meet it: what it prints, and how it ends.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod damage;
mod extract;
mod index;
mod inspect;
mod install;
mod recipes;
mod talk;
mod tool;
