//! What kind of archive is it? The content tells, as names lie and recipes rename.

use std::fs::File;
use std::io::{BufReader, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use super::Unpacked;
use super::place::Place;
use super::{tarball, zipped};

/// The window sizes that zstd frames may ask for: 2^31, the format's largest.
const ZSTD_WINDOW_LOG: u32 = 31;
/// The most memory that an xz stream may make its decoder use.
const XZ_MEMORY: u64 = 1 << 30;

/// Unpacks the archive `source` into `directory` below `root`.
pub(super) fn unpack(
    source: &Path,
    root: &Path,
    directory: &Path,
    strip: u32,
) -> Result<Unpacked, String> {
    let unreadable = |error| format!("cannot read the archive: {error}");
    let mut file = File::open(source).map_err(unreadable)?;
    let mut start = Vec::with_capacity(512);
    (&mut file)
        .take(512)
        .read_to_end(&mut start)
        .map_err(unreadable)?;
    file.seek(SeekFrom::Start(0)).map_err(unreadable)?;
    let mut place = Place::new(root, directory, strip).map_err(|error| error.to_string())?;
    let stream = BufReader::with_capacity(1 << 20, file);
    if start.starts_with(b"\x1f\x8b") {
        tarball::unpack(flate2::bufread::MultiGzDecoder::new(stream), &mut place)
    } else if start.starts_with(b"\xfd7zXZ\0") || is_lzma(&start) {
        let decoder =
            liblzma::stream::Stream::new_auto_decoder(XZ_MEMORY, liblzma::stream::CONCATENATED)
                .map_err(|error| format!("cannot start the xz decoder: {error}"))?;
        tarball::unpack(
            liblzma::bufread::XzDecoder::new_stream(stream, decoder),
            &mut place,
        )
    } else if start.starts_with(b"BZh") {
        tarball::unpack(bzip2::bufread::MultiBzDecoder::new(stream), &mut place)
    } else if start.starts_with(b"\x28\xb5\x2f\xfd") {
        let mut decoder = zstd::stream::read::Decoder::with_buffer(stream)
            .map_err(|error| format!("cannot start the zstd decoder: {error}"))?;
        decoder
            .window_log_max(ZSTD_WINDOW_LOG)
            .map_err(|error| format!("cannot start the zstd decoder: {error}"))?;
        tarball::unpack(decoder, &mut place)
    } else if start.starts_with(b"PK\x03\x04") || start.starts_with(b"PK\x05\x06") {
        zipped::unpack(stream.into_inner(), &mut place)
    } else if start.get(257..262) == Some(b"ustar") {
        tarball::unpack(stream, &mut place)
    } else {
        return Err(
            "it is no archive of a known kind (tar, plain or compressed with gzip, xz, \
             bzip2 or zstd; zip); `unpack: false` leaves it as it is"
                .to_owned(),
        );
    }?;
    Ok(place.done())
}

/// The legacy format has no magic; this is what its encoders write for properties and size.
fn is_lzma(start: &[u8]) -> bool {
    start.starts_with(b"\x5d\0\0") && start.get(5..13) == Some(&[0xff; 8])
}
