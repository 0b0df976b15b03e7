//! Zip archives.

use std::fs::File;
use std::io::Read as _;

use zip::ZipArchive;

use super::place::Place;

/// The longest text of a symbolic link.
const MAX_LINK: u64 = 4096;
/// The file types of st_mode.
const TYPE: u32 = 0o170_000;
const SYMLINK: u32 = 0o120_000;

/// Unpacks a zip file.
pub(super) fn unpack(file: File, place: &mut Place) -> Result<(), String> {
    let damaged = |error| format!("a damaged zip archive: {error}");
    let mut archive = ZipArchive::new(file).map_err(damaged)?;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(damaged)?;
        let name = entry.name().map_err(damaged)?.as_bytes().to_vec();
        let mode = entry.unix_mode().unwrap_or(0o644);
        let modified = entry.last_modified().and_then(seconds);
        if entry.is_dir() {
            place.folder(&name)
        } else if mode & TYPE == SYMLINK {
            let mut target = Vec::new();
            (&mut entry)
                .take(MAX_LINK)
                .read_to_end(&mut target)
                .map_err(|error| format!("a damaged zip archive: {error}"))?;
            place.symlink(&name, &target)
        } else {
            place.file(&name, mode, modified, &mut entry)
        }
        .map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// The time in Unix seconds; zip files have it without a zone, so it is taken for UTC.
fn seconds(time: zip::DateTime) -> Option<u64> {
    let field = |value: u8| i8::try_from(value).ok();
    let civil = jiff::civil::DateTime::new(
        i16::try_from(time.year()).ok()?,
        field(time.month())?,
        field(time.day())?,
        field(time.hour())?,
        field(time.minute())?,
        field(time.second().min(59))?,
        0,
    )
    .ok()?;
    let zoned = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    u64::try_from(zoned.timestamp().as_second()).ok()
}
