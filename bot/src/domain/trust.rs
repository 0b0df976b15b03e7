//! Whose approval allows summit to run the code of a pull request.

use api::id::CommitSha;
use serde::{Deserialize, Serialize};

/// Who vouches for the code of a plan.
///
/// When nobody vouches for it, summit reads the recipes to report on the pull request, but never
/// runs them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "trust", rename_all = "kebab-case")]
pub enum Trust {
    /// The author has write access. All commits of a branch count as such.
    Writer,
    /// Somebody with write access approved exactly this commit.
    Granted {
        /// The login of the person who approved it, for display.
        by: String,
    },
    /// Nobody with write access vouches for it.
    None {
        /// The author's login, for people.
        author: String,
    },
}

impl Trust {
    /// Decides about the commit `head` of a pull request by `author`. `may_write` says whether the
    /// author has write access. `granted` is the approved commit, with the login of the person who
    /// approved it.
    pub fn of_pull(
        author: &str,
        may_write: bool,
        head: CommitSha,
        granted: Option<(CommitSha, String)>,
    ) -> Self {
        match granted {
            _ if may_write => Self::Writer,
            Some((commit, by)) if commit == head => Self::Granted { by },
            Some(_) | None => Self::None {
                author: author.to_owned(),
            },
        }
    }

    /// The author, when nobody vouches for the code, so that it must not run.
    pub fn find_stranger(&self) -> Option<&str> {
        match self {
            Self::Writer | Self::Granted { .. } => None,
            Self::None { author } => Some(author),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_is_for_one_commit_and_writers_need_none() {
        let [head, older] = [1, 2].map(|byte| CommitSha::from_bytes([byte; 20]));
        let grant = |commit| Some((commit, "ada".to_owned()));
        let of = |may_write, granted| Trust::of_pull("eve", may_write, head, granted);
        let granted = Trust::Granted {
            by: "ada".to_owned(),
        };
        let none = Trust::None {
            author: "eve".to_owned(),
        };
        assert_eq!(of(true, None), Trust::Writer);
        assert_eq!(of(true, grant(older)), Trust::Writer);
        assert_eq!(of(false, grant(head)), granted);
        assert_eq!(of(false, grant(older)), none);
        assert_eq!(of(false, None), none);
        let strangers = [Trust::Writer, granted, none].map(|trust| {
            let stranger = trust.find_stranger();
            stranger.map(str::to_owned)
        });
        assert_eq!(strangers, [None, None, Some("eve".to_owned())]);
    }
}
