//! Where a recipe's sources come from.

use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

use super::diagnostic::{Code, Diagnostic};
use super::read::Reader;
use super::span::Spanned;
use super::yaml::{Node, Value};

/// How many leading folders of an archive are left out unless the recipe says
/// otherwise.
pub const DEFAULT_STRIP: u32 = 1;

const ARCHIVE_KEYS: &[&str] = &["hash", "rename", "stripdirs", "unpack", "unpackdir"];
const GIT_KEYS: &[&str] = &["ref", "clonedir"];

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
    pub fn directory(&self) -> Option<&str> {
        match self {
            Self::Archive(archive) => archive.directory(),
            Self::Git(git) => Some(git.directory()),
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
    /// The file name it is stored under instead of the URL's.
    pub rename: Option<Spanned<FileName>>,
    /// How many leading folders are left out when it is unpacked.
    pub stripdirs: u32,
    /// Whether it is unpacked, or only put beside the other archives.
    pub unpack: bool,
    /// The folder it is unpacked into instead of one named as the file.
    pub unpackdir: Option<Spanned<RelativePath>>,
}

impl Archive {
    /// The name it is stored under among the archives.
    pub fn file_name(&self) -> &str {
        match &self.rename {
            Some(name) => name.as_str(),
            None => self.url.file_name(),
        }
    }

    /// The folder, below the build's own, that it is unpacked into.
    pub fn directory(&self) -> Option<&str> {
        if !self.unpack {
            return None;
        }
        Some(match &self.unpackdir {
            Some(directory) => directory.as_str(),
            None => self.file_name(),
        })
    }
}

/// A git repository at one commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Git {
    /// What is cloned, without the `git|` in front.
    pub url: Spanned<Url>,
    /// The commit, tag or branch.
    pub reference: Spanned<String>,
    /// The folder it is cloned into instead of one named as the URL's end.
    pub clonedir: Option<Spanned<RelativePath>>,
}

impl Git {
    /// The folder, below the build's own, that it is cloned into.
    pub fn directory(&self) -> &str {
        match &self.clonedir {
            Some(directory) => directory.as_str(),
            None => self.url.file_name(),
        }
    }

    /// Whether the ref is a full commit id, which always means the same.
    pub fn is_pinned(&self) -> bool {
        is_commit(&self.reference)
    }
}

fn is_commit(reference: &str) -> bool {
    matches!(reference.len(), 40 | 64) && reference.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Why a text is not a URL, hash, or path of an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// There is no `scheme://`.
    #[error("it has no scheme, as `https://`")]
    NoScheme,
    /// The scheme is none that sources are fetched with.
    #[error("its scheme is not https, http, ftp, git or ssh")]
    Scheme,
    /// Nothing follows the scheme or the host.
    #[error("it names no file")]
    NoFile,
    /// It contains white space or a control character.
    #[error("it contains {0:?}")]
    Character(char),
    /// A hash is not 64 hexadecimal digits.
    #[error("it is not 64 hexadecimal digits")]
    Hash,
    /// A path is absolute, empty, or leaves its folder.
    #[error("it is not a relative path that stays in its folder")]
    Path,
}

/// A URL, exactly as written: a scheme that sources are fetched with, a host
/// and a path that ends in a file name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Url(String);

impl Url {
    /// The URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before `://`, in lower case.
    pub fn scheme(&self) -> String {
        let scheme = self.0.split("://").next().unwrap_or("");
        scheme.to_ascii_lowercase()
    }

    /// The last segment of the path, without query and fragment.
    pub fn file_name(&self) -> &str {
        file_name(&self.0).unwrap_or("")
    }

    /// Whether nobody on the way can read or change what is fetched.
    pub fn is_encrypted(&self) -> bool {
        matches!(self.scheme().as_str(), "https" | "ssh")
    }
}

fn file_name(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let path = rest.split(['?', '#']).next()?.trim_end_matches('/');
    let (_, name) = path.rsplit_once('/')?;
    Some(name)
}

impl FromStr for Url {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if let Some(bad) = text.chars().find(|c| c.is_whitespace() || c.is_control()) {
            return Err(Invalid::Character(bad));
        }
        let (scheme, _) = text.split_once("://").ok_or(Invalid::NoScheme)?;
        let scheme = scheme.to_ascii_lowercase();
        if !matches!(scheme.as_str(), "https" | "http" | "ftp" | "git" | "ssh") {
            return Err(Invalid::Scheme);
        }
        let name = file_name(text).ok_or(Invalid::NoFile)?;
        if FileName::from_str(name).is_err() {
            return Err(Invalid::NoFile);
        }
        Ok(Self(text.to_owned()))
    }
}

