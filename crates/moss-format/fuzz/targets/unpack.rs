//! Any bytes as a package that is unpacked. Whatever its layout says, nothing outside of the folder
//! changes, nothing is made of what is refused as a whole, and no more is written than the limit.

#![no_main]

use std::fs::{self, Permissions};
use std::io::{self, Cursor};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use moss_format::package::{Package, ReadError};
use moss_format::unpack::{self, Error, Options, SetId};
use moss_format_fuzz::{LIMITS, half_repaired};

const UNTOUCHED: &[u8] = b"nobody writes here";

fuzz_target!(|bytes: &[u8]| {
    let bytes = half_repaired(bytes);
    let Ok(mut package) = Package::open_within(Cursor::new(&bytes), LIMITS) else {
        return;
    };
    let place = tempfile::tempdir().expect("there is room for a folder");
    let (beside, root) = (place.path().join("beside"), place.path().join("root"));
    fs::write(&beside, UNTOUCHED).expect("there is room for a file");
    fs::set_permissions(&beside, Permissions::from_mode(0o640)).expect("it is ours");
    let set_id = if bytes.len().is_multiple_of(2) {
        SetId::Clear
    } else {
        SetId::Keep
    };
    let unpacked = unpack::unpack(&mut package, &root, &Options { set_id });

    assert_eq!(fs::read(&beside).expect("it is there"), UNTOUCHED);
    let mode = fs::symlink_metadata(&beside)
        .expect("it is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o7777, 0o640);
    let there = fs::read_dir(place.path()).expect("it is there").count();
    assert_eq!(there, 1 + usize::from(root.exists()));
    match unpacked {
        Err(
            Error::Limit { .. }
            | Error::Unsupported { .. }
            | Error::Package(ReadError::Inconsistent(_)),
        ) => assert!(!root.exists()),
        Err(_) => {}
        Ok(()) => {
            let size = package.unpacked_size(package.layout());
            assert_eq!(measure(&root.join("usr")).expect("it was made").bytes, size);
        }
    }
    if root.exists() {
        let made = measure(&root).expect("it can be read");
        assert!(made.bytes <= LIMITS.unpacked);
        // The root and its usr do not come from the layout.
        assert!(made.paths <= LIMITS.unpacked_paths + 1);
    }
});

#[derive(Default)]
struct Measured {
    bytes: u64,
    paths: u64,
}

/// What lies below a folder. On the way every folder is made one that can be removed again.
fn measure(folder: &Path) -> io::Result<Measured> {
    let mut all = Measured::default();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        fs::set_permissions(&folder, Permissions::from_mode(0o700))?;
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let file_type = entry.file_type()?;
            all.paths += 1;
            if file_type.is_dir() {
                open.push(entry.path());
            } else if file_type.is_file() {
                all.bytes += entry.metadata()?.len();
            }
        }
    }
    Ok(all)
}
