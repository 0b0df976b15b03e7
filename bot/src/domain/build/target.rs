//! The scope and the target of a build.

use api::id::RecipeFolder;
use serde::{Deserialize, Serialize};

/// Whether a build is of one recipe or stands for a whole head.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "scope", rename_all = "kebab-case")]
pub enum Scope {
    /// A build of one recipe.
    #[default]
    Recipe,
    /// A placeholder for a whole head that is not planned, because the author may not write or too
    /// much changed. It is never built.
    All {
        /// How many recipes the head changes; 0 when summit did not count them.
        count: usize,
        /// The folders of some of them.
        named: Vec<RecipeFolder>,
    },
}

/// What a build or a look is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "target", rename_all = "kebab-case")]
pub enum Target {
    /// A branch.
    ///
    /// The target of a build is always the default branch, whose builds are published. The target
    /// of a look can be another branch: pull requests go to it, and the look only checks whether
    /// they still merge. It plans nothing.
    Branch {
        /// Its name, without `refs/heads/`.
        name: String,
    },
    /// A pull request: built, not published.
    Pull {
        /// Its number.
        number: u64,
    },
    /// A group of a merge queue: built, not published. The branch that it merges into gets the same
    /// commit once its check runs allow it.
    Group {
        /// The name of its temporary branch, without `refs/heads/`.
        name: String,
    },
}

/// Where GitHub's merge queues keep their temporary branches.
const QUEUE: &str = "gh-readonly-queue/";

impl Target {
    /// The target that a branch is. The temporary branch of a merge queue is a group.
    pub fn of_branch(name: &str) -> Self {
        let name = name.to_owned();
        match name.starts_with(QUEUE) {
            true => Self::Group { name },
            false => Self::Branch { name },
        }
    }

    /// The target whose [`Self::git_ref`] this is.
    pub fn of_ref(git_ref: &str) -> Option<Self> {
        if let Some(name) = git_ref.strip_prefix("refs/heads/") {
            return Some(Self::of_branch(name));
        }
        let number = git_ref.strip_prefix("refs/pull/")?.strip_suffix("/head")?;
        let number = number.parse().ok()?;
        Some(Self::Pull { number })
    }

    /// The branch that the group with this temporary branch merges into. GitHub calls that
    /// `gh-readonly-queue/BASE/pr-NUMBER-COMMIT`.
    pub fn base_of_group(name: &str) -> Option<&str> {
        let (base, _) = name.strip_prefix(QUEUE)?.rsplit_once('/')?;
        Some(base)
    }

    /// The ref under which the head is found.
    pub fn git_ref(&self) -> String {
        match self {
            Self::Branch { name } | Self::Group { name } => format!("refs/heads/{name}"),
            Self::Pull { number } => format!("refs/pull/{number}/head"),
        }
    }

    /// True when builds for this target are published in the channel.
    ///
    /// The answer holds for the target of a build or a plan: a branch there is the default branch.
    /// For the target of a look, compare the branch with the repository's default branch.
    pub fn is_published(&self) -> bool {
        match self {
            Self::Branch { .. } => true,
            Self::Pull { .. } | Self::Group { .. } => false,
        }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Branch { name } | Self::Group { name } => f.write_str(name),
            Self::Pull { number } => write!(f, "#{number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ref_names_its_target() {
        let group = "gh-readonly-queue/release/2/pr-5-c0ffee";
        assert_eq!(Target::base_of_group(group), Some("release/2"));
        assert_eq!(Target::base_of_group("main"), None);
        let targets = [
            Target::of_branch("main"),
            Target::of_branch(group),
            Target::Pull { number: 7 },
        ];
        for target in targets {
            assert_eq!(Target::of_ref(&target.git_ref()), Some(target));
        }
        assert!(matches!(Target::of_branch(group), Target::Group { .. }));
        for odd in ["refs/tags/v1", "refs/pull/x/head", "refs/pull/7/merge"] {
            assert_eq!(Target::of_ref(odd), None, "{odd}");
        }
    }
}
