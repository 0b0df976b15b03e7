//! `stone inspect`.

use std::fs::File;
use std::io::{self, Write};

use moss_format::Meta;
use moss_format::payload::VERSION;
use moss_format::stone::FileType;

use crate::cli::Inspect;
use crate::describe::{self, Description, Payload, What};
use crate::printable::{self, Printable};
use crate::talk::{IsOfSystem, Talk};

pub(crate) fn run(arguments: &Inspect, talk: &mut Talk, out: &mut dyn Write) -> io::Result<()> {
    let name = arguments.file.display().to_string();
    let file = match File::open(&arguments.file) {
        Ok(file) => file,
        Err(error) => {
            talk.system(name, &error);
            return Ok(());
        }
    };
    let description = match describe::read(name.clone(), file) {
        Ok(description) => description,
        Err(error) => {
            let is_of_system = IsOfSystem(error.is_of_system());
            talk.either(name, &error, is_of_system);
            return Ok(());
        }
    };
    if arguments.json {
        let document = serde_json::to_string_pretty(&description)?;
        return writeln!(out, "{}", printable::json(&document));
    }
    text(&description, arguments, out)
}

fn text(description: &Description, arguments: &Inspect, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "{}: {}, {}, {}",
        Printable(&description.file),
        description.file_type,
        bytes(description.size),
        count(description.payloads.len(), "payload"),
    )?;
    match description.file_type {
        // One line for each of thousands of packages is enough.
        FileType::Index => {
            totals(&description.payloads, out)?;
            list(&description.packages, out)
        }
        FileType::Package | FileType::Delta | FileType::Manifest => {
            table(&description.payloads, out)?;
            for meta in &description.packages {
                writeln!(out)?;
                fields(meta, out)?;
            }
            for (key, value) in &description.attributes {
                writeln!(out, "\nAttribute {}: {}", Printable(key), Printable(value))?;
            }
            if arguments.files {
                paths(description, out)
            } else {
                summary(description, out)
            }
        }
    }
}

