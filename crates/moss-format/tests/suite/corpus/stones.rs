use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Cursor;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use moss_format::layout::{Entry, Kind};
use moss_format::package::{self, Folder, Package};
use moss_format::payload::{self, Decoder, Encoding, Level};
use moss_format::stone::View;
use moss_format::{Limits, layout, meta, unpack};

const FAST: Encoding = Encoding {
    level: Level::FASTEST,
    workers: 0,
};

/// Runs a test on each real package.
fn for_each(test: impl Fn(&Path) -> Result<()>) -> Result<()> {
    let Some(corpus) = testbed::corpus::find() else {
        return Ok(());
    };
    let mut count = 0;
    for entry in fs::read_dir(corpus.join("stones"))? {
        let path = entry?.path();
        test(&path).with_context(|| format!("{}", path.display()))?;
        count += 1;
    }
    assert_eq!(count, 2);
    Ok(())
}

#[test]
fn real_packages_verify_and_unpack_to_what_they_say() -> Result<()> {
    for_each(|path| {
        let mut package = Package::open(File::open(path)?)?;
        package.verify()?;
        let folder = tempfile::tempdir()?;
        unpack::unpack(&mut package, folder.path(), &unpack::Options::default())?;
        let unpacked = Folder::open(folder.path().join("usr"))?.scan()?;
        let unpacked: BTreeSet<String> = unpacked.iter().map(line).collect();
        let said: BTreeSet<String> = package.layout().iter().map(line).collect();
        assert_eq!(unpacked, said);
        Ok(())
    })
}

#[test]
fn the_editor_is_an_executable_with_a_link_beside_it() -> Result<()> {
    let Some(corpus) = testbed::corpus::find() else {
        return Ok(());
    };
    let path = corpus.join("stones/nano-8.3-33-1-x86_64.stone");
    let mut package = Package::open(File::open(&path)?)?;
    assert_eq!(package.meta().file_name()?, "nano-8.3-33-1-x86_64.stone");
    let folder = tempfile::tempdir()?;
    unpack::unpack(&mut package, folder.path(), &unpack::Options::default())?;
    let program = folder.path().join("usr/bin/nano");
    assert_eq!(fs::metadata(&program)?.permissions().mode() & 0o777, 0o755);
    assert!(fs::read(&program)?.starts_with(b"\x7fELF"));
    let link = fs::read_link(folder.path().join("usr/bin/rnano"))?;
    assert_eq!(link, Path::new("nano"));
    Ok(())
}

#[test]
fn real_packages_are_rewritten_to_files_that_read_back_equal() -> Result<()> {
    for_each(|path| {
        let mut original = Package::open(File::open(path)?)?;
        let folder = tempfile::tempdir()?;
        unpack::unpack(&mut original, folder.path(), &unpack::Options::default())?;
        let rewrite = || -> Result<Vec<u8>> {
            let mut files = Folder::open(folder.path().join("usr"))?;
            let out = Cursor::new(Vec::new());
            let (meta, layout) = (original.meta(), original.layout());
            Ok(package::write(out, meta, layout, &mut files, &FAST)?.into_inner())
        };
        let bytes = rewrite()?;
        assert_eq!(bytes, rewrite()?, "the same input gives the same bytes");
        let mut again = Package::open(Cursor::new(bytes))?;
        again.verify()?;
        assert_eq!(again.meta(), original.meta());
        assert_eq!(again.layout(), original.layout());
        assert_eq!(again.slices(), original.slices());
        Ok(())
    })
}

#[test]
fn metadata_and_layout_are_encoded_to_the_bytes_of_the_real_packages() -> Result<()> {
    for_each(|path| {
        let bytes = fs::read(path)?;
        let mut decoder = Decoder::new(Limits::default());
        let mut checked = 0;
        for payload in View::new(&bytes)?.payloads() {
            let payload = payload?;
            let records = payload.header().records;
            let again = match payload.header().kind {
                payload::Kind::Meta => {
                    let plain = decoder.plain(&payload)?;
                    meta::Meta::decode(&plain, records)?.encode(&FAST)?
                }
                payload::Kind::Layout => {
                    let plain = decoder.plain(&payload)?;
                    layout::encode(&layout::decode(&plain, records)?, &FAST)?
                }
                payload::Kind::Content
                | payload::Kind::Index
                | payload::Kind::Attributes
                | payload::Kind::Other(_) => continue,
            };
            assert_eq!(decoder.plain(&again)?, decoder.plain(&payload)?);
            checked += 1;
        }
        assert_eq!(checked, 2);
        Ok(())
    })
}

/// An entry as text, but for what unpacking cannot keep: the mode of links.
fn line(entry: &Entry) -> String {
    let link = matches!(entry.kind, Kind::Symlink(_));
    let mode = if link { 0 } else { entry.mode };
    format!("{mode:o} {} {:?}", entry.target, entry.kind)
}
