use crate::Meta;
use crate::meta::{Primitive, RawRecord, Tag};

/// Why a package cannot stand in an index.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// A field that clients need is missing or empty.
    #[error("it has no {tag}")]
    Missing {
        /// Which field.
        tag: Tag,
    },
    /// The hash is not 64 lower-case hex digits.
    #[error("its hash {hash:?} is not a SHA-256 in lower-case hex")]
    Hash {
        /// The hash.
        hash: String,
    },
    /// The URI is no URL reference that leads to a file.
    #[error("its URI {uri:?} is no URL reference: percent-encode `#`, `?`, `%` and spaces")]
    Uri {
        /// The URI.
        uri: String,
    },
    /// It has build dependencies, which clients take for run-time ones.
    #[error("it has build dependencies, which clients would take for run-time dependencies")]
    BuildDepends,
    /// It has a dependency under another tag, which clients take for a run-time
    /// one all the same.
    #[error("its record of tag {tag} is a dependency, which clients would take for a run-time one")]
    StrayDependency {
        /// The number of the tag.
        tag: u16,
    },
}

/// Checks one package.
pub(super) fn meta(meta: &Meta) -> Result<(), Invalid> {
    let needed = [
        (Tag::Name, Some(&meta.name)),
        (Tag::Version, Some(&meta.version)),
        (Tag::Architecture, Some(&meta.architecture)),
        (Tag::SourceId, Some(&meta.source_id)),
        (Tag::PackageUri, meta.uri.as_ref()),
        (Tag::PackageHash, meta.hash.as_ref()),
    ];
    for (tag, value) in needed {
        if value.is_none_or(String::is_empty) {
            return Err(Invalid::Missing { tag });
        }
    }
    if meta.size.is_none() {
        return Err(Invalid::Missing {
            tag: Tag::PackageSize,
        });
    }
    if !meta.build_depends.is_empty() {
        return Err(Invalid::BuildDepends);
    }
    let depends = Tag::Depends.number();
    let is_stray = |record: &&RawRecord| {
        Primitive::from_byte(record.primitive) == Primitive::Dependency && record.tag != depends
    };
    if let Some(RawRecord { tag, .. }) = meta.other.iter().find(is_stray) {
        return Err(Invalid::StrayDependency { tag: *tag });
    }
    let hash = meta.hash.as_deref().unwrap_or_default();
    if !is_sha256(hash) {
        return Err(Invalid::Hash {
            hash: hash.to_owned(),
        });
    }
    let uri = meta.uri.as_deref().unwrap_or_default();
    if !is_file_reference(uri) {
        return Err(Invalid::Uri {
            uri: uri.to_owned(),
        });
    }
    Ok(())
}

fn is_sha256(text: &str) -> bool {
    let lower_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.len() == 64 && text.bytes().all(lower_hex)
}

/// Whether these digits encode a byte that a path can have.
fn is_encoded(high: Option<u8>, low: Option<u8>) -> bool {
    let (Some(high), Some(low)) = (high, low) else {
        return false;
    };
    high.is_ascii_hexdigit() && low.is_ascii_hexdigit() && (high, low) != (b'0', b'0')
}

/// Whether a URL reference has neither query nor fragment and encodes what
/// has to be encoded.
fn is_file_reference(uri: &str) -> bool {
    let mut bytes = uri.bytes();
    while let Some(byte) = bytes.next() {
        let allowed = match byte {
            b'%' => is_encoded(bytes.next(), bytes.next()),
            b'#' | b'?' | b'\\' | b'"' | b'<' | b'>' | b'`' | b'{' | b'|' | b'}' => false,
            other => other.is_ascii_graphic(),
        };
        if !allowed {
            return false;
        }
    }
    !uri.ends_with('/')
}
