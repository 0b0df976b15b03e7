//! Any bytes as a manifest. What decodes is encoded to a file that reads back equal, with what is not
//! understood in its place, and a manifest never differs from itself.

#![no_main]

use libfuzzer_sys::fuzz_target;
use moss_format::Manifest;
use moss_format_fuzz::{FAST, LIMITS, half_repaired};

fuzz_target!(|bytes: &[u8]| {
    let bytes = half_repaired(bytes);
    let Ok(manifest) = Manifest::decode_within(&bytes, LIMITS) else {
        return;
    };
    assert_eq!(manifest.mismatches(&manifest), []);
    let Ok(again) = manifest.encode(&FAST) else {
        return;
    };
    let read = Manifest::decode(&again).expect("just made");
    assert_eq!(read.encode(&FAST).expect("it was encoded before"), again);
    assert_eq!(read.packages.len(), manifest.packages.len());
    assert_eq!(read.kept(), manifest.kept());
});
