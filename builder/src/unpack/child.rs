//! The helper process that unpacks.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use moss_format::package::Package;
use moss_format::unpack::Options;
use service::error::Chain;

use super::{Job, Unpacked, archive};

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
        Job::Stones { sources, target } => stones(&sources, &target),
    }
}

fn stones(sources: &[PathBuf], target: &Path) -> Result<Unpacked, String> {
    let mut done = Unpacked::default();
    let mut provides = BTreeSet::new();
    for source in sources {
        let name = source.file_name().unwrap_or(source.as_os_str()).display();
        let failed = |error: &(dyn std::error::Error + 'static)| {
            format!("cannot unpack the stone {name}: {}", Chain(error))
        };
        let file = File::open(source).map_err(|error| failed(&error))?;
        let mut package = Package::open(BufReader::new(file)).map_err(|error| failed(&error))?;
        done.entries += package.layout().len() as u64;
        done.bytes += package
            .slices()
            .iter()
            .map(|slice| slice.end.saturating_sub(slice.start))
            .sum::<u64>();
        provides.extend(package.meta().provides.iter().map(ToString::to_string));
        moss_format::unpack::unpack(&mut package, target, &Options::default())
            .map_err(|error| failed(&error))?;
    }
    done.provides = provides.into_iter().collect();
    Ok(done)
}
