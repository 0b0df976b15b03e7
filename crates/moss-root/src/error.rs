//! Why nothing was installed.

use std::fmt;
use std::io;
use std::path::PathBuf;

use moss_deps::Missing;
use moss_format::package::ReadError;
use moss_format::unpack;
use url::Url;

use crate::channel::Fault;

/// Why nothing was installed. The folder is then as it was before.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing is asked for.
    #[error("no package is named")]
    Nothing,
    /// The folder holds something already.
    #[error("{} holds something already: name a new folder, or an empty one", .0.display())]
    Occupied(PathBuf),
    /// A file or folder cannot be made or read.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The index cannot be read.
    #[error("cannot read the index {url}")]
    Index {
        /// Where it should be.
        url: Url,
        /// Why.
        source: Box<Fault>,
    },
    /// Something that is to be installed depends on what no package of the index provides.
    #[error("{}", Listed(.0))]
    NoProvider(Vec<Missing>),
    /// The index says of a package what cannot be.
    #[error("the index has no usable {field} for the package {package}")]
    Entry {
        /// The package.
        package: String,
        /// Which field.
        field: &'static str,
    },
    /// The fetcher cannot be set up.
    #[error("cannot set up the fetching of packages")]
    Fetcher(#[source] moss_fetcher::Error),
    /// A stone cannot be had, or is not what the index says.
    #[error("cannot fetch the package {package}")]
    Fetch {
        /// The package.
        package: String,
        /// Why.
        source: moss_fetcher::Error,
    },
    /// A stone cannot be read.
    #[error("the stone of the package {package} is not sound")]
    Stone {
        /// The package.
        package: String,
        /// Why.
        source: Box<ReadError>,
    },
    /// A stone says of itself what the index does not say of it.
    #[error("the stone of the package {package} is that of {found}")]
    OtherPackage {
        /// The package, by the index.
        package: String,
        /// The package, by the stone.
        found: String,
    },
    /// The files of a package cannot be laid into the folder.
    #[error("cannot lay the files of the package {package} into the folder")]
    Lay {
        /// The package.
        package: String,
        /// Why.
        source: Box<unpack::Error>,
    },
    /// Folders of packages cannot get their modes.
    #[error("cannot set the modes of the folders")]
    Modes(#[source] Box<unpack::Error>),
    /// The process ends.
    #[error("installing was stopped because the process ends")]
    Cancelled,
}

impl Error {
    /// Whether the system or the folder is at fault, which says nothing about what was to be
    /// installed.
    #[must_use]
    pub fn is_of_system(&self) -> bool {
        match self {
            Self::Occupied(_) | Self::File { .. } | Self::Fetcher(_) | Self::Cancelled => true,
            Self::Index { source, .. } => match &**source {
                Fault::Http(_) | Fault::Status(_) | Fault::File(_) => true,
                Fault::Scheme(_) | Fault::TooLong | Fault::Stone(_) | Fault::Unsound(_) => false,
            },
            Self::Fetch { source, .. } => source.mismatch().is_none(),
            Self::Stone { source, .. } => source.is_of_system(),
            Self::Lay { source, .. } | Self::Modes(source) => source.is_of_system(),
            Self::Nothing
            | Self::NoProvider(_)
            | Self::Entry { .. }
            | Self::OtherPackage { .. } => false,
        }
    }
}

/// What is missing, in a client's words.
struct Listed<'a>(&'a [Missing]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, missing) in self.0.iter().enumerate() {
            if number > 0 {
                f.write_str("; ")?;
            }
            write!(f, "No such name: {}", missing.dependency)?;
            for package in missing.chain.iter().rev() {
                write!(f, ", needed by {package}")?;
            }
        }
        Ok(())
    }
}
