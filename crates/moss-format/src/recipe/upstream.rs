//! Where a recipe's sources come from.

mod read;
mod value;

pub use value::{FileName, Invalid, RelativePath, Sha256, Url};

use super::setting::Setting;
use super::span::Spanned;

/// How many leading folders of an archive are left out unless the recipe says
/// otherwise.
pub const DEFAULT_STRIP: u32 = 1;

/// One source of a recipe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Upstream {
    /// A file, usually a compressed archive.
    Archive(Archive),
    /// A git repository.
    Git(Git),
}

impl Upstream {
    /// The folder, below the build's own, that the source is laid into; none
    /// for a file that is not unpacked.
    pub fn directory(&self) -> Option<&RelativePath> {
        match self {
            Self::Archive(archive) => {
                let unpack = archive.unpack.as_ref()?;
                Some(unpack.directory.value())
            }
            Self::Git(git) => Some(git.directory.value()),
        }
    }

    /// Where the source is fetched from.
    pub const fn url(&self) -> &Spanned<Url> {
        match self {
            Self::Archive(archive) => &archive.url,
            Self::Git(git) => &git.url,
        }
    }
}

/// A file fetched by URL and known by its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    /// Where it is fetched from.
    pub url: Spanned<Url>,
    /// What its content must hash to.
    pub hash: Spanned<Sha256>,
    /// The name it is stored under among the archives: `rename`, else the end
    /// of the URL, with the URL's place.
    pub file_name: Spanned<FileName>,
    /// How it is unpacked, with the place of `unpack`; none for a file that is
    /// only put beside the other archives.
    pub unpack: Setting<Option<Unpack>>,
}

/// How an archive is unpacked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpack {
    /// The folder, below the build's own: `unpackdir`, else the file name, with
    /// its place.
    pub directory: Spanned<RelativePath>,
    /// How many leading folders of the archive's paths are left out.
    pub strip: Setting<u32>,
}

/// A git repository at one commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Git {
    /// What is cloned, without the `git|` in front.
    pub url: Spanned<Url>,
    /// The commit, tag or branch. Never empty, without white space, and not
    /// starting with `-`.
    pub reference: Spanned<String>,
    /// The folder, below the build's own: `clonedir`, else the end of the URL,
    /// with the URL's place.
    pub directory: Spanned<RelativePath>,
}

impl Git {
    /// Whether the ref is a full commit id, which always means the same.
    pub fn is_pinned(&self) -> bool {
        let reference = self.reference.as_str();
        matches!(reference.len(), 40 | 64) && reference.bytes().all(|b| b.is_ascii_hexdigit())
    }
}
