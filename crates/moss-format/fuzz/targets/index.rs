//! Any bytes as an index. What can be taken over is written to an index that says the same, and so
//! is what is decoded and encoded anew; what is not understood stays as it is.

#![no_main]

use libfuzzer_sys::fuzz_target;
use moss_format::Index;
use moss_format::index::{self, Taken};
use moss_format_fuzz::{FAST, LIMITS, half_repaired};

fuzz_target!(|bytes: &[u8]| {
    let bytes = half_repaired(bytes);
    let taken = index::entries_within(&bytes, LIMITS);
    let Ok(decoded) = Index::decode_within(&bytes, LIMITS) else {
        assert!(taken.is_err());
        return;
    };
    if let Ok(taken) = taken {
        assert_eq!(taken.entries.len(), decoded.packages.len());
        assert_eq!(taken.kept, decoded.kept());
        rewritten(&taken, decoded.validate().is_ok());
    }
    let Ok(again) = decoded.encode(&FAST) else {
        return;
    };
    assert!(decoded.validate().is_ok());
    let read = Index::decode(&again).expect("just made");
    assert!(read.validate().is_ok());
    assert_eq!(read.kept(), decoded.kept());
    assert_eq!(read.encode(&FAST).expect("it was encoded before"), again);
});

/// Writes the entries as they are: once they are sorted, that changes nothing.
fn rewritten(taken: &Taken, valid: bool) {
    let mut once = Vec::new();
    let written = index::write_keeping(&taken.entries, &taken.kept, &mut once);
    // Each entry is valid; only two with one hash cannot stand together.
    assert_eq!(written.is_ok(), valid);
    if !valid {
        return;
    }
    let sorted = index::entries(&once).expect("just made");
    assert_eq!(sorted.kept, taken.kept);
    assert_eq!(sorted.entries.len(), taken.entries.len());
    let mut twice = Vec::new();
    index::write_keeping(&sorted.entries, &sorted.kept, &mut twice).expect("it was written before");
    assert_eq!(twice, once);
}
