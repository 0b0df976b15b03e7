//! What several targets share.

use std::borrow::Cow;

use moss_format::payload::{Encoding, Error, Level};
use moss_format::stone::View;
use moss_format::{Digest, Limits};

/// Small enough that a fault shows as memory far above what the input deserves.
pub const LIMITS: Limits = Limits {
    file: 4 << 20,
    payload: 1 << 20,
    payloads: 4 << 20,
    records: 1 << 16,
    content: 16 << 20,
    unpacked: 4 << 20,
    unpacked_paths: 1 << 12,
    window_log: 27,
    ..Limits::DEFAULT
};

/// Encoding that takes little time.
pub const FAST: Encoding = Encoding {
    level: Level::FASTEST,
    workers: 0,
};

/// The input, in one half of all cases with the checksum of each payload set right: else hardly any
/// input would come to what lies behind that check. Which half it is in, each input tells by itself,
/// so that a fault shows again.
#[must_use]
pub fn half_repaired(bytes: &[u8]) -> Cow<'_, [u8]> {
    if Digest::of(bytes).as_u128() & 1 == 0 {
        return Cow::Borrowed(bytes);
    }
    let mut repaired = bytes.to_vec();
    let payloads = View::new(bytes)
        .into_iter()
        .flat_map(|view| view.payloads());
    for payload in payloads.map_while(Result::ok) {
        let Err(Error::Checksum { offset, found, .. }) = payload.verify() else {
            continue;
        };
        let checksum = usize::try_from(offset).expect("it lies in memory") + 16;
        repaired[checksum..checksum + 8].copy_from_slice(&found.to_be_bytes());
    }
    Cow::Owned(repaired)
}
