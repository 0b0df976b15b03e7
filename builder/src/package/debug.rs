//! Debug information: split from programs and libraries, which are then stripped.
//!
//! The install root is never changed. Each file is copied into an otherwise empty folder, the
//! tools work there, and what they leave replaces the file's content. Files of equal content are
//! treated once, so hard links stay equal.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::io;
use std::path::Path;

use moss_format::Digest;
use thiserror::Error;

use super::analyse::elf::{Class, Elf, Form};
use super::collect::{self, Content, Entry, Kind};
use super::path::InstalledPath;
use super::tools::{Program, ToolError, Tools};

/// The mode bits that a generated debug file has in any case: a regular file, readable by all.
const DEBUG_FILE_MODE: u32 = 0o100_644;
/// The mode bits that it has if its binary has them.
const INHERITED_MODE: u32 = 0o777;
/// The name under which the tools see the file they work on.
const SUBJECT: &str = "binary";

/// A build id in hexadecimal: what names a binary's debug information.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BuildId(String);

impl BuildId {
    /// Linkers write 8 to 32 bytes; from 2 bytes on there is a file name.
    pub(crate) fn new(bytes: &[u8]) -> Option<Self> {
        (2..=64)
            .contains(&bytes.len())
            .then(|| Self(hex::encode(bytes)))
    }

    fn debug_path(&self, class: Class) -> InstalledPath {
        let library = match class {
            Class::Bits32 => "lib32",
            Class::Bits64 => "lib",
        };
        let (folder, _) = self.0.split_at(2);
        [
            "usr",
            library,
            "debug",
            ".build-id",
            folder,
            &self.debug_name(),
        ]
        .into_iter()
        .fold(InstalledPath::root(), |path, part| path.join(part))
    }

    fn debug_name(&self) -> String {
        let (_, rest) = self.0.split_at(2);
        format!("{rest}.debug")
    }
}

/// Whether debug information is split: `debug` of the recipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Split {
    ToDebugFile,
    Leave,
}

/// Whether binaries are stripped: `strip` of the recipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strip {
    Unneeded,
    Leave,
}

/// Why debug information could not be split.
#[derive(Debug, Error)]
pub enum Error {
    /// A tool is missing or ran out of time.
    #[error("cannot treat the binary `{path}`")]
    Tool {
        /// The path on the installed system.
        path: String,
        /// The cause.
        #[source]
        source: ToolError,
    },
    /// The copies could not be made or read.
    #[error("cannot copy the binary `{path}` for treatment")]
    Copy {
        /// The path on the installed system.
        path: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

/// What to strip: programs lose every symbol, libraries keep those that linking needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Symbols {
    KeepNone,
    KeepNeeded,
}

/// Treats the binaries of one install root.
pub(crate) struct Treatment<'a> {
    tools: &'a dyn Tools,
    folder: &'a Path,
    split: Split,
    strip: Strip,
    /// Debug files that the build installed itself.
    taken: BTreeSet<InstalledPath>,
    treated: HashMap<(Digest, Symbols), Content>,
    /// Which debug files were split, in this order.
    generated: Vec<Entry>,
    /// Their contents by path.
    contents: BTreeMap<InstalledPath, Content>,
    count: usize,
}

impl<'a> Treatment<'a> {
    /// `folder` is an empty folder for the results, which must live until they have been read.
    pub(crate) fn new(
        tools: &'a dyn Tools,
        folder: &'a Path,
        split: Split,
        strip: Strip,
        entries: &[Entry],
    ) -> Self {
        let is_debug = |path: &&InstalledPath| path.has_component(".build-id");
        let taken = entries
            .iter()
            .map(|entry| &entry.path)
            .filter(is_debug)
            .cloned()
            .collect();
        Self {
            tools,
            folder,
            split,
            strip,
            taken,
            treated: HashMap::new(),
            generated: Vec::new(),
            contents: BTreeMap::new(),
            count: 0,
        }
    }

    /// The content that takes the place of a binary's, if it is one to be treated: the result of
    /// a link, with a build id.
    ///
    /// A file that the tools refuse, such as one for a machine they do not know, stays as it is;
    /// the log says so.
    pub(crate) fn treat(
        &mut self,
        entry: &Entry,
        content: &Content,
        elf: &Elf,
        log: &mut dyn FnMut(&str),
    ) -> Result<Option<Content>, Error> {
        let nothing_to_do = self.split == Split::Leave && self.strip == Strip::Leave;
        let (Form::Linked, Some(build_id), false) = (elf.form, &elf.build_id, nothing_to_do) else {
            return Ok(None);
        };
        let symbols = match entry.path.folder().file_name() {
            "bin" | "sbin" => Symbols::KeepNone,
            _ => Symbols::KeepNeeded,
        };
        let key = (content.digest, symbols);
        if let Some(treated) = self.treated.get(&key) {
            return Ok(Some(treated.clone()));
        }
        let binary = Binary {
            build_id,
            class: elf.class,
            mode: entry.mode,
            symbols,
        };
        let path = || entry.path.to_string();
        let treated = match self.process(content, &binary) {
            Ok(treated) => treated,
            Err(Failure::Tool(error @ ToolError::Failed { .. })) => {
                log(&format!(
                    "warning: {} stays as it was built: {error}",
                    entry.path
                ));
                content.clone()
            }
            Err(Failure::Tool(source)) => {
                return Err(Error::Tool {
                    path: path(),
                    source,
                });
            }
            Err(Failure::Copy(source)) => {
                return Err(Error::Copy {
                    path: path(),
                    source,
                });
            }
        };
        self.treated.insert(key, treated.clone());
        Ok(Some(treated))
    }

