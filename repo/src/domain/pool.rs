//! Where a package lies in its channel's pool: `pool/v0/<p>/<source id>/<file name>`.
//!
//! The source id is lower-cased; `<p>` is its first letter, or its first four when it starts with
//! `lib` and is longer than four.

use std::collections::BTreeSet;
use std::fmt;

use api::id::{FileName, RecipeName, Sha256};
use api::import::{Order, State};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::package::Package;

/// What a URL reference cannot carry as it is. The other special characters that a file name may
/// have (`+ ~ : ^ @ = ,`) are safe in a path.
const ESCAPED: &AsciiSet = &CONTROLS.add(b'#').add(b'?').add(b'%').add(b' ');

/// How an index that lies in `history/<id>/<arch>` or `stream/<stream>/<arch>` reaches the channel.
const TO_CHANNEL: &str = "../../../";

/// A place in the pool, relative to the channel's folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    source: String,
    file_name: FileName,
}

impl Place {
    /// The place of a file of the recipe `source`.
    pub(crate) fn new(source: &RecipeName, file_name: &FileName) -> Self {
        Self {
            source: source.as_str().to_ascii_lowercase(),
            file_name: file_name.clone(),
        }
    }

    /// The place of a package.
    pub(crate) fn of(package: &Package) -> Self {
        Self::new(package.source(), package.file_name())
    }

    /// The reference by which an index names this place.
    pub(crate) fn reference(&self) -> String {
        let path = self.to_string();
        format!("{TO_CHANNEL}{}", utf8_percent_encode(&path, ESCAPED))
    }

    fn prefix(&self) -> &str {
        let length = if self.source.starts_with("lib") && self.source.len() > 4 {
            4
        } else {
            1
        };
        // Recipe names are ASCII and not empty.
        self.source.get(..length).unwrap_or(&self.source)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "pool/v0/{}/{}/{}",
            self.prefix(),
            self.source,
            self.file_name
        )
    }
}

/// What the imports into a channel, and its packages, say of the pool.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    /// Some history names them, now or once.
    published: BTreeSet<Place>,
    /// Imports that have not ended bring these, and may have brought them already.
    open: BTreeSet<(Place, Sha256)>,
    /// Imports that were refused would have brought these.
    refused: BTreeSet<(Place, Sha256)>,
}

impl Claims {
    /// Adds what an import in this state says.
    pub(crate) fn add_import(&mut self, order: &Order, state: &State) {
        for build in &order.builds {
            for stone in &build.stones {
                let place = Place::new(&build.recipe, &stone.file_name);
                match state {
                    State::Published { .. } => {
                        self.published.insert(place);
                    }
                    State::Refused { .. } => {
                        self.refused.insert((place, stone.sha256));
                    }
                    State::Accepted { .. }
                    | State::Fetching { .. }
                    | State::Waiting { .. }
                    | State::Publishing => {
                        self.open.insert((place, stone.sha256));
                    }
                }
            }
        }
    }

    /// Adds a package that the channel holds.
    pub(crate) fn add_package(&mut self, package: &Package) {
        self.published.insert(Place::of(package));
    }

    /// The stones that only refused imports can have left in the pool: nobody names them, nobody
    /// else brings them, and their names are free for others once they are gone. What no import is
    /// known to have brought is not among them: after the database was restored from a backup, the
    /// pool may be ahead of it.
    pub(crate) fn left_over(self) -> impl Iterator<Item = (Place, Sha256)> {
        let Self {
            published,
            open,
            refused,
        } = self;
        refused
            .into_iter()
            .filter(move |left| !published.contains(&left.0) && !open.contains(left))
    }
}

#[cfg(test)]
mod tests {
    use api::import::{BuildStones, Refusal, RefusalReason, Stone};
    use proptest::prelude::proptest;
    use url::Url;

    use super::*;

