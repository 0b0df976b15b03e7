//! Source archives whose bytes depend on nothing but the files in them.

use flate2::Crc;
use tar::{EntryType, Header};

/// The most bytes of a stored block.
const BLOCK: usize = 0xffff;

/// A gzip header without a name, a time or a system: the method is deflate, the system unknown.
const GZIP_HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// Packs `files` (path and content) below the folder `top` into a `.tar.gz`: sorted, owned by
/// root, without times, with fixed modes.
///
/// The compressed data is stored, not deflated: these archives are small, and so their bytes do
/// not change with the compressor.
///
/// # Errors
/// When a path cannot stand in an archive.
pub fn pack(top: &str, files: &[(&str, &[u8])]) -> std::io::Result<Vec<u8>> {
    let mut sorted = files.to_vec();
    sorted.sort_unstable();
    let mut archive = tar::Builder::new(Vec::new());
    let mut folders = vec![format!("{top}/")];
    append(&mut archive, EntryType::Directory, &folders[0], &[])?;
    for (path, content) in sorted {
        for (at, _) in path.match_indices('/') {
            let folder = format!("{top}/{}/", &path[..at]);
            if !folders.contains(&folder) {
                append(&mut archive, EntryType::Directory, &folder, &[])?;
                folders.push(folder);
            }
        }
        let path = format!("{top}/{path}");
        append(&mut archive, EntryType::Regular, &path, content)?;
    }
    Ok(gzip(&archive.into_inner()?))
}

fn append(
    archive: &mut tar::Builder<Vec<u8>>,
    kind: EntryType,
    path: &str,
    content: &[u8],
) -> std::io::Result<()> {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_path(path)?;
    header.set_mode(if kind.is_dir() { 0o755 } else { 0o644 });
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(content.len() as u64);
    header.set_cksum();
    archive.append(&header, content)
}

/// `bytes` as a gzip member of stored blocks.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GZIP_HEADER.to_vec();
    let mut rest = bytes;
    loop {
        let (block, after) = rest.split_at(rest.len().min(BLOCK));
        packed.push(u8::from(after.is_empty()));
        let length = u16::try_from(block.len()).expect("a block is no longer than BLOCK");
        packed.extend(length.to_le_bytes());
        packed.extend((!length).to_le_bytes());
        packed.extend(block);
        rest = after;
        if rest.is_empty() {
            break;
        }
    }
    let mut crc = Crc::new();
    crc.update(bytes);
    packed.extend(crc.sum().to_le_bytes());
    // The format keeps the length modulo 2³², as the checksum's counter does.
    packed.extend(crc.amount().to_le_bytes());
    packed
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    #[test]
    fn an_archive_unpacks_to_its_files_and_does_not_depend_on_their_order() {
        let big = vec![7u8; 3 * BLOCK];
        let files: [(&str, &[u8]); 3] = [("b", &big), ("a/deep/x", b"x"), ("a/y", b"")];
        let packed = pack("top-1", &files).unwrap();
        let mut reversed = files;
        reversed.reverse();
        assert_eq!(packed, pack("top-1", &reversed).unwrap());

        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(&packed[..]));
        let mut seen = Vec::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().display().to_string();
            let header = entry.header();
            assert_eq!(header.mtime().unwrap(), 0, "{path}");
            assert_eq!((header.uid().unwrap(), header.gid().unwrap()), (0, 0));
            let mode = header.mode().unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            seen.push(format!("{mode:o} {path} {}", content.len()));
        }
        assert_eq!(
            seen,
            [
                "755 top-1/ 0",
                "755 top-1/a/ 0",
                "755 top-1/a/deep/ 0",
                "644 top-1/a/deep/x 1",
                "644 top-1/a/y 0",
                "644 top-1/b 196605",
            ]
        );
    }
}
