//! Tar archives.

use std::io::Read;

use tar::EntryType;

use super::place::Place;

/// Unpacks a tar stream.
pub(super) fn unpack(stream: impl Read, place: &mut Place) -> Result<(), String> {
    let mut archive = tar::Archive::new(stream);
    let entries = archive
        .entries()
        .map_err(|error| format!("no tar archive: {error}"))?;
    for entry in entries {
        let mut entry = entry.map_err(|error| format!("a damaged tar archive: {error}"))?;
        let name = entry.path_bytes().into_owned();
        let mode = entry.header().mode().unwrap_or(0o644);
        let modified = entry.header().mtime().ok();
        let link = entry
            .link_name_bytes()
            .map(|link| link.into_owned())
            .unwrap_or_default();
        let kind = entry.header().entry_type();
        // An old tar marks a folder by a name that ends in a slash.
        if kind.is_dir() || (is_file(kind) && name.ends_with(b"/")) {
            place.folder(&name)
        } else if is_file(kind) {
            place.file(&name, mode, modified, &mut entry)
        } else if kind.is_symlink() {
            place.symlink(&name, &link)
        } else if kind.is_hard_link() {
            place.hard_link(&name, &link)
        } else {
            // A header that says something of the archive, or a device, which no source needs.
            Ok(())
        }
        .map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn is_file(kind: EntryType) -> bool {
    kind.is_file() || kind.is_contiguous() || kind.is_gnu_sparse()
}