fn table(payloads: &[Payload], out: &mut dyn Write) -> io::Result<()> {
    if payloads.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\n{:<12} {:>12} {:>14} {:>14} {:>7} {:>9}  Compression",
        "Payload", "Offset", "Stored", "Plain", "Ratio", "Records",
    )?;
    for payload in payloads {
        write!(
            out,
            "{:<12} {:>12} {:>14} {:>14} {:>7} {:>9}  {}",
            payload.kind,
            grouped(payload.offset),
            grouped(payload.stored_size),
            grouped(payload.plain_size),
            ratio(payload.stored_size, payload.plain_size),
            grouped(payload.records.into()),
            payload.compression,
        )?;
        if payload.version != VERSION {
            write!(out, ", version {}", payload.version)?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn totals(payloads: &[Payload], out: &mut dyn Write) -> io::Result<()> {
    let stored = payloads.iter().map(|payload| payload.stored_size).sum();
    let plain = payloads
        .iter()
        .fold(0_u64, |sum, payload| sum.saturating_add(payload.plain_size));
    writeln!(
        out,
        "Metadata: {} stored, {} plain, {}",
        bytes(stored),
        bytes(plain),
        ratio(stored, plain),
    )
}

/// The packages of an index, a line each.
fn list(packages: &[Meta], out: &mut dyn Write) -> io::Result<()> {
    let version = |meta: &Meta| {
        let Meta {
            version,
            release,
            build_release,
            ..
        } = meta;
        printable::line(&format!("{version}-{release}-{build_release}")).into_owned()
    };
    let width = |texts: &mut dyn Iterator<Item = usize>| texts.max().unwrap_or(0);
    let names = width(&mut packages.iter().map(|meta| meta.name.chars().count()));
    let versions = width(&mut packages.iter().map(|meta| version(meta).chars().count()));
    if !packages.is_empty() {
        writeln!(out)?;
    }
    for meta in packages {
        writeln!(
            out,
            "{:<names$}  {:<versions$}  {}  {:>13}  {}",
            Printable(&meta.name),
            version(meta),
            Printable(&meta.architecture),
            meta.size.map_or_else(|| "?".to_owned(), grouped),
            Printable(meta.uri.as_deref().unwrap_or("?")),
        )?;
    }
    Ok(())
}

fn fields(meta: &Meta, out: &mut dyn Write) -> io::Result<()> {
    let mut field = |name: &str, value: &str| -> io::Result<()> {
        if value.is_empty() {
            return Ok(());
        }
        writeln!(out, "{name:<14} {}", printable::line(value))
    };
    let Meta {
        release,
        build_release,
        ..
    } = meta;
    field("Name", &meta.name)?;
    field("Version", &meta.version)?;
    field("Release", &format!("{release}, build {build_release}"))?;
    field("Architecture", &meta.architecture)?;
    field("Summary", &meta.summary)?;
    for (number, line) in meta.description.trim_end().lines().enumerate() {
        field(if number == 0 { "Description" } else { "" }, line)?;
    }
    field("Source", &meta.source_id)?;
    field("Homepage", &meta.homepage)?;
    field("Licences", &meta.licenses.join(", "))?;
    field("Source URI", meta.source_uri.as_deref().unwrap_or_default())?;
    field(
        "Source path",
        meta.source_path.as_deref().unwrap_or_default(),
    )?;
    field("Source ref", meta.source_ref.as_deref().unwrap_or_default())?;
    many("Depends", &meta.depends, &mut field)?;
    many("Provides", &meta.provides, &mut field)?;
    many("Conflicts", &meta.conflicts, &mut field)?;
    many("Build depends", &meta.build_depends, &mut field)?;
    let records = meta.other.iter().map(|record| {
        let (tag, primitive) = (record.tag, record.primitive);
        format!(
            "tag {tag}, primitive {primitive}, {} bytes",
            record.value.len()
        )
    });
    many("Unknown", records.collect::<Vec<_>>(), &mut field)
}

/// A field with a line for each of its values.
fn many<T: ToString>(
    name: &str,
    values: impl IntoIterator<Item = T>,
    field: &mut impl FnMut(&str, &str) -> io::Result<()>,
) -> io::Result<()> {
    for (number, value) in values.into_iter().enumerate() {
        field(if number == 0 { name } else { "" }, &value.to_string())?;
    }
    Ok(())
}

fn summary(description: &Description, out: &mut dyn Write) -> io::Result<()> {
    if description.paths.is_empty() {
        return Ok(());
    }
    let (mut files, mut links, mut directories, mut special, mut set_id) = (0, 0, 0, 0, 0);
    for line in &description.paths {
        match line.what {
            What::File { .. } => files += 1,
            What::Link { .. } => links += 1,
            What::Directory => directories += 1,
            What::Special { .. } => special += 1,
        }
        set_id += usize::from(matches!(line.mode.as_bytes().first(), Some(b'2'..=b'7')));
    }
    let distinct = description.sizes.len();
    let size = description
        .sizes
        .values()
        .fold(0_u64, |sum, size| sum.saturating_add(*size));
    let mut parts = vec![format!(
        "{} ({distinct} distinct, {})",
        count(files, "file"),
        bytes(size)
    )];
    for (number, what) in [(links, "link"), (special, "special file")] {
        if number > 0 {
            parts.push(count(number, what));
        }
    }
    match directories {
        0 => {}
        1 => parts.push("1 directory".to_owned()),
        more => parts.push(format!("{more} directories")),
    }
    if set_id > 0 {
        parts.push(format!("{set_id} with set-id bits"));
    }
    writeln!(out, "\n{:<14} {}", "Layout", parts.join(", "))
}

fn paths(description: &Description, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out)?;
    for line in &description.paths {
        let (path, mode) = (Printable(&line.path), &line.mode);
        let size = line.size.map_or_else(|| "-".to_owned(), grouped);
        match &line.what {
            What::File { digest } => writeln!(out, "{mode} {size:>13} {digest} {path}")?,
            What::Link { text } => {
                writeln!(
                    out,
                    "{mode} {size:>13} {:<32} {path} -> {}",
                    "link",
                    Printable(text)
                )?;
            }
            What::Directory => writeln!(out, "{mode} {size:>13} {:<32} {path}", "directory")?,
            What::Special { number } => {
                let what = format!("special, type {number}");
                writeln!(out, "{mode} {size:>13} {what:<32} {path}")?;
            }
        }
    }
    Ok(())
}

fn count(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {what}{plural}", grouped(number as u64))
}

fn bytes(number: u64) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} byte{plural}", grouped(number))
}

/// The number with its digits in groups of three.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// How large the stored bytes are, in percent of the plain ones.
fn ratio(stored: u64, plain: u64) -> String {
    if plain == 0 {
        return "-".to_owned();
    }
    let tenths = u128::from(stored) * 1000 / u128::from(plain);
    format!("{}.{} %", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_compared() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(ratio(1, 3), "33.3 %");
        assert_eq!(ratio(u64::MAX, 1), "1844674407370955161500.0 %");
        assert_eq!(ratio(1, 0), "-");
    }
}
