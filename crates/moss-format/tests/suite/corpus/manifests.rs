use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use moss_format::layout::{Entry, Kind};
use moss_format::manifest::jsonc::{self, Package, Source};
use moss_format::meta::{RawRecord, Records};
use moss_format::payload::{Decoder, Encoding, Level};
use moss_format::stone::View;
use moss_format::{Digest, Limits, Manifest};

use super::{bundle, history};

const FAST: Encoding = Encoding {
    level: Level::FASTEST,
    workers: 0,
};

#[test]
fn manifests_beside_the_recipes_read_back_equal() -> Result<()> {
    let Some(corpus) = testbed::corpus::find() else {
        return Ok(());
    };
    let mut found = manifests_below(&corpus.join("recipes"))?;
    found.extend(manifests_below(&corpus.join("manifests"))?);
    assert!(!found.is_empty());
    for path in found {
        check(&path)?;
    }
    Ok(())
}

#[test]
fn manifests_of_the_whole_history_read_back_equal() -> Result<()> {
    let Some(corpus) = testbed::corpus::find() else {
        return Ok(());
    };
    let tip = bundle::check_out(&corpus)?;
    let found = manifests_below(tip.path())?;
    assert_eq!(found.len(), 835);
    for path in found {
        check(&path)?;
    }
    let all = history::manifests(tip.path())?;
    assert_eq!(all.len(), 3716);
    for (blob, bytes) in all {
        check_bytes(&blob, &bytes)?;
    }
    Ok(())
}

fn check(path: &Path) -> Result<()> {
    check_bytes(&path.display().to_string(), &fs::read(path)?)
}

/// Decodes a manifest, encodes it, and compares the records of both.
fn check_bytes(name: &str, bytes: &[u8]) -> Result<()> {
    let manifest = Manifest::decode(bytes).with_context(|| name.to_owned())?;
    for meta in &manifest.packages {
        assert!(meta.other.is_empty(), "{name}: {:?}", meta.other);
    }
    let again = manifest.encode(&FAST)?;
    assert_eq!(Manifest::decode(&again)?, manifest, "{name}");
    assert_eq!(records(&again)?, records(bytes)?, "{name}");
    Ok(())
}

/// The records of each payload in any order, with the one NUL at the end of
/// texts that some files leave out.
fn records(bytes: &[u8]) -> Result<Vec<Vec<RawRecord>>> {
    let mut decoder = Decoder::new(Limits::default());
    let mut payloads = Vec::new();
    for payload in View::new(bytes)?.payloads() {
        let payload = payload?;
        let plain = decoder.plain(&payload)?;
        let mut records = Vec::new();
        for record in Records::new(&plain, payload.header().records) {
            let mut record = record?.to_raw();
            if record.primitive >= 9 && record.value.last() != Some(&0) {
                record.value.push(0);
            }
            records.push(record);
        }
        records.sort_by(|a, b| (a.tag, &a.value).cmp(&(b.tag, &b.value)));
        payloads.push(records);
    }
    Ok(payloads)
}

fn manifests_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else if name.starts_with("manifest.") && name.ends_with(".bin") {
                found.push(entry.path());
            }
        }
    }
    Ok(found)
}

/// The plain bytes: how hard they were compressed is nobody's business.
#[test]
fn the_form_for_machines_is_that_of_the_real_tool() -> Result<()> {
    let Some(corpus) = testbed::corpus::find() else {
        return Ok(());
    };
    let real = fs::read(corpus.join("manifests/nano-8.2/manifest.x86_64.bin"))?;
    let plain = |bytes: &[u8]| -> Result<Vec<(u32, Vec<u8>)>> {
        let mut decoder = Decoder::new(Limits::default());
        let payloads = View::new(bytes)?.payloads();
        payloads
            .map(|payload| {
                let payload = payload?;
                let plain = decoder.plain(&payload)?.into_owned();
                Ok((payload.header().records, plain))
            })
            .collect()
    };
    let written = Manifest::decode(&real)?.encode(&FAST)?;
    assert_eq!(plain(&written)?, plain(&real)?);
    Ok(())
}

#[test]
fn the_form_for_people_is_that_of_the_real_tool() -> Result<()> {
    let Some(corpus) = testbed::corpus::find() else {
        return Ok(());
    };
    let folder = corpus.join("manifests/nano-8.2");
    let manifest = Manifest::decode(&fs::read(folder.join("manifest.x86_64.bin"))?)?;
    let expected = fs::read_to_string(folder.join("manifest.x86_64.jsonc"))?;
    let meta = manifest.find("nano").context("no package nano")?;
    // The layout is not in the binary manifest, so it is taken from the text,
    // in another order.
    let mut layout: Vec<Entry> = expected
        .lines()
        .filter_map(|line| {
            line.trim()
                .trim_end_matches(',')
                .trim_matches('"')
                .strip_prefix("/usr/")
        })
        .map(|target| Entry {
            uid: 0,
            gid: 0,
            mode: 0o100_644,
            tag: 0,
            kind: Kind::Regular(Digest::EMPTY),
            target: target.to_owned(),
        })
        .collect();
    layout.reverse();
    let source = Source {
        name: &meta.source_id,
        version: &meta.version,
        release: meta.release,
    };
    let package = Package {
        meta,
        layout: &layout,
    };
    let mut written = Vec::new();
    jsonc::write(&mut written, source, [package])?;
    assert_eq!(String::from_utf8(written)?, expected);
    Ok(())
}
