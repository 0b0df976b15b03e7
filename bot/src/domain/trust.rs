//! On whose word something of a stranger may be run.

use api::id::CommitSha;
use serde::{Deserialize, Serialize};

/// Who stands for what a plan brings.
///
/// What nobody stands for is read, so that the pull request can be told about it, and never run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "trust", rename_all = "kebab-case")]
pub enum Trust {
    /// Somebody with write access wrote it, as all that a branch holds.
    #[default]
    Writer,
    /// Somebody with write access has granted that this very commit is run.
    Granted {
        /// The login of who granted it, for people.
        by: String,
    },
    /// Neither.
    None {
        /// The author's login, for people.
        author: String,
    },
}

impl Trust {
    /// Decides about a pull request by `author`: whether that person may write in the repository, and
    /// which of its commits somebody else has granted, with the login of who did.
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

    /// The author, when nobody stands for what that person brings, so that nothing of it may be run.
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