    fn order(names: &[(&str, &str)]) -> Order {
        let stones = names.iter().map(|(name, bytes)| Stone {
            file_name: name.parse().unwrap(),
            uri: "https://builder.example/stone".parse().unwrap(),
            sha256: Sha256::of(bytes.as_bytes()),
            size: 1,
        });
        Order {
            channel: "main".parse().unwrap(),
            builds: vec![BuildStones {
                build: api::id::BuildId::new(),
                commit: "0123456789012345678901234567890123456789".parse().unwrap(),
                recipe: "nano".parse().unwrap(),
                stones: stones.collect(),
            }],
        }
    }

    #[test]
    fn only_what_a_refused_import_alone_can_have_left_is_left_over() {
        let at = "2026-11-22T22:00:00Z".parse().unwrap();
        let refused = State::Refused {
            refusal: Refusal {
                reason: RefusalReason::AssetGone,
                file_name: None,
                message: "gone".to_owned(),
            },
            finished_at: at,
        };
        let published = State::Published {
            history: "h-1".parse().unwrap(),
            finished_at: at,
        };
        let mut claims = Claims::default();
        claims.add_import(
            &order(&[
                ("a.stone", "1"),
                ("b.stone", "1"),
                ("c.stone", "1"),
                ("d.stone", "1"),
            ]),
            &refused,
        );
        // Published under its name, with whatever bytes; about to be, with the same and with others.
        claims.add_import(&order(&[("a.stone", "2")]), &published);
        claims.add_import(
            &order(&[("b.stone", "1"), ("c.stone", "2")]),
            &State::Publishing,
        );
        let left: Vec<_> = claims.left_over().collect();
        let sha256 = Sha256::of(b"1");
        assert_eq!(
            left,
            [
                (place("nano", "c.stone"), sha256),
                (place("nano", "d.stone"), sha256)
            ]
        );
    }

    fn place(source: &str, file_name: &str) -> Place {
        Place::new(&source.parse().unwrap(), &file_name.parse().unwrap())
    }

    #[test]
    fn the_prefix_is_a_letter_or_four() {
        let path = |source| place(source, "f.stone").to_string();
        assert_eq!(path("nano"), "pool/v0/n/nano/f.stone");
        assert_eq!(path("Nano"), "pool/v0/n/nano/f.stone");
        assert_eq!(path("lib"), "pool/v0/l/lib/f.stone");
        assert_eq!(path("libz"), "pool/v0/l/libz/f.stone");
        assert_eq!(path("libxml2"), "pool/v0/libx/libxml2/f.stone");
        assert_eq!(path("LibreOffice"), "pool/v0/libr/libreoffice/f.stone");
        assert_eq!(path("7zip"), "pool/v0/7/7zip/f.stone");
    }

    #[test]
    fn the_reference_is_relative_to_the_index() {
        assert_eq!(
            place("nano", "nano-8.3-33-1-x86_64.stone").reference(),
            "../../../pool/v0/n/nano/nano-8.3-33-1-x86_64.stone"
        );
        assert_eq!(
            place("a", "a-1~b+c:d^e%f-1-1-x86_64.stone").reference(),
            "../../../pool/v0/a/a/a-1~b+c:d^e%25f-1-1-x86_64.stone"
        );
    }

    proptest! {
        #[test]
        fn a_reference_joined_to_an_index_names_the_place(
            source in "[A-Za-z0-9][A-Za-z0-9._+-]{0,20}",
            file_name in "[A-Za-z0-9][A-Za-z0-9._+~:^@=,%-]{0,40}",
        ) {
            let place = place(&source, &file_name);
            for index in ["history/20261122-1/x86_64", "stream/volatile/x86_64"] {
                let index = format!("https://packages.example/base/main/{index}/stone.index");
                let joined = Url::parse(&index).unwrap().join(&place.reference()).unwrap();
                let path = percent_encoding::percent_decode_str(joined.path())
                    .decode_utf8()
                    .unwrap();
                assert_eq!(path, format!("/base/main/{place}"));
                assert_eq!((joined.query(), joined.fragment()), (None, None));
            }
        }
    }
}