/// The SHA-256 of an archive.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256([u8; 32]);

impl Sha256 {
    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl FromStr for Sha256 {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.len() != 64 {
            return Err(Invalid::Hash);
        }
        let nibble = |c: u8| {
            char::from(c)
                .to_digit(16)
                .and_then(|n| u8::try_from(n).ok())
        };
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let [high, low] = pair else {
                return Err(Invalid::Hash);
            };
            let high = nibble(*high).ok_or(Invalid::Hash)?;
            let low = nibble(*low).ok_or(Invalid::Hash)?;
            *byte = high << 4 | low;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sha256({self})")
    }
}

/// The name of one file: no folder, no white space, not hidden from a shell.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileName(String);

/// A path below some folder that cannot leave it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelativePath(String);

fn check_segment(segment: &str) -> Result<(), Invalid> {
    if matches!(segment, "" | "." | "..") || segment.starts_with('-') {
        return Err(Invalid::Path);
    }
    let allowed = |c: char| {
        c.is_alphanumeric()
            || matches!(
                c,
                '+' | '.' | '_' | '-' | '~' | '@' | '%' | ',' | '=' | ':' | '(' | ')' | '&'
            )
    };
    match segment.chars().find(|&c| !allowed(c)) {
        Some(bad) => Err(Invalid::Character(bad)),
        None => Ok(()),
    }
}

impl FromStr for FileName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        check_segment(text)?;
        Ok(Self(text.to_owned()))
    }
}

impl FromStr for RelativePath {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let path = text.trim_end_matches('/');
        path.split('/').try_for_each(check_segment)?;
        Ok(Self(path.to_owned()))
    }
}

