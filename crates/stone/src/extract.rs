//! `stone extract`.

use std::fs::File;
use std::io::{self, BufReader};

use moss_format::layout::Entry;
use moss_format::package::{Package, ReadError};
use moss_format::unpack::{self, Options, SetId};

use crate::cli::Extract;
use crate::talk::{IsOfSystem, Talk};

/// Why a package was not unpacked.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Open(#[from] io::Error),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Unpack(#[from] unpack::Error),
    #[error("the package has nothing at the path {0:?}")]
    NoPath(String),
}

impl Fault {
    fn is_of_system(&self) -> bool {
        match self {
            Self::Open(_) => true,
            Self::Read(error) => error.is_of_system(),
            Self::Unpack(error) => error.is_of_system(),
            Self::NoPath(_) => false,
        }
    }
}

pub(crate) fn run(arguments: &Extract, talk: &mut Talk) {
    match extract(arguments) {
        Ok(0) => {}
        Ok(cleared) => talk.say(format!(
            "cleared the set-user-id and set-group-id bits of {cleared} path{}; --setuid keeps them",
            if cleared == 1 { "" } else { "s" }
        )),
        Err(fault) => {
            let is_of_system = IsOfSystem(fault.is_of_system());
            talk.either(arguments.file.display(), &fault, is_of_system);
        }
    }
}

/// Unpacks, and gives how many paths lost their set-id bits.
fn extract(arguments: &Extract) -> Result<usize, Fault> {
    let file = BufReader::new(File::open(&arguments.file)?);
    let mut package = Package::open(file)?;
    let wanted = wanted(arguments, package.layout())?;
    let is_wanted = |entry: &Entry| {
        wanted.is_empty()
            || wanted
                .iter()
                .any(|path| is_at_or_below(&entry.target, path))
    };
    let set_id = |entry: &&Entry| entry.mode & 0o6000 != 0 && is_wanted(entry);
    let (set_id, cleared) = if arguments.setuid {
        (SetId::Keep, 0)
    } else {
        (SetId::Clear, package.layout().iter().filter(set_id).count())
    };
    let options = Options { set_id };
    unpack::unpack_some(&mut package, &arguments.folder, &options, is_wanted)?;
    Ok(cleared)
}

/// The paths asked for, below `/usr`; each has to be one of the package's.
fn wanted(arguments: &Extract, layout: &[Entry]) -> Result<Vec<String>, Fault> {
    let find = |asked: &String| {
        let path = asked.trim_matches('/');
        let path = match path {
            "usr" => Some(""),
            path => path.strip_prefix("usr/"),
        };
        let is_there = |path: &&str| {
            layout
                .iter()
                .any(|entry| is_at_or_below(&entry.target, path))
        };
        let path = path.filter(is_there);
        path.map(str::to_owned)
            .ok_or_else(|| Fault::NoPath(asked.clone()))
    };
    arguments.paths.iter().map(find).collect()
}

fn is_at_or_below(target: &str, path: &str) -> bool {
    if path.is_empty() {
        return true;
    }
    let rest = target.strip_prefix(path);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
