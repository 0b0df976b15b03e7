//! `stone install`.

use std::error::Error;
use std::fs;
use std::io::{self, Write};

use moss_format::{Dependency, Meta};
use moss_root::{Conflict, Installed, Order};
use url::Url;

use crate::cli::Install;
use crate::printable::Printable;
use crate::talk::{IsOfSystem, Talk};

/// Two packages have one path.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Shared(Conflict);

pub(crate) fn run(arguments: &Install, talk: &mut Talk, out: &mut dyn Write) -> io::Result<()> {
    let Some(order) = order(arguments, talk) else {
        return Ok(());
    };
    let installed = match install(&order) {
        Ok(Ok(installed)) => installed,
        Ok(Err(error)) => {
            let is_of_system = IsOfSystem(error.is_of_system());
            talk.either(arguments.to.display(), &error, is_of_system);
            return Ok(());
        }
        Err(error) => {
            talk.system("the async runtime", &error);
            return Ok(());
        }
    };
    for conflict in installed.conflicts {
        talk.input(arguments.to.display(), &Shared(conflict));
    }
    for meta in &installed.packages {
        writeln!(out, "{}", Printable(full_name(meta)))?;
    }
    Ok(())
}

/// What is asked for, or what is wrong with how it is asked.
fn order(arguments: &Install, talk: &mut Talk) -> Option<Order> {
    let index = match index(&arguments.index) {
        Ok(index) => index,
        Err(error) => {
            talk.system(&arguments.index, error.as_ref());
            return None;
        }
    };
    let mut wanted = Vec::new();
    for name in &arguments.names {
        match name.parse::<Dependency>() {
            Ok(dependency) => wanted.push(dependency),
            Err(error) => talk.input(name, &error),
        }
    }
    talk.is_clean().then(|| Order {
        index,
        wanted,
        folder: arguments.to.clone(),
    })
}

/// A URL as it is, and a file of this machine as one.
fn index(text: &str) -> Result<Url, Box<dyn Error>> {
    if text.contains("://") {
        return Ok(text.parse()?);
    }
    let path = fs::canonicalize(text)?;
    // It is absolute.
    Url::from_file_path(path).map_err(|()| io::Error::from(io::ErrorKind::InvalidFilename).into())
}

fn install(order: &Order) -> io::Result<Result<Installed, moss_root::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(moss_root::install(order)))
}

fn full_name(meta: &Meta) -> String {
    format!("{} {}-{}", meta.name, meta.version, meta.release)
}
