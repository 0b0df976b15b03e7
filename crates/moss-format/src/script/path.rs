//! Paths that stand in scripts.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

/// Why a text is not such a path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// It does not start with `/`.
    #[error("the build path {0:?} is not absolute")]
    Relative(String),
    /// It has a `.` or `..` in it.
    #[error("the build path {0:?} has a `.` or `..` in it")]
    Dots(String),
    /// Recipes use it without quotes, and a shell would not leave it alone.
    #[error("the build path {path:?} has {character:?} in it, which a shell does not leave alone")]
    Character {
        /// The path.
        path: String,
        /// The character.
        character: char,
    },
}

/// An absolute path of which every character stands for itself in a shell:
/// letters, digits and `/ + . _ - @ ~`. Recipes write `%(installroot)` without
/// quotes, so nothing else would be safe.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BuildPath(String);

impl BuildPath {
    /// The path as a text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path of `name` below this one.
    ///
    /// # Errors
    /// When `name` has a character that a shell does not leave alone.
    pub fn join(&self, name: &str) -> Result<Self, Invalid> {
        format!("{}/{name}", self.0.trim_end_matches('/')).parse()
    }
}

impl FromStr for BuildPath {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if !text.starts_with('/') {
            return Err(Invalid::Relative(text.to_owned()));
        }
        if text.split('/').any(|part| matches!(part, "." | "..")) {
            return Err(Invalid::Dots(text.to_owned()));
        }
        let is_safe =
            |c: char| c.is_alphanumeric() || matches!(c, '/' | '+' | '.' | '_' | '-' | '@' | '~');
        match text.chars().find(|&c| !is_safe(c)) {
            Some(character) => Err(Invalid::Character {
                path: text.to_owned(),
                character,
            }),
            None => Ok(Self(text.to_owned())),
        }
    }
}

impl AsRef<Path> for BuildPath {
    fn as_ref(&self) -> &Path {
        Path::new(&self.0)
    }
}

impl fmt::Display for BuildPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_safe_in_a_shell_pass() {
        for good in ["/", "/build/lz4-1.9.4.tar.gz", "/tmp/.tmpAb12/install"] {
            assert!(good.parse::<BuildPath>().is_ok(), "{good}");
        }
        for bad in [
            "", "build", "/a b", "/a;b", "/a/../b", "/a$b", "/a\nb", "/a'b",
        ] {
            assert!(bad.parse::<BuildPath>().is_err(), "{bad:?}");
        }
    }
}
