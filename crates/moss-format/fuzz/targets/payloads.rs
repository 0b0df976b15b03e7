//! Any bytes as the records of each kind of payload, plain and compressed. What decodes is encoded
//! to records that read back equal.

#![no_main]

use libfuzzer_sys::fuzz_target;
use moss_format::payload::{Decoder, Encoded, Encoding, Kind, Level};
use moss_format::{Limits, Meta, attributes, content, layout};
use moss_format_fuzz::FAST;

fuzz_target!(|bytes: &[u8]| {
    let Some((&[kind, records], plain)) = bytes.split_first_chunk() else {
        return;
    };
    let mut decoder = Decoder::new(Limits::default());
    // The high bits of the first byte choose the level, so that encoding is fuzzed as well.
    let level = Level::new(1 + i32::from(kind >> 3) % 22).expect("it is from 1 to 22");
    let encoding = Encoding { level, workers: 0 };
    let kind = Kind::from_byte(kind & 7);
    let records = u32::from(records);
    if records > 0 {
        let encoded =
            Encoded::encode(kind, records as usize, plain, &encoding).expect("it has records");
        assert_eq!(decoder.plain(&encoded).expect("just made"), plain);
    }
    match kind {
        Kind::Meta => meta(&mut decoder, plain, records),
        Kind::Layout => {
            if let Ok(entries) = layout::decode(plain, records)
                && !entries.is_empty()
            {
                // What is too long for a record cannot have come from one.
                let again = layout::encode(&entries, &FAST).expect("it was decoded");
                let plain = decoder.plain(&again).expect("just made");
                let read = layout::decode(&plain, again.header().records);
                assert_eq!(read.expect("just made"), entries);
                for entry in &entries {
                    let _ = entry.path();
                }
            }
        }
        Kind::Index => {
            if let Ok(slices) = content::decode_index(plain, records)
                && !slices.is_empty()
            {
                let again = content::encode_index(&slices, &FAST).expect("it was decoded");
                assert_eq!(decoder.plain(&again).expect("just made"), plain);
            }
        }
        Kind::Attributes => {
            if let Ok(pairs) = attributes::decode(plain, records)
                && !pairs.is_empty()
            {
                let again = attributes::encode(&pairs, &FAST).expect("it was decoded");
                assert_eq!(decoder.plain(&again).expect("just made"), plain);
            }
        }
        Kind::Content | Kind::Other(_) => {}
    }
});

fn meta(decoder: &mut Decoder, plain: &[u8], records: u32) {
    let Ok(meta) = Meta::decode(plain, records) else {
        return;
    };
    // Some values can be read but not written, such as an empty name.
    let Ok(again) = meta.encode(&FAST) else {
        return;
    };
    let plain = decoder.plain(&again).expect("just made").into_owned();
    let read = Meta::decode(&plain, again.header().records).expect("just made");
    let once = read.encode(&FAST).expect("it was encoded before");
    assert_eq!(decoder.plain(&once).expect("just made"), plain);
    assert_eq!((&read.name, &read.version), (&meta.name, &meta.version));
    assert_eq!(
        (&read.depends, &read.conflicts),
        (&meta.depends, &meta.conflicts)
    );
    assert_eq!(read.other, meta.other);
}
