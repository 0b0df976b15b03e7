//! summit's database. Tables take transactions; use cases open and commit them.

mod build;
mod command;
mod default_branch;
mod head;
mod key;
mod list;
mod look;
mod migration;
mod row;
mod tables;
mod wish;
mod write;
mod writes;

pub use build::{ChangeError, Unreadable};
pub use command::{
    Button, Command, CommandKey, CommentKind, CommentPlace, Press, Progress, command_key,
};
pub use head::Settled;
pub use key::{RecipePlace, claim_key, look_key};
pub use list::{Filter, Page};
pub use look::{Look, LookFailure, Merge, Reported};
pub use tables::{Delivery, Repository, Tables};
pub use write::{Write, Written};

#[cfg(test)]
pub(crate) mod tests;