    /// The debug files that were split, in the order of the binaries they belong to.
    pub(crate) fn into_generated(self) -> Vec<Entry> {
        self.generated
    }

    fn process(&mut self, content: &Content, binary: &Binary<'_>) -> Result<Content, Failure> {
        let work = tempfile::Builder::new()
            .prefix("work-")
            .tempdir_in(self.folder)?;
        let mut subject = fs::File::create_new(work.path().join(SUBJECT))?;
        io::copy(&mut collect::open(&content.source)?, &mut subject)?;
        drop(subject);
        self.run(work.path(), binary)?;
        let kept = self.keep(work.path(), binary)?;
        work.close()?;
        Ok(kept)
    }

    /// Runs the tools: split, then strip, then link, so that nothing changes after the link.
    fn run(&self, work: &Path, binary: &Binary<'_>) -> Result<(), Failure> {
        let debug_name = binary.build_id.debug_name();
        let debug_path = binary.build_id.debug_path(binary.class);
        let splits = self.split == Split::ToDebugFile && !self.taken.contains(&debug_path);
        if splits {
            match self.contents.get(&debug_path) {
                // Another binary with this build id was there first; both share its file.
                Some(first) => {
                    let mut shared = fs::File::create_new(work.join(&debug_name))?;
                    io::copy(&mut collect::open(&first.source)?, &mut shared)?;
                }
                None => {
                    let arguments = ["--only-keep-debug", SUBJECT, &debug_name];
                    self.tools.run(Program::Objcopy, &arguments, work)?;
                }
            }
        }
        match (self.strip, binary.symbols) {
            (Strip::Leave, Symbols::KeepNone | Symbols::KeepNeeded) => {}
            (Strip::Unneeded, Symbols::KeepNone) => {
                self.tools.run(Program::Strip, &[SUBJECT], work)?;
            }
            (Strip::Unneeded, Symbols::KeepNeeded) => {
                self.tools
                    .run(Program::Strip, &["-g", "--strip-unneeded", SUBJECT], work)?;
            }
        }
        if splits {
            let link = format!("--add-gnu-debuglink={debug_name}");
            let arguments = ["--remove-section=.gnu_debuglink", &link, SUBJECT];
            self.tools.run(Program::Objcopy, &arguments, work)?;
        }
        Ok(())
    }

    /// Moves the results out of the working folder and reads them.
    fn keep(&mut self, work: &Path, binary: &Binary<'_>) -> io::Result<Content> {
        self.count += 1;
        let subject = self.folder.join(format!("{}", self.count));
        fs::rename(work.join(SUBJECT), &subject)?;
        let debug = work.join(binary.build_id.debug_name());
        let path = binary.build_id.debug_path(binary.class);
        if fs::symlink_metadata(&debug).is_ok() && !self.contents.contains_key(&path) {
            let kept = self.folder.join(format!("{}.debug", self.count));
            fs::rename(debug, &kept)?;
            let content = collect::content(kept)?;
            self.contents.insert(path.clone(), content.clone());
            let mode = DEBUG_FILE_MODE | (binary.mode & INHERITED_MODE);
            self.generated.push(Entry {
                path,
                mode,
                kind: Kind::Regular(content),
            });
        }
        collect::content(subject)
    }
}

/// What is known of the binary under treatment.
struct Binary<'a> {
    build_id: &'a BuildId,
    class: Class,
    mode: u32,
    symbols: Symbols,
}

enum Failure {
    Tool(ToolError),
    Copy(io::Error),
}

impl From<ToolError> for Failure {
    fn from(error: ToolError) -> Self {
        Self::Tool(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Copy(error)
    }
}

/// Whether a file is debug information already, split by an earlier run or by the build itself.
pub(crate) fn is_debug_file(path: &InstalledPath) -> bool {
    path.file_name().ends_with(".debug") && path.folder().has_component("debug")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_files_lie_under_their_build_id() {
        let id = BuildId::new(&[0xab, 0xcd, 0xef, 0x01]).unwrap();
        assert_eq!(
            id.debug_path(Class::Bits64).as_str(),
            "/usr/lib/debug/.build-id/ab/cdef01.debug"
        );
        assert_eq!(
            id.debug_path(Class::Bits32).as_str(),
            "/usr/lib32/debug/.build-id/ab/cdef01.debug"
        );
        assert_eq!(BuildId::new(&[0xab]), None);
        assert_eq!(BuildId::new(&[0; 65]), None);
        assert!(is_debug_file(&id.debug_path(Class::Bits64)));
    }
}
