//! Any bytes as a container and as a package. Both readers say the same, what was read is written
//! again byte for byte, and no claim takes more than the limits.

#![no_main]

use std::cell::RefCell;
use std::io::{self, Cursor, Read, Write};

use libfuzzer_sys::fuzz_target;
use moss_format::Meta;
use moss_format::content::Visit;
use moss_format::package::{Package, ReadError, Surveyor};
use moss_format::stone::{Reader, View, Writer};
use moss_format_fuzz::{LIMITS, half_repaired};

fuzz_target!(|bytes: &[u8]| {
    let bytes = &*half_repaired(bytes);
    let viewed = View::new(bytes).and_then(|view| {
        let payloads = view.payloads().collect::<Result<Vec<_>, _>>()?;
        Ok((*view.header(), payloads))
    });
    let read = Reader::with_limits(Cursor::new(bytes), LIMITS);
    let (header, payloads) = match (viewed, read) {
        (Ok(viewed), Ok(mut read)) => {
            assert_eq!(viewed.0, *read.header());
            let located = read.payloads().to_vec();
            assert_eq!(located.len(), viewed.1.len());
            for (at, payload) in located.iter().zip(&viewed.1) {
                assert_eq!(
                    (at.offset(), at.header()),
                    (payload.offset(), payload.header())
                );
                if let Ok(same) = read.read(at) {
                    assert_eq!(same, *payload);
                }
            }
            viewed
        }
        (Err(viewed), Err(read)) => {
            assert_eq!(viewed.to_string(), read.to_string());
            return;
        }
        (viewed, read) => panic!(
            "the readers disagree: {:?} and {:?}",
            viewed.err(),
            read.err()
        ),
    };
    let mut writer = Writer::new(Vec::new(), header.file_type, payloads.len()).expect("as read");
    for payload in &payloads {
        writer.payload(payload).expect("memory takes it");
    }
    assert_eq!(writer.finish().expect("as many as announced"), bytes);
    copied(bytes);
    as_package(bytes);
});

/// Copies all payloads, a piece at a time.
fn copied(bytes: &[u8]) {
    let mut read = Reader::with_limits(Cursor::new(bytes), LIMITS).expect("it was read");
    let located = read.payloads().to_vec();
    let file_type = read.header().file_type;
    let mut writer = Writer::new(Vec::new(), file_type, located.len()).expect("as read");
    for at in &located {
        let stored = read.stream(at).expect("it is in memory");
        writer.copy(at.header(), stored).expect("it is whole");
    }
    assert_eq!(writer.finish().expect("as many as announced"), bytes);
}

thread_local! {
    /// Kept, as between the packages of a folder: nothing of one may show in the next.
    static SURVEYOR: RefCell<Surveyor> = RefCell::new(Surveyor::new(LIMITS));
}

fn as_package(bytes: &[u8]) {
    let surveyed = SURVEYOR.with_borrow_mut(|surveyor| surveyor.read(bytes));
    let Ok(mut package) = Package::open_within(Cursor::new(bytes), LIMITS) else {
        return;
    };
    let surveyed = surveyed.expect("the package was read");
    assert_eq!(surveyed.size, Some(bytes.len() as u64));
    let listed = Meta {
        hash: surveyed.hash.clone(),
        size: surveyed.size,
        ..package.meta().clone()
    };
    assert_eq!(surveyed, listed);
    let agrees = package.check().is_ok();
    let verified = package.verify();
    assert!(agrees || verified.is_err());
    if verified.is_err() {
        return;
    }
    let size: u64 = package.slices().iter().map(|slice| slice.size()).sum();
    assert!(size <= LIMITS.content);
    let mut seen = 0;
    package
        .walk::<ReadError>(|slice, file| {
            let mut digests = Counting(0);
            io::copy(&mut file.take(slice.size()), &mut digests).expect("it was verified");
            assert_eq!(digests.0, slice.size());
            seen += digests.0;
            Ok(Visit::Continue)
        })
        .expect("it was verified");
    assert_eq!(seen, size);
}

struct Counting(u64);

impl Write for Counting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
