//! From an install root to packages: collect, treat, split, analyse, emit.
//!
//! 1. `collect` walks the install root, without following anything.
//! 2. `debug` splits debug information from binaries and strips them, through [`Tools`].
//! 3. `split` decides for each file which package it goes to: by the built-in templates, then
//!    the recipe's paths, then its packages; the last rule that matches wins.
//! 4. `analyse` finds what each file provides and needs.
//! 5. `write` writes one `.stone` for each package that has files, and the manifests.
//!
//! The install root is only read, and the output depends on nothing but the [`Input`] and the
//! tools: the same input gives the same bytes.

mod analyse;
mod collect;
mod debug;
mod path;
mod split;
mod template;
mod tools;
mod write;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use api::id::Sha256;
use moss_format::Meta;
use moss_format::dependency::Provider;
use moss_format::recipe::Recipe;
use thiserror::Error;

pub use self::collect::Error as CollectError;
pub use self::debug::Error as DebugError;
pub use self::split::Error as SplitError;
pub use self::tools::{HostTools, Program, ToolError, Tools};
pub use self::write::Error as WriteError;

use self::analyse::elf::{self, Elf};
use self::analyse::{Findings, Surroundings};
use self::collect::{Collected, Entry, Kind, Libtool, Reason};
use self::debug::{Split, Strip, Treatment};
use self::split::Plan;

/// How many left-out files are named in the log for each reason; the others are counted.
const NAMED_LIMIT: usize = 20;

/// What packages are made from.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// The recipe that was built.
    pub recipe: &'a Recipe,
    /// The folder into which the build installed. Its last process has ended.
    pub install_root: &'a Path,
    /// Counts the builds of one release of the recipe, from 1.
    pub build_release: u64,
    /// The architecture, such as `x86_64`.
    pub architecture: &'a str,
    /// What the packages in the build's root provide. It tells 32-bit pkg-config modules from
    /// others and finds libraries of other packages in search paths; it may be empty.
    pub available: &'a BTreeSet<Provider>,
    /// The most that the regular files may hold together, in bytes.
    pub limit: u64,
    /// Runs `objcopy` and `strip`.
    pub tools: &'a dyn Tools,
    /// An existing folder for copies of binaries, which the tools must be able to write. What is
    /// put there is removed again.
    pub scratch: &'a Path,
    /// An existing folder for the packages and manifests. A file of the same name is replaced.
    pub output: &'a Path,
}

/// What was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The packages, by name.
    pub stones: Vec<Emitted>,
    /// `manifest.<arch>.bin`.
    pub manifest_bin: Written,
    /// `manifest.<arch>.jsonc`, for people.
    pub manifest_jsonc: Written,
}

/// A package that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Emitted {
    /// Where it lies.
    pub path: PathBuf,
    /// Its file name.
    pub file_name: String,
    /// What it hashes to.
    pub sha256: Sha256,
    /// Its size in bytes.
    pub size: u64,
    /// What it says about itself.
    pub meta: Meta,
}

/// A file that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Where it lies.
    pub path: PathBuf,
    /// Its file name.
    pub file_name: String,
    /// What it hashes to.
    pub sha256: Sha256,
    /// Its size in bytes.
    pub size: u64,
}

