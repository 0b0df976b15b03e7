//! What the line needs of the machine that it runs on, beyond itself, and how to get it. Looked at
//! before anything starts: by `snekbook-dev`, and by the tests.

mod ask;
mod namespaces;
mod need;
mod programs;
mod temporary;

pub use need::{Missing, Remedy, Unmet};

/// Looks for all that is needed. Runs two small programs, and blocks for as long.
///
/// # Errors
/// Names all that is missing, and what to do about it.
pub fn check() -> Result<(), Unmet> {
    let mut missing = programs::of_builds_here();
    // Programs are asked by way of temporary files. Where there can be none, no answer would be a
    // program's.
    match temporary::missing(&std::env::temp_dir()) {
        Some(folder) => missing.push(folder),
        None => {
            missing.extend(programs::git("git"));
            missing.extend(namespaces::missing());
        }
    }
    if missing.is_empty() {
        Ok(())
    } else {
        Err(Unmet(missing))
    }
}
