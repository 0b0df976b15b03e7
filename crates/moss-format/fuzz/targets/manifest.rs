//! Any bytes as a manifest and as an index. What decodes is encoded to a file that reads back
//! equal, and a manifest never differs from itself.

#![no_main]

use libfuzzer_sys::fuzz_target;
use moss_format::payload::Encoding;
use moss_format::{Index, Limits, Manifest};

const FAST: Encoding = Encoding {
    level: 1,
    workers: 0,
};

const LIMITS: Limits = Limits {
    payload: 4 << 20,
    payloads: 16 << 20,
    records: 1 << 16,
    content: 0,
    window_log: 27,
};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(manifest) = Manifest::decode_within(bytes, LIMITS)
        && let Ok(again) = manifest.encode(&FAST)
    {
        let read = Manifest::decode(&again).expect("just made");
        assert_eq!(read.encode(&FAST).expect("it was encoded before"), again);
        assert_eq!(read.packages.len(), manifest.packages.len());
    }
    // The same bytes as an index: only the type in the header differs.
    let mut bytes = bytes.to_vec();
    if let Some(file_type) = bytes.get_mut(27) {
        *file_type = 3;
    }
    if let Ok(index) = Index::decode_within(&bytes, LIMITS) {
        let valid = index.validate().is_ok();
        if let Ok(again) = index.encode(&FAST) {
            assert!(valid);
            let read = Index::decode(&again).expect("just made");
            assert!(read.validate().is_ok());
            assert_eq!(read.encode(&FAST).expect("it was encoded before"), again);
        }
    }
});
