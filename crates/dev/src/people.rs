//! The people of the line: what each may do, and the tokens that they sign in with.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use forge::Role;
use secrecy::{ExposeSecret as _, SecretString};

use crate::file;

/// The person who pushes the first recipes.
pub const PACKAGER: &str = "packager";

/// What a person may do in the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The login, which says what the person is there for.
    pub login: &'static str,
    /// What the person may do, as the forge takes it.
    pub role: Role,
    /// What the person may do, in words.
    pub may: &'static str,
}

/// Everybody. Whoever may not write is a stranger to summit: nothing of theirs is run.
pub const PARTS: [Part; 3] = [
    Part {
        login: PACKAGER,
        role: Role::Write,
        may: "may push, merge and say /rebuild",
    },
    Part {
        login: "reviewer",
        role: Role::Maintain,
        may: "may do the same; for pull requests of two people",
    },
    Part {
        login: "visitor",
        role: Role::Read,
        may: "may read, comment and fork, and not write",
    },
];

/// Tokens that cannot be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read or written.
    #[error("cannot use {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file holds something else.
    #[error("{} does not hold the tokens of a line's people", path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
}

/// The people and their tokens.
#[derive(Debug, Clone)]
pub struct People(Vec<(Part, SecretString)>);

impl People {
    /// Reads the tokens in the file at `path`, and makes those that it lacks.
    ///
    /// # Errors
    /// When the file cannot be used or holds something else.
    pub fn load_or_create(path: &Path) -> Result<Self, Error> {
        let file = |source| Error::File {
            path: path.to_owned(),
            source,
        };
        let content = |source| Error::Content {
            path: path.to_owned(),
            source,
        };
        let mut tokens: BTreeMap<String, String> = match std::fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(content)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(source) => return Err(file(source)),
        };
        let known = tokens.len();
        let people = PARTS.map(|part| {
            let token = tokens.entry(part.login.to_owned()).or_insert_with(token);
            (part, SecretString::from(token.clone()))
        });
        if tokens.len() != known {
            let json = serde_json::to_vec_pretty(&tokens).map_err(content)?;
            file::write_private(path, &json).map_err(file)?;
        }
        Ok(Self(people.to_vec()))
    }

    /// Each with the token.
    pub fn iter(&self) -> impl Iterator<Item = (&Part, &SecretString)> {
        self.0.iter().map(|(part, token)| (part, token))
    }

    /// The token of the person who pushes the first recipes.
    pub fn packager(&self) -> &SecretString {
        let mut people = self.iter();
        let (_, token) = people
            .find(|(part, _)| part.login == PACKAGER)
            .expect("the packager is among the people");
        token
    }

    /// They, as the forge is configured with them.
    pub fn users(&self) -> BTreeMap<String, forge::config::User> {
        self.iter()
            .map(|(part, token)| {
                let token = Some(token.clone());
                (part.login.to_owned(), forge::config::User { token })
            })
            .collect()
    }

    /// What they may do, by login.
    pub fn roles(&self) -> BTreeMap<String, Role> {
        self.iter()
            .map(|(part, _)| (part.login.to_owned(), part.role.clone()))
            .collect()
    }
}

/// Like GitHub's, of 160 random bits.
fn token() -> String {
    let random: [u8; 20] = rand::random();
    let text: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("ghp_{text}")
}

/// `url` with a person's login and token in it, as git takes it.
pub fn with_token(url: &str, login: &str, token: &SecretString) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    format!("{scheme}://{login}:{}@{rest}", token.expose_secret())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn tokens_are_made_once_and_only_their_owner_can_read_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("people.json");
        let shown = |people: &People| -> Vec<String> {
            let people = people.iter();
            people
                .map(|(part, token)| with_token("http://f/r", part.login, token))
                .collect()
        };
        let first = shown(&People::load_or_create(&path).unwrap());
        assert_eq!(first.len(), 3);
        assert!(first[0].starts_with("http://packager:ghp_"), "{first:?}");
        assert!(first[0].ends_with("@f/r"), "{first:?}");
        assert_eq!(shown(&People::load_or_create(&path).unwrap()), first);
        let mode = path.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    /// What summit lets people do follows from it.
    #[test]
    fn two_may_write_and_one_may_not() {
        let roles = PARTS.map(|part| (part.login, part.role));
        assert_eq!(
            roles,
            [
                ("packager", Role::Write),
                ("reviewer", Role::Maintain),
                ("visitor", Role::Read)
            ]
        );
    }

    #[test]
    fn a_file_that_is_something_else_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("people.json");
        std::fs::write(&path, "[]").unwrap();
        let error = People::load_or_create(&path).unwrap_err();
        assert!(matches!(error, Error::Content { .. }), "{error}");
    }
}
