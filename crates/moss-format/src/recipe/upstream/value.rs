//! The texts that sources are described with.

use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

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
        match file_name(text) {
            Some("" | "." | "..") | None => Err(Invalid::NoFile),
            Some(_) => Ok(Self(text.to_owned())),
        }
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

/// The name of one file. Scripts use it without quotes, so every character of
/// it stands for itself in a shell: letters, digits and `+ . _ - @ ~`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileName(String);

/// A path below some folder that cannot leave it, of the same characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelativePath(String);

impl From<FileName> for RelativePath {
    fn from(name: FileName) -> Self {
        Self(name.0)
    }
}

fn check_segment(segment: &str) -> Result<(), Invalid> {
    if matches!(segment, "" | "." | "..") || segment.starts_with(['-', '~']) {
        return Err(Invalid::Path);
    }
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '+' | '.' | '_' | '-' | '@' | '~');
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
        assert!("$(reboot)".parse::<FileName>().is_err());
    }

    #[test]
    fn hashes_read_back() {
        let text = "0b0e3aa07c8c063ddf40b082bdf7e37a1562bda40a0ff5272957f3e987e0e54b";
        let hash: Sha256 = text.parse().unwrap();
        assert_eq!(hash.to_string(), text);
        assert!("zz".repeat(32).parse::<Sha256>().is_err());
        assert!("é".repeat(32).parse::<Sha256>().is_err());
    }

    proptest! {
        #[test]
        fn every_hash_reads_back(bytes in any::<[u8; 32]>()) {
            let text = Sha256(bytes).to_string();
            prop_assert_eq!(text.parse(), Ok(Sha256(bytes)));
            prop_assert_eq!(text.to_uppercase().parse(), Ok(Sha256(bytes)));
            // One digit less is no hash, and neither is one with another sign.
            prop_assert_eq!(text[1..].parse::<Sha256>(), Err(Invalid::Hash));
            prop_assert_eq!(format!("+{}", &text[1..]).parse::<Sha256>(), Err(Invalid::Hash));
        }

        #[test]
        fn a_url_stays_as_it_is_written(
            scheme in "(https?|HTTPS|ftp|git|ssh|file|ttp)", host in "[a-z.]{1,8}",
            path in "[a-z./]{0,8}", name in "[a-zA-Z0-9._-]{1,8}", end in "([?#][a-z/=]{0,5})?",
        ) {
            let text = format!("{scheme}://{host}/{path}/{name}{end}");
            let is_fetched = !matches!(scheme.as_str(), "file" | "ttp");
            let is_file = !matches!(name.as_str(), "." | "..");
            let url = text.parse::<Url>();
            prop_assert_eq!(url.is_ok(), is_fetched && is_file);
            if let Ok(url) = url {
                prop_assert_eq!(url.as_str(), &text);
                prop_assert_eq!(url.file_name(), &name);
                prop_assert_eq!(url.scheme(), scheme.to_ascii_lowercase());
            }
        }

        #[test]
        fn a_path_never_leaves_its_folder(text in "[a-z./~ -]{0,10}") {
            if let Ok(path) = text.parse::<RelativePath>() {
                prop_assert_eq!(path.as_str(), text.trim_end_matches('/'));
                prop_assert_eq!(path.to_string().parse(), Ok(path.clone()));
                let parts = std::path::Path::new(path.as_str()).components();
                for part in parts {
                    prop_assert!(matches!(part, std::path::Component::Normal(_)));
                }
            }
            // A file's name is a path of one part.
            if let Ok(name) = text.parse::<FileName>() {
                prop_assert!(!name.contains('/'));
                prop_assert_eq!(text.parse(), Ok(RelativePath::from(name)));
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text in any::<String>()) {
            let read = [
                text.parse::<Url>().map(|url| url.to_string()),
                text.parse::<FileName>().map(|name| name.to_string()),
                text.parse::<Sha256>().map(|_| text.clone()),
            ];
            for read in read.into_iter().flatten() {
                prop_assert_eq!(&read, &text);
                prop_assert!(!text.contains(char::is_whitespace));
            }
        }
    }
}
