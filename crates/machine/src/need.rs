//! What is missing, in words.

use std::collections::BTreeSet;
use std::fmt;

/// Something that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// What it is.
    pub what: String,
    /// What to do about it.
    pub remedy: Remedy,
}

/// What to do about something that is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remedy {
    /// Install this package, as Debian calls it.
    Install(&'static str),
    /// Change a setting of the machine: what to change, in one sentence.
    Change(String),
}

/// The machine lacks something.
#[derive(Debug, Clone, thiserror::Error)]
pub struct Unmet(pub Vec<Missing>);

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this machine lacks what the line needs:")?;
        let mut packages = BTreeSet::new();
        for Missing { what, remedy } in &self.0 {
            write!(f, "\n  - {what}")?;
            match remedy {
                Remedy::Install(package) => {
                    packages.insert(*package);
                }
                Remedy::Change(change) => write!(f, ": {change}")?,
            }
        }
        if packages.is_empty() {
            return Ok(());
        }
        let packages: Vec<&str> = packages.into_iter().collect();
        write!(
            f,
            "\nto install, as Debian calls it: apt-get install {}",
            packages.join(" ")
        )
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::programs;

    #[test]
    fn an_empty_machine_lacks_everything_and_is_told_what() {
        let nowhere = Path::new("/nowhere");
        let mut missing = programs::of_builds(&[PathBuf::from(nowhere)], nowhere);
        missing.extend(programs::git("/nowhere/git"));
        missing.push(Missing {
            what: "user namespaces".to_owned(),
            remedy: Remedy::Change("set something".to_owned()),
        });
        insta::assert_snapshot!(Unmet(missing));
    }
}
