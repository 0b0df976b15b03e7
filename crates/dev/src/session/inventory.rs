//! What a line finds in the data folder of an earlier one.

use std::fmt;

use summit::domain::build::State;

use super::{Error, Session};
use crate::git;
use crate::line::REPOSITORY;
use crate::screen::has_ended;

/// What is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Inventory {
    recipes: usize,
    packages: usize,
    pulls: usize,
    moving: usize,
    held: usize,
}

impl fmt::Display for Inventory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}, {} published, {} open, {} under way",
            counted(self.recipes, "recipe"),
            counted(self.packages, "package"),
            counted(self.pulls, "pull request"),
            counted(self.moving, "build"),
        )?;
        match self.held {
            0 => Ok(()),
            held => write!(f, ", {held} held"),
        }
    }
}

fn counted(count: usize, what: &str) -> String {
    match count {
        0 => format!("no {what}s"),
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}

impl Inventory {
    /// What comes next.
    pub(super) fn next(&self) -> &'static str {
        if self.moving > 0 {
            "What was under way goes on."
        } else {
            "Nothing is left to do: push a new release, or open a pull request."
        }
    }
}

impl Session {
    /// Looks through everything that is kept.
    pub(super) async fn inventory(&self) -> Result<Inventory, Error> {
        let forge = &self.line.forge;
        let folder = forge.repository_path(REPOSITORY)?;
        let recipes = git::recipes(&folder, &self.commit).await?;
        let pulls = (1..)
            .map_while(|number| forge.find_pull(REPOSITORY, number))
            .filter(forge::PullRequest::is_open)
            .count();
        let builds = self.builds().await?;
        Ok(Inventory {
            recipes,
            packages: self.packages().await?.len(),
            pulls,
            moving: builds.iter().filter(|build| !has_ended(build)).count(),
            held: builds
                .iter()
                .filter(|build| matches!(build.state, State::Held { .. }))
                .count(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_in_a_line_with_what_comes_next() {
        let mut found = Inventory {
            recipes: 2,
            packages: 5,
            pulls: 1,
            moving: 0,
            held: 0,
        };
        assert_eq!(
            found.to_string(),
            "2 recipes, 5 packages published, 1 pull request open, no builds under way"
        );
        assert!(found.next().starts_with("Nothing is left to do"));
        (found.moving, found.held) = (1, 2);
        assert!(found.to_string().ends_with("1 build under way, 2 held"));
        assert_eq!(found.next(), "What was under way goes on.");
    }
}