/// Why no packages were made.
#[derive(Debug, Error)]
pub enum Error {
    /// The recipe's rules for packages are wrong.
    #[error("cannot plan the packages of the recipe")]
    Split(#[from] SplitError),
    /// The install root cannot be read.
    #[error("cannot collect the installed files")]
    Collect(#[from] CollectError),
    /// There is nothing to package.
    #[error("the build installed nothing under /usr, so there is nothing to package")]
    Empty,
    /// The scratch folder cannot be used.
    #[error("cannot work in the scratch folder {path}")]
    Scratch {
        /// The folder.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A binary's headers cannot be read from the disk.
    #[error("cannot read the headers of `{path}`")]
    Headers {
        /// The path on the installed system.
        path: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// Debug information cannot be split.
    #[error("cannot split debug information")]
    Debug(#[from] DebugError),
    /// A package or manifest cannot be written.
    #[error("cannot write the packages")]
    Write(#[from] WriteError),
}

/// A file with what its ELF headers say.
struct Examined {
    entry: Entry,
    elf: Option<Elf>,
}

/// One package with its files.
struct Filled<'a> {
    package: &'a split::Package,
    entries: Vec<&'a Entry>,
    findings: Findings,
}

/// Makes the packages and manifests of a build.
///
/// `log` gets warnings and progress, a line at a time without its end. It blocks, for as long as
/// reading, treating and compressing the files takes.
///
/// # Errors
/// See [`enum@Error`]. A file that is already written then stays; none of them is half written.
pub fn emit(input: Input<'_>, log: &mut dyn FnMut(&str)) -> Result<Output, Error> {
    let plan = Plan::new(input.recipe)?;
    let options = &input.recipe.options;
    let libtool = if *options.lastrip {
        Libtool::LeaveOut
    } else {
        Libtool::Keep
    };
    let collected = collect::walk(input.install_root, libtool, input.limit)?;
    report_left(&collected, log);
    if collected.entries.is_empty() {
        return Err(Error::Empty);
    }
    // Who runs the tools may be another user and must get through to the folders they work in.
    let scratch = tempfile::Builder::new()
        .prefix("package-")
        .permissions(fs::Permissions::from_mode(0o711))
        .tempdir_in(input.scratch)
        .map_err(|source| Error::Scratch {
            path: input.scratch.to_owned(),
            source,
        })?;
    let examined = examine(&input, collected.entries, scratch.path(), log)?;
    let filled = fill(&input, &plan, &examined, log);
    Ok(write::write(&input, &filled, log)?)
}

fn report_left(collected: &Collected, log: &mut dyn FnMut(&str)) {
    for (reason, why) in [
        (Reason::OutsideUsr, "it lies outside /usr"),
        (Reason::Libtool, "it is a libtool archive"),
    ] {
        let paths = collected.left.iter().filter(|left| left.reason == reason);
        let count = paths.clone().count();
        for left in paths.take(NAMED_LIMIT) {
            log(&format!("warning: {} is left out: {why}", left.path));
        }
        if count > NAMED_LIMIT {
            let others = count - NAMED_LIMIT;
            log(&format!(
                "warning: {others} more are left out for this reason: {why}"
            ));
        }
    }
}

/// Reads the headers of every binary and treats it; debug files that were split come last.
fn examine(
    input: &Input<'_>,
    entries: Vec<Entry>,
    scratch: &Path,
    log: &mut dyn FnMut(&str),
) -> Result<Vec<Examined>, Error> {
    let options = &input.recipe.options;
    let split = if *options.debug {
        Split::ToDebugFile
    } else {
        Split::Leave
    };
    let strip = if *options.strip {
        Strip::Unneeded
    } else {
        Strip::Leave
    };
    let mut treatment = Treatment::new(input.tools, scratch, split, strip, &entries);
    let mut examined = Vec::with_capacity(entries.len());
    for mut entry in entries {
        let elf = headers(&entry, log)?;
        if let (Kind::Regular(content), Some(elf)) = (&entry.kind, &elf)
            && let Some(treated) = treatment.treat(&entry, content, elf, log)?
        {
            entry.kind = Kind::Regular(treated);
        }
        examined.push(Examined { entry, elf });
    }
    let generated = treatment.into_generated().into_iter();
    examined.extend(generated.map(|entry| Examined { entry, elf: None }));
    Ok(examined)
}

/// The ELF headers of a file that is neither debug information nor broken.
fn headers(entry: &Entry, log: &mut dyn FnMut(&str)) -> Result<Option<Elf>, Error> {
    let Kind::Regular(content) = &entry.kind else {
        return Ok(None);
    };
    if debug::is_debug_file(&entry.path) {
        return Ok(None);
    }
    let file = collect::open(&content.source).map_err(|source| Error::Headers {
        path: entry.path.to_string(),
        source,
    })?;
    Ok(match elf::read(&file) {
        elf::Outcome::Elf(elf) => Some(elf),
        elf::Outcome::NotElf => None,
        elf::Outcome::Malformed(why) => {
            log(&format!(
                "warning: {} is a malformed ELF file: {why}",
                entry.path
            ));
            None
        }
    })
}

/// Gives each file to its package and analyses it there. Packages without files are left out.
fn fill<'a>(
    input: &Input<'_>,
    plan: &'a Plan,
    examined: &'a [Examined],
    log: &mut dyn FnMut(&str),
) -> Vec<Filled<'a>> {
    let surroundings = Surroundings {
        installed: examined
            .iter()
            .map(|examined| &examined.entry.path)
            .collect(),
        available: input.available,
        architecture: input.architecture,
    };
    let new = |package| Filled {
        package,
        entries: Vec::new(),
        findings: Findings::default(),
    };
    let mut filled: Vec<Filled<'_>> = plan.packages().iter().map(new).collect();
    for Examined { entry, elf } in examined {
        if let Some(package) = plan
            .owner(&entry.path)
            .and_then(|owner| filled.get_mut(owner))
        {
            surroundings.analyse(entry, elf.as_ref(), &mut package.findings, log);
            package.entries.push(entry);
        }
    }
    filled.retain(|package| !package.entries.is_empty());
    filled.sort_by(|a, b| a.package.name.cmp(&b.package.name));
    filled
}
