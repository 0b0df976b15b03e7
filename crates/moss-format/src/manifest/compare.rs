use std::collections::{BTreeSet, HashMap, VecDeque};

use super::Manifest;
use crate::meta::Tag;
use crate::{Dependency, Meta};

/// One way in which a build is not what its committed manifest says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// The build did not make a package.
    #[error("the build made no package {name:?}")]
    NotBuilt {
        /// The package's name.
        name: String,
    },
    /// The build made a package more, or one more of that name.
    #[error("the build made the package {name:?}, which the manifest lacks")]
    NotListed {
        /// The package's name.
        name: String,
    },
    /// A field differs.
    #[error("the {tag} of package {name:?} differs: {committed} in the manifest, {built} built")]
    Field {
        /// The package's name.
        name: String,
        /// Which field.
        tag: Tag,
        /// What the committed manifest says.
        committed: String,
        /// What the build says.
        built: String,
    },
    /// Records that this library does not know differ.
    #[error("the unknown records of package {name:?} differ")]
    Other {
        /// The package's name.
        name: String,
    },
    /// Payloads that this library does not understand differ.
    #[error("the payloads that are not understood differ")]
    Kept,
}

impl Manifest {
    /// How the manifest of a build differs from this committed one; nothing
    /// when they say the same.
    ///
    /// Packages are matched by name, those of one name in their order, and
    /// compared on every field. Build dependencies count among the
    /// dependencies, because readers without that tag take them for such.
    #[must_use]
    pub fn mismatches(&self, built: &Self) -> Vec<Mismatch> {
        let mut left: HashMap<&str, VecDeque<&Meta>> = HashMap::new();
        for meta in &built.packages {
            left.entry(&meta.name).or_default().push_back(meta);
        }
        let mut found = Vec::new();
        for committed in &self.packages {
            let of_name = left.get_mut(committed.name.as_str());
            match of_name.and_then(VecDeque::pop_front) {
                Some(built) => compare(committed, built, &mut found),
                None => found.push(Mismatch::NotBuilt {
                    name: committed.name.clone(),
                }),
            }
        }
        // The last of a name are those that are left.
        for meta in &built.packages {
            let of_name = left.get_mut(meta.name.as_str());
            let is_left = of_name
                .and_then(|left| left.pop_front_if(|first| std::ptr::eq(*first, meta)))
                .is_some();
            if is_left {
                found.push(Mismatch::NotListed {
                    name: meta.name.clone(),
                });
            }
        }
        if self.kept != built.kept {
            found.push(Mismatch::Kept);
        }
        found
    }
}

fn compare(committed: &Meta, built: &Meta, found: &mut Vec<Mismatch>) {
    let fields = |meta: &Meta| {
        let depends: BTreeSet<&Dependency> =
            meta.depends.iter().chain(&meta.build_depends).collect();
        [
            (Tag::Version, format!("{:?}", meta.version)),
            (Tag::Release, meta.release.to_string()),
            (Tag::BuildRelease, meta.build_release.to_string()),
            (Tag::Architecture, format!("{:?}", meta.architecture)),
            (Tag::Summary, format!("{:?}", meta.summary)),
            (Tag::Description, format!("{:?}", meta.description)),
            (Tag::SourceId, format!("{:?}", meta.source_id)),
            (Tag::Homepage, format!("{:?}", meta.homepage)),
            (Tag::PackageUri, format!("{:?}", meta.uri)),
            (Tag::PackageHash, format!("{:?}", meta.hash)),
            (Tag::PackageSize, format!("{:?}", meta.size)),
            (Tag::License, format!("{:?}", meta.licenses)),
            (Tag::Depends, list(depends)),
            (Tag::Provides, list(&meta.provides)),
            (Tag::Conflicts, list(&meta.conflicts)),
            (Tag::SourceUri, format!("{:?}", meta.source_uri)),
            (Tag::SourcePath, format!("{:?}", meta.source_path)),
            (Tag::SourceRef, format!("{:?}", meta.source_ref)),
        ]
    };
    let pairs = fields(committed).into_iter().zip(fields(built));
    for ((tag, committed_value), (_, built_value)) in pairs {
        if committed_value != built_value {
            found.push(Mismatch::Field {
                name: committed.name.clone(),
                tag,
                committed: committed_value,
                built: built_value,
            });
        }
    }
    if committed.other != built.other {
        found.push(Mismatch::Other {
            name: committed.name.clone(),
        });
    }
}

fn list<T: std::fmt::Display>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    format!("[{}]", items.join(", "))
}
