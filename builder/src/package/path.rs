//! Paths of installed files, as the installed system will see them.

use std::fmt;

/// An absolute, normalised path below the install root, such as `/usr/bin/nano`.
///
/// It begins with a slash, has no empty, `.` or `..` component and no trailing slash; the root
/// itself is `/`. The order is that of the bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct InstalledPath(String);

impl InstalledPath {
    /// The root, `/`.
    pub(crate) fn root() -> Self {
        Self("/".to_owned())
    }

    /// The entry called `name` in this folder. The name comes from a directory listing, so it is
    /// neither empty nor a dot and holds no slash.
    pub(crate) fn join(&self, name: &str) -> Self {
        match self.0.as_str() {
            "/" => Self(format!("/{name}")),
            folder => Self(format!("{folder}/{name}")),
        }
    }

    /// Normalises `text` without looking at the disk; `None` unless it is absolute.
    pub(crate) fn normalise(text: &str) -> Option<Self> {
        let mut parts: Vec<&str> = Vec::new();
        for part in text.strip_prefix('/')?.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop();
                }
                name => parts.push(name),
            }
        }
        Some(Self(format!("/{}", parts.join("/"))))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The last component; empty for the root.
    pub(crate) fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// The folder that holds this path; the root's is the root.
    pub(crate) fn folder(&self) -> Self {
        match self.0.rsplit_once('/') {
            None | Some(("", _)) => Self::root(),
            Some((folder, _)) => Self(folder.to_owned()),
        }
    }

    pub(crate) fn components(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').filter(|part| !part.is_empty())
    }

    pub(crate) fn has_component(&self, wanted: &str) -> bool {
        self.components().any(|part| part == wanted)
    }

    /// The rest of this path if it lies below `folder`, which is written without a trailing slash.
    pub(crate) fn below(&self, folder: &str) -> Option<&str> {
        self.0
            .strip_prefix(folder)?
            .strip_prefix('/')
            .filter(|rest| !rest.is_empty())
    }
}

impl fmt::Display for InstalledPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalising_resolves_dots_and_never_leaves_the_root() {
        let normal = |text| InstalledPath::normalise(text).map(|path| path.to_string());
        assert_eq!(
            normal("/usr/bin/../lib//x/./y").as_deref(),
            Some("/usr/lib/x/y")
        );
        assert_eq!(normal("/../../etc").as_deref(), Some("/etc"));
        assert_eq!(normal("/").as_deref(), Some("/"));
        assert_eq!(normal("usr/lib"), None);
        assert_eq!(normal(""), None);
    }

    #[test]
    fn parts_of_a_path() {
        let path = InstalledPath::root().join("usr").join("bin").join("x");
        assert_eq!(path.as_str(), "/usr/bin/x");
        assert_eq!(path.file_name(), "x");
        assert_eq!(path.folder().as_str(), "/usr/bin");
        assert_eq!(
            InstalledPath::root().join("usr").folder(),
            InstalledPath::root()
        );
        assert_eq!(path.below("/usr"), Some("bin/x"));
        assert_eq!(path.below("/usr/bi"), None);
        assert_eq!(path.below("/usr/bin/x"), None);
        assert!(path.has_component("bin") && !path.has_component("bi"));
    }
}
