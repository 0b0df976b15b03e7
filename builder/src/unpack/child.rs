//! The helper process that unpacks.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use moss_format::Limits;
use moss_format::package::Package;
use moss_format::unpack::{FolderModes, Options, unpack_before_modes};
use service::error::Chain;

use super::{Job, Unpacked, archive};

/// The most bytes that the stones of one attempt may come to together.
const MAX_BYTES: u64 = Limits::DEFAULT.unpacked;

/// Does a job.
pub(crate) fn run(job: Job) -> Result<Unpacked, String> {
    match job {
        Job::Archive {
            source,
            root,
            directory,
            strip,
        } => archive::unpack(&source, &root, &directory, strip).map_err(|error| {
            let name = source.file_name().unwrap_or(source.as_os_str());
            format!("cannot unpack {}: {error}", name.display())
        }),
        Job::Stones { sources, target } => stones(&sources, &target, MAX_BYTES),
    }
}

/// Lays stones over each other that come to this many bytes at most. A file counts for each of its
/// paths: one stone can name a small content many times.
fn stones(sources: &[PathBuf], target: &Path, most: u64) -> Result<Unpacked, String> {
    let mut done = Unpacked::default();
    let mut provides = BTreeSet::new();
    let mut modes = FolderModes::default();
    for source in sources {
        let name = source.file_name().unwrap_or(source.as_os_str()).display();
        let failed = |error: &(dyn std::error::Error + 'static)| {
            format!("cannot unpack the stone {name}: {}", Chain(error))
        };
        let file = File::open(source).map_err(|error| failed(&error))?;
        let limits = Limits {
            unpacked: most.saturating_sub(done.bytes),
            ..Limits::default()
        };
        let mut package =
            Package::open_within(BufReader::new(file), limits).map_err(|error| failed(&error))?;
        done.entries += package.layout().len() as u64;
        done.bytes = done
            .bytes
            .saturating_add(package.unpacked_size(package.layout()));
        provides.extend(package.meta().provides.iter().map(ToString::to_string));
        let options = Options::default();
        unpack_before_modes(&mut package, target, &options, |_| true, &mut modes)
            .map_err(|error| failed(&error))?;
    }
    // After all stones: a folder that nobody may write into can hold files of several.
    modes.set(target).map_err(|error| {
        let error = Chain(&error);
        format!("cannot set the modes of the stones' folders: {error}")
    })?;
    done.provides = provides.into_iter().collect();
    Ok(done)
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::io::{self, Cursor, Read};
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::PathBuf;

    use moss_format::layout::{Entry, Kind};
    use moss_format::package::{self, Contents};
    use moss_format::payload::Encoding;
    use moss_format::{Digest, Meta};

    use super::stones;

    /// Ten bytes for every path.
    struct Ten;

    impl Contents for Ten {
        fn size(&mut self, _: &Entry) -> io::Result<u64> {
            Ok(10)
        }

        fn open(&mut self, _: &Entry) -> io::Result<Box<dyn Read + '_>> {
            Ok(Box::new(&b"0123456789"[..]))
        }
    }

    /// A stone with one content at three paths.
    fn stone(folder: &tempfile::TempDir, name: &str) -> PathBuf {
        let meta = Meta {
            name: name.to_owned(),
            ..Meta::default()
        };
        let layout: Vec<Entry> = (0..3)
            .map(|number| {
                let content = Kind::Regular(Digest::of(b"0123456789"));
                entry(format!("share/{name}/{number}"), 0o100_644, content)
            })
            .collect();
        write(folder, &meta, &layout)
    }

    fn write(folder: &tempfile::TempDir, meta: &Meta, layout: &[Entry]) -> PathBuf {
        let out = Cursor::new(Vec::new());
        let written = package::write(out, meta, layout, &mut Ten, &Encoding::default());
        let path = folder.path().join(&meta.name);
        std::fs::write(&path, written.unwrap().into_inner()).unwrap();
        path
    }

    fn entry(target: String, mode: u32, kind: Kind) -> Entry {
        Entry {
            uid: 0,
            gid: 0,
            mode,
            tag: 0,
            kind,
            target,
        }
    }

    #[test]
    fn a_folder_that_nobody_may_write_into_takes_files_of_several_stones() {
        let folder = tempfile::tempdir().unwrap();
        let sources = ["a", "b"].map(|name| {
            let meta = Meta {
                name: name.to_owned(),
                ..Meta::default()
            };
            let content = Kind::Regular(Digest::of(b"0123456789"));
            let layout = [
                entry("locked".to_owned(), 0o040_555, Kind::Directory),
                entry(format!("locked/{name}"), 0o100_644, content),
            ];
            write(&folder, &meta, &layout)
        });
        let target = folder.path().join("all");
        stones(&sources, &target, 60).unwrap();
        let locked = target.join("usr/locked");
        assert_eq!(std::fs::read_dir(&locked).unwrap().count(), 2);
        let mode = locked.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o555);
        // The temporary folder is removed by its owner, who may not be root.
        std::fs::set_permissions(&locked, Permissions::from_mode(0o755)).unwrap();
        // Nothing is made of nothing.
        stones(&[], &folder.path().join("none"), 60).unwrap();
    }

    #[test]
    fn stones_share_a_limit_and_count_every_path() {
        let folder = tempfile::tempdir().unwrap();
        let sources = ["a", "b"].map(|name| stone(&folder, name));
        let root = |name: &str| folder.path().join(name);
        let done = stones(&sources, &root("all"), 60).unwrap();
        assert_eq!((done.entries, done.bytes), (6, 60));
        let refused = stones(&sources, &root("some"), 59).unwrap_err();
        assert!(refused.contains("the stone b"), "{refused}");
        assert!(root("some/usr/share/a/2").exists());
        assert!(!root("some/usr/share/b").exists());
    }
}
