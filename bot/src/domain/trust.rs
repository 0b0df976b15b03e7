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
    None(Stranger),
}

/// The author of a pull request, and why nobody vouches for the code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stranger {
    /// The author's login, for people.
    pub author: String,
    /// Why the author does not count as a writer.
    #[serde(default)]
    pub doubt: Doubt,
}

/// Why the author of a pull request does not count as a writer of its head.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Doubt {
    /// An older version of summit did not store the reason.
    #[default]
    Unknown,
    /// The author has no write access.
    MayNotWrite,
    /// The head lies in a fork of somebody else, who can push to it at any time.
    ForkOf {
        /// The owner of the fork.
        owner: String,
    },
    /// The fork was deleted, so nobody knows whose it was.
    ForkGone,
    /// The author is an App without a role in summit's configuration.
    Bot,
    /// The author is an App, and the head lies in a fork.
    BotFork,
    /// The author's account was deleted.
    AuthorGone,
}

/// Where the head of a pull request lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin<'a> {
    /// In the repository itself. Only people with write access push there.
    Own,
    /// In a fork of the author.
    AuthorsFork,
    /// In a fork of somebody else.
    ForkOf(&'a str),
    /// In a fork that was deleted.
    Gone,
}

/// What is known of the author before anybody is asked for a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Author {
    /// A person.
    Person,
    /// An App, and whether the configuration lets it write.
    Bot {
        /// True when it may.
        may_write: bool,
    },
}

impl Doubt {
    /// Decides without asking for the author's role. `Ok` says that the role decides, or that the
    /// author counts as a writer.
    ///
    /// # Errors
    /// The reason why the author does not count as a writer, whatever the role is.
    pub fn before_role(author: Author, origin: Origin<'_>) -> Result<AsksForRole, Self> {
        match (author, origin) {
            (_, Origin::Gone) => Err(Self::ForkGone),
            (Author::Bot { .. }, Origin::AuthorsFork | Origin::ForkOf(_)) => Err(Self::BotFork),
            (Author::Bot { may_write: true }, Origin::Own) => Ok(AsksForRole::No),
            (Author::Bot { may_write: false }, Origin::Own) => Err(Self::Bot),
            (Author::Person, Origin::ForkOf(owner)) => Err(Self::ForkOf {
                owner: owner.to_owned(),
            }),
            (Author::Person, Origin::Own | Origin::AuthorsFork) => Ok(AsksForRole::Yes),
        }
    }
}

/// Whether the author's role decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AsksForRole {
    /// It does.
    Yes,
    /// The author counts as a writer without it.
    No,
}

impl Trust {
    /// Decides about the commit `head` of a pull request. `author` is its author, or the reason why
    /// it counts as no writer. `granted` is the approved commit, with the login of the person who
    /// approved it.
    pub fn of_pull(
        author: Result<(), Stranger>,
        head: CommitSha,
        granted: Option<(CommitSha, String)>,
    ) -> Self {
        match (author, granted) {
            (Ok(()), _) => Self::Writer,
            (Err(_), Some((commit, by))) if commit == head => Self::Granted { by },
            (Err(stranger), Some(_) | None) => Self::None(stranger),
        }
    }

    /// The author, when nobody vouches for the code, so that it must not run.
    pub fn find_stranger(&self) -> Option<&Stranger> {
        match self {
            Self::Writer | Self::Granted { .. } => None,
            Self::None(stranger) => Some(stranger),
        }
    }
}

impl Stranger {
    /// Why summit runs nothing of the pull request, as a sentence.
    pub fn explain(&self) -> String {
        let author = &self.author;
        match &self.doubt {
            Doubt::Unknown => format!(
                "{author} has no write access to the repository, or the pull request comes from \
                 somebody else's fork, so summit runs nothing of it."
            ),
            Doubt::MayNotWrite => format!(
                "{author} has no write access to the repository, so summit runs nothing of it."
            ),
            Doubt::ForkOf { owner } => format!(
                "The branch lies in a fork of {owner}, who can push to it at any time, and {author} \
                 opened the pull request, so summit runs nothing of it."
            ),
            Doubt::ForkGone => {
                "The fork of the branch was deleted, so summit cannot tell whose it \
                                was, and runs nothing of it."
                    .to_owned()
            }
            Doubt::Bot => format!(
                "{author} is an App, and summit's configuration gives it no role, so summit runs \
                 nothing of it."
            ),
            Doubt::BotFork => format!(
                "{author} is an App, and the branch lies in a fork, so summit runs nothing of it."
            ),
            Doubt::AuthorGone => "The author's account was deleted, so summit runs nothing of the \
                                  pull request."
                .to_owned(),
        }
    }

    /// The same in a few words, as a part of a sentence.
    pub fn describe(&self) -> String {
        let author = &self.author;
        match &self.doubt {
            Doubt::Unknown | Doubt::MayNotWrite => format!("{author} has no write access"),
            Doubt::ForkOf { owner } => format!("the branch lies in a fork of {owner}"),
            Doubt::ForkGone => "the fork of the branch was deleted".to_owned(),
            Doubt::Bot | Doubt::BotFork => format!("{author} is an App without a role here"),
            Doubt::AuthorGone => "the author's account was deleted".to_owned(),
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
        let stranger = || Stranger {
            author: "eve".to_owned(),
            doubt: Doubt::MayNotWrite,
        };
        let of = |author, granted| Trust::of_pull(author, head, granted);
        let granted = Trust::Granted {
            by: "ada".to_owned(),
        };
        let none = Trust::None(stranger());
        assert_eq!(of(Ok(()), None), Trust::Writer);
        assert_eq!(of(Ok(()), grant(older)), Trust::Writer);
        assert_eq!(of(Err(stranger()), grant(head)), granted);
        assert_eq!(of(Err(stranger()), grant(older)), none);
        assert_eq!(of(Err(stranger()), None), none);
        let strangers = [Trust::Writer, granted, none].map(|trust| {
            let stranger = trust.find_stranger();
            stranger.map(|stranger| stranger.author.clone())
        });
        assert_eq!(strangers, [None, None, Some("eve".to_owned())]);
    }

    #[test]
    fn a_fork_is_its_owners_and_a_bot_counts_on_branches_only() {
        let bot = |may_write| Author::Bot { may_write };
        let of = |author, origin| Doubt::before_role(author, origin);
        let person = Author::Person;
        assert_eq!(of(person, Origin::Own), Ok(AsksForRole::Yes));
        assert_eq!(of(person, Origin::AuthorsFork), Ok(AsksForRole::Yes));
        let owner = "mallory".to_owned();
        let foreign = Err(Doubt::ForkOf { owner });
        assert_eq!(of(person, Origin::ForkOf("mallory")), foreign);
        assert_eq!(of(person, Origin::Gone), Err(Doubt::ForkGone));
        assert_eq!(of(bot(true), Origin::Own), Ok(AsksForRole::No));
        assert_eq!(of(bot(false), Origin::Own), Err(Doubt::Bot));
        assert_eq!(of(bot(true), Origin::AuthorsFork), Err(Doubt::BotFork));
        assert_eq!(of(bot(true), Origin::ForkOf("eve")), Err(Doubt::BotFork));
    }

    #[test]
    fn an_older_row_has_no_reason() {
        let row = r#"{"trust":"none","author":"eve"}"#;
        let trust: Trust = serde_json::from_str(row).unwrap();
        let said = trust.find_stranger().unwrap().explain();
        assert!(said.contains("no write access"), "{said}");
    }
}
