//! The line at the end of a backup, by which a damaged one is told from a whole one.
//!
//! LMDB has no checksums: it finds a page without its header at most, and only when it comes to
//! it, and over a page of nonsense it may well crash. So a backup ends with the SHA-256 of all that
//! stands before, on a line of text (`tail --lines=1` shows it). LMDB never looks behind the last
//! page that its meta page tells of, so that the file is a database with the line as without.

use std::io::{self, Read, Seek, SeekFrom, Write};

use sha2::{Digest as _, Sha256};

/// The first newline is not part of the digest's line: it ends whatever stands before.
const PREFIX: &[u8] = b"\nmoss-db backup sha256 ";
/// The prefix, a digest as people write it, and a newline.
const LENGTH: u64 = PREFIX.len() as u64 + 64 + 1;
/// LMDB's files consist of whole pages, of this size at least.
const PAGE: u64 = 4096;

/// What the end of a file says of the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seal {
    /// All is as it was sealed.
    Sound {
        /// The bytes before the seal.
        length: u64,
    },
    /// Something is not as it was sealed.
    Broken,
    /// There is none, as on the files that LMDB makes: nothing is known.
    Absent,
    /// There is none, and the file does not end with a page: the end is gone or damaged.
    Cut,
}

/// Seals all that is in `file` so far.
pub(super) fn append(file: &mut (impl Read + Write + Seek)) -> io::Result<()> {
    let length = file.seek(SeekFrom::End(0))?;
    let seal = seal_of(file, length)?;
    file.seek(SeekFrom::Start(length))?;
    file.write_all(&seal)
}

/// Compares `file` with its seal.
pub(super) fn examine(file: &mut (impl Read + Seek)) -> io::Result<Seal> {
    let whole = file.seek(SeekFrom::End(0))?;
    let length = whole.saturating_sub(LENGTH);
    file.seek(SeekFrom::Start(length))?;
    let mut end = Vec::new();
    file.by_ref().take(LENGTH).read_to_end(&mut end)?;
    if !end.starts_with(PREFIX) {
        return Ok(match whole.is_multiple_of(PAGE) {
            true => Seal::Absent,
            false => Seal::Cut,
        });
    }
    Ok(match seal_of(file, length)? == end {
        true => Seal::Sound { length },
        false => Seal::Broken,
    })
}

/// The seal that belongs behind the first `length` bytes.
fn seal_of(file: &mut (impl Read + Seek), length: u64) -> io::Result<Vec<u8>> {
    file.rewind()?;
    let mut rest = file.take(length);
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        match rest.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => hasher.update(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let mut seal = PREFIX.to_vec();
    for byte in hasher.finalize() {
        write!(seal, "{byte:02x}")?;
    }
    seal.push(b'\n');
    Ok(seal)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn sealed(pages: usize) -> Vec<u8> {
        let bytes: Vec<u8> = (0_u8..=255).cycle().take(pages << 12).collect();
        let mut file = Cursor::new(bytes);
        append(&mut file).unwrap();
        file.into_inner()
    }

    fn examined(bytes: &[u8]) -> Seal {
        examine(&mut Cursor::new(bytes)).unwrap()
    }

    #[test]
    fn a_seal_is_a_line_that_sha256sum_agrees_with() {
        let bytes = sealed(0);
        assert_eq!(
            String::from_utf8_lossy(&bytes),
            "\nmoss-db backup sha256 \
             e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n"
        );
        assert_eq!(bytes.len() as u64, LENGTH);
        assert_eq!(examined(&bytes), Seal::Sound { length: 0 });
        assert_eq!(examined(&sealed(2)), Seal::Sound { length: 8192 });
    }

    #[test]
    fn no_other_byte_goes_unnoticed() {
        let mut bytes = sealed(1);
        for place in 0..bytes.len() {
            bytes[place] ^= 1;
            let found = examined(&bytes);
            assert!(
                matches!(found, Seal::Broken | Seal::Cut),
                "the byte at {place}: {found:?}"
            );
            bytes[place] ^= 1;
        }
    }

    #[test]
    fn what_has_no_seal_is_whole_pages_or_cut() {
        let bytes = sealed(2);
        assert_eq!(examined(&bytes[..8192]), Seal::Absent);
        assert_eq!(examined(&bytes[..4096]), Seal::Absent);
        assert_eq!(examined(&bytes[..bytes.len() - 1]), Seal::Cut);
        assert_eq!(examined(&bytes[..5000]), Seal::Cut);
        assert_eq!(examined(b"no database"), Seal::Cut);
        assert_eq!(examined(b""), Seal::Absent);
    }
}
