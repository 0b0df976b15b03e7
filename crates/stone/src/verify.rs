//! `stone verify`.

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, BufReader, Seek as _, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use moss_format::package::{self, Package, ReadError, SurveyError};
use moss_format::stone::{self, FileType, Located, Reader};
use moss_format::{Index, Limits, Manifest, Meta, index, payload};

use crate::cli::Verify;
use crate::printable::Printable;
use crate::talk::{IsOfSystem, Talk};
use crate::{progress, reference};

pub(crate) fn run(arguments: &Verify, talk: &mut Talk, out: &mut dyn Write) -> io::Result<()> {
    let bar = progress::files(arguments.files.len());
    for path in &arguments.files {
        match verify(path) {
            Ok(Verified {
                file_type,
                packages,
                unknown,
            }) => {
                let sound = !arguments.packages || named(path, &packages, talk);
                if sound {
                    let name = Printable(path.display());
                    writeln!(out, "{name}: {file_type}, sound{}", but_for(unknown))?;
                }
            }
            Err(fault) => {
                let is_of_system = IsOfSystem(fault.is_of_system());
                bar.suspend(|| talk.either(path.display(), &fault, is_of_system));
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(())
}

struct Verified {
    file_type: FileType,
    /// The packages that an index names.
    packages: Vec<Meta>,
    /// How many payloads are of a later kind, compression or version, or of a kind that such a file
    /// has no use for. Only their checksums say that they are as they were written.
    unknown: usize,
}

fn but_for(unknown: usize) -> String {
    match unknown {
        0 => String::new(),
        1 => ", with 1 payload that is not understood".to_owned(),
        more => format!(", with {more} payloads that are not understood"),
    }
}

/// Why a file is not sound, or could not be read.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Stone(#[from] stone::Error),
    #[error(transparent)]
    Package(#[from] ReadError),
    #[error(transparent)]
    Index(#[from] index::VerifyError),
    #[error("the package has {found} bytes, and the index says {expected}")]
    Size { expected: u64, found: u64 },
    #[error("the package hashes to {found}, and the index says {expected}")]
    Hash { expected: String, found: String },
}

impl Fault {
    fn is_of_system(&self) -> bool {
        match self {
            Self::Io(_) => true,
            Self::Stone(error) => error.is_of_system(),
            Self::Package(error) => error.is_of_system(),
            // It was read before.
            Self::Index(_) | Self::Size { .. } | Self::Hash { .. } => false,
        }
    }
}

fn verify(path: &Path) -> Result<Verified, Fault> {
    let reader = Reader::open(BufReader::new(File::open(path)?))?;
    let file_type = reader.header().file_type;
    let is_unknown = |at: &&Located| match file_type {
        FileType::Package => !at.header().is_known(),
        FileType::Manifest | FileType::Index => !at.header().holds(payload::Kind::Meta),
        FileType::Delta => true,
    };
    let unknown = reader.payloads().iter().filter(is_unknown).count();
    let mut packages = Vec::new();
    match file_type {
        FileType::Package => Package::open(reader.into_inner())?.verify()?,
        FileType::Manifest => drop(Manifest::read(checked(reader)?)?),
        FileType::Index => {
            let limits = Limits::default();
            let bytes = stone::read_whole(checked(reader)?, &limits)?;
            packages = Index::decode_within(&bytes, limits)?.packages;
            index::verify(&bytes, limits)?;
        }
        FileType::Delta => drop(checked(reader)?),
    }
    Ok(Verified {
        file_type,
        packages,
        unknown,
    })
}

/// Checks the checksum of every payload, also of those that nothing here understands, and gives
/// the file from its start.
fn checked(mut reader: Reader<BufReader<File>>) -> Result<BufReader<File>, Fault> {
    for at in reader.payloads().to_vec() {
        reader.verify(&at)?;
    }
    let mut file = reader.into_inner();
    file.rewind()?;
    Ok(file)
}

/// Hashes the packages that an index names by relative references. Says whether all are what the
/// index says.
fn named(index: &Path, packages: &[Meta], talk: &mut Talk) -> bool {
    let folder = match folder_of(index) {
        Ok(folder) => folder,
        Err(error) => {
            talk.system(index.display(), &error);
            return false;
        }
    };
    let there = packages.iter().filter_map(|meta| {
        let path = reference::resolve(&folder, meta.uri.as_deref()?)?;
        Some((path, meta))
    });
    let (paths, metas): (Vec<PathBuf>, Vec<&Meta>) = there.unzip();
    let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let mut sound = true;
    let answers = package::survey(&paths, threads, Limits::default());
    for ((path, meta), answer) in paths.iter().zip(metas).zip(answers) {
        let (error, is_of_system): (Box<dyn Error>, _) = match answer {
            Ok(found) => match compare(meta, &found) {
                Ok(()) => continue,
                Err(fault) => (Box::new(fault), false),
            },
            // An index that names what cannot be there is at fault itself.
            Err(SurveyError::Open(error)) if is_of_the_name(&error) => (Box::new(error), false),
            Err(error) => {
                let is_of_system = error.is_of_system();
                (Box::new(error), is_of_system)
            }
        };
        sound = false;
        let subject = format!("{}: {}", index.display(), path.display());
        talk.either(subject, error.as_ref(), IsOfSystem(is_of_system));
    }
    sound
}

/// Whether a file cannot be opened because of what it is called.
fn is_of_the_name(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::InvalidInput
            | io::ErrorKind::InvalidFilename
    )
}

fn folder_of(file: &Path) -> io::Result<PathBuf> {
    let file = fs::canonicalize(file)?;
    Ok(file.parent().map_or_else(PathBuf::new, Path::to_owned))
}

fn compare(listed: &Meta, found: &Meta) -> Result<(), Fault> {
    let (expected, size) = (
        listed.size.unwrap_or_default(),
        found.size.unwrap_or_default(),
    );
    if expected != size {
        return Err(Fault::Size {
            expected,
            found: size,
        });
    }
    if listed.hash != found.hash {
        return Err(Fault::Hash {
            expected: listed.hash.clone().unwrap_or_default(),
            found: found.hash.clone().unwrap_or_default(),
        });
    }
    Ok(())
}