macro_rules! as_text {
    ($($type:ident),+) => {$(
        impl $type {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
    )+};
}

as_text!(FileName, RelativePath);

macro_rules! reads_as_text {
    ($($type:ident),+) => {$(
        impl Deref for $type {
            type Target = str;

            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )+};
}

reads_as_text!(Url, FileName, RelativePath);

impl Reader<'_> {
    /// The list of upstreams.
    pub(crate) fn upstreams(&mut self, node: &Node) -> Vec<Spanned<Upstream>> {
        let mut upstreams = Vec::new();
        for item in self.items(node, "`upstreams`") {
            if let Some(upstream) = self.upstream(item) {
                upstreams.push(Spanned::new(upstream, item.span));
            }
        }
        upstreams
    }

    fn upstream(&mut self, item: &Node) -> Option<Upstream> {
        if matches!(item.value, Value::Scalar { .. }) && !item.is_null() {
            self.report(
                Diagnostic::error(
                    Code::MissingHash,
                    item.span,
                    "the upstream has no hash or ref",
                )
                .with_help("write `URL: SHA-256`, or `git|URL: COMMIT`"),
            );
            return None;
        }
        let (key, value) = self.single(item, "an upstream")?;
        let text = self.filled(key, "an upstream's URL")?;
        let git = text.strip_prefix("git|").map(str::to_owned);
        match git {
            Some(url) => {
                let url = self.url(&Spanned::new(url, text.span()))?;
                self.git(url, value).map(Upstream::Git)
            }
            None => {
                let url = self.url(&text)?;
                self.archive(url, value).map(Upstream::Archive)
            }
        }
    }

    fn url(&mut self, text: &Spanned<String>) -> Option<Spanned<Url>> {
        let url = self.convert::<Url>(text, "the URL", Code::BadUrl)?;
        if !url.is_encrypted() {
            self.report(
                Diagnostic::warning(
                    Code::InsecureUpstream,
                    url.span(),
                    format!(
                        "the source is fetched over {}, without encryption",
                        url.scheme()
                    ),
                )
                .with_help("use https where the server offers it"),
            );
        }
        Some(url)
    }

    fn archive(&mut self, url: Spanned<Url>, node: &Node) -> Option<Archive> {
        if !matches!(node.value, Value::Mapping(_)) {
            let hash = self.hash(Some(node), &url)?;
            return Some(Archive {
                url,
                hash,
                rename: None,
                stripdirs: DEFAULT_STRIP,
                unpack: true,
                unpackdir: None,
            });
        }
        let mut fields = self.fields(node, "an archive")?;
        let hash = self.hash(fields.take("hash"), &url);
        let rename = fields
            .given(self, "rename")
            .and_then(|node| self.parsed(node, "`rename`", Code::BadPath));
        let stripdirs = fields
            .given(self, "stripdirs")
            .and_then(|node| self.number(node, "`stripdirs`"))
            .map_or(DEFAULT_STRIP, Spanned::into_value);
        let unpack = fields
            .given(self, "unpack")
            .and_then(|node| self.flag(node, "`unpack`"))
            .is_none_or(Spanned::into_value);
        let unpackdir = fields
            .given(self, "unpackdir")
            .and_then(|node| self.parsed(node, "`unpackdir`", Code::BadPath));
        fields.finish(self, ARCHIVE_KEYS);
        Some(Archive {
            url,
            hash: hash?,
            rename,
            stripdirs,
            unpack,
            unpackdir,
        })
    }

    fn hash(&mut self, node: Option<&Node>, url: &Spanned<Url>) -> Option<Spanned<Sha256>> {
        let Some(node) = node.filter(|node| !node.is_null()) else {
            self.report(
                Diagnostic::error(
                    Code::MissingHash,
                    url.span(),
                    format!("the archive {} has no SHA-256", url.file_name()),
                )
                .with_help("write `URL: SHA-256`"),
            );
            return None;
        };
        self.parsed(node, "the hash", Code::BadHash)
    }

    fn git(&mut self, url: Spanned<Url>, node: &Node) -> Option<Git> {
        if !matches!(node.value, Value::Mapping(_)) {
            let reference = self.reference(Some(node), &url)?;
            return Some(Git {
                url,
                reference,
                clonedir: None,
            });
        }
        let mut fields = self.fields(node, "a git upstream")?;
        let reference = self.reference(fields.take("ref"), &url);
        let clonedir = fields
            .given(self, "clonedir")
            .and_then(|node| self.parsed(node, "`clonedir`", Code::BadPath));
        fields.finish(self, GIT_KEYS);
        Some(Git {
            url,
            reference: reference?,
            clonedir,
        })
    }

    fn reference(&mut self, node: Option<&Node>, url: &Spanned<Url>) -> Option<Spanned<String>> {
        let Some(node) = node.filter(|node| !node.is_null()) else {
            self.report(
                Diagnostic::error(
                    Code::MissingRef,
                    url.span(),
                    format!("the repository {} has no ref", url.file_name()),
                )
                .with_help("write `git|URL: COMMIT`"),
            );
            return None;
        };
        let reference = self.filled(node, "the ref")?;
        if reference.starts_with('-')
            || reference.contains(|c: char| c.is_whitespace() || c.is_control())
        {
            self.report(Diagnostic::error(
                Code::BadRef,
                reference.span(),
                format!(
                    "`{}` is not the name of a commit, tag or branch",
                    reference.escape_debug()
                ),
            ));
            return None;
        }
        if !is_commit(&reference) {
            self.report(
                Diagnostic::note(
                    Code::MovingRef,
                    reference.span(),
                    format!("`{reference}` is a tag or branch, which can move"),
                )
                .with_help("name the full commit id"),
            );
        }
        Some(reference)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_end_in_a_file_name() {
        let url: Url = "https://a.org/x/y-1.0.tar.gz?raw=1#frag".parse().unwrap();
        assert_eq!(url.file_name(), "y-1.0.tar.gz");
        assert_eq!("a.org/x".parse::<Url>(), Err(Invalid::NoScheme));
        assert_eq!("file:///etc/passwd".parse::<Url>(), Err(Invalid::Scheme));
        assert_eq!("https://a.org".parse::<Url>(), Err(Invalid::NoFile));
        assert_eq!("https://a.org/..".parse::<Url>(), Err(Invalid::NoFile));
        assert_eq!(
            "https://a.org/a b".parse::<Url>(),
            Err(Invalid::Character(' '))
        );
    }

    #[test]
    fn paths_cannot_leave_their_folder() {
        assert!("third_party/x".parse::<RelativePath>().is_ok());
        for bad in ["", "/", "/etc", "../x", "a/../../x", "a//b", "."] {
            assert!(bad.parse::<RelativePath>().is_err(), "{bad}");
        }
        assert!("a/b".parse::<FileName>().is_err());
        assert!("-rf".parse::<FileName>().is_err());
    }

    #[test]
    fn hashes_read_back() {
        let text = "0b0e3aa07c8c063ddf40b082bdf7e37a1562bda40a0ff5272957f3e987e0e54b";
        let hash: Sha256 = text.parse().unwrap();
        assert_eq!(hash.to_string(), text);
        assert!("zz".repeat(32).parse::<Sha256>().is_err());
        assert!("é".repeat(32).parse::<Sha256>().is_err());
    }
}
