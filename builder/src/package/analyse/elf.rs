//! What an ELF file says about itself: machine, linkage, search paths, build id.
//!
//! Only the program headers are believed, as the dynamic loader does; section headers may be
//! stripped or lie. Every length and every count in the file is a claim, so each part is read under
//! a limit of its own and nothing is loaded whole. Together the limits bound the memory that one
//! file can take to about 40 MiB.

use std::fs::File;

use object::Endianness;
use object::elf;
use object::read::elf::{Dyn, FileHeader, ProgramHeader};
use object::read::{ReadCache, ReadRef};

use crate::package::debug::BuildId;

/// The longest interpreter path, soname or search path that is read, in bytes.
const TEXT_LIMIT: u64 = 4096;
/// The most program headers of a file.
const SEGMENT_LIMIT: u16 = 1024;
/// The largest dynamic segment that is read, in bytes.
const DYNAMIC_LIMIT: u64 = 1 << 20;
/// The most sonames and search paths that are read.
const STRING_LIMIT: usize = 8192;
/// The largest note segment that is read, in bytes; larger ones hold no build id.
const NOTE_LIMIT: u64 = 64 << 10;
/// The most note segments that are read.
const NOTE_COUNT_LIMIT: usize = 16;

/// What a look at a file gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It does not begin with the ELF magic.
    NotElf,
    /// It has the magic but contradicts itself; the text says where.
    Malformed(&'static str),
    /// It is an ELF file.
    Elf(Elf),
}

/// The width of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// ELFCLASS32.
    Bits32,
    /// ELFCLASS64.
    Bits64,
}

/// What the file was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A program or a shared library: the result of a link.
    Linked,
    /// An object file, a kernel module, a core dump.
    Other,
}

/// The parts of an ELF file that packaging cares about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Elf {
    pub(crate) machine: String,
    pub(crate) class: Class,
    pub(crate) form: Form,
    pub(crate) interpreter: Option<String>,
    pub(crate) needed: Vec<String>,
    pub(crate) soname: Option<String>,
    /// RUNPATH, then RPATH, split at colons.
    pub(crate) search: Vec<String>,
    pub(crate) build_id: Option<BuildId>,
}

/// Reads the headers of `file`.
pub(crate) fn read(file: &File) -> Outcome {
    let cache = ReadCache::new(file);
    let data = &cache;
    let Ok(ident) = data.read_bytes_at(0, 5) else {
        return Outcome::NotElf;
    };
    if !ident.starts_with(&elf::ELFMAG) {
        return Outcome::NotElf;
    }
    let parsed = match ident.last().map(|class| elf::FileClass(*class)) {
        Some(elf::ELFCLASS32) => read_as::<elf::FileHeader32<Endianness>, _>(data, Class::Bits32),
        Some(elf::ELFCLASS64) => read_as::<elf::FileHeader64<Endianness>, _>(data, Class::Bits64),
        Some(_) | None => Err("the file class is neither 32 nor 64 bits"),
    };
    parsed.map_or_else(Outcome::Malformed, Outcome::Elf)
}

fn read_as<'data, E, R>(data: R, class: Class) -> Result<Elf, &'static str>
where
    E: FileHeader<Endian = Endianness>,
    R: ReadRef<'data>,
{
    let header = E::parse(data).map_err(|_| "the file header is cut short or not supported")?;
    let endian = header.endian().map_err(|_| "the byte order is unknown")?;
    if header.e_phnum(endian) > SEGMENT_LIMIT {
        return Err("there are too many program headers");
    }
    let segments = header
        .program_headers(endian, data)
        .map_err(|_| "the program headers lie outside the file")?;
    let find = |wanted| {
        segments
            .iter()
            .find(|segment| segment.p_type(endian) == wanted)
    };

    let mut found = Elf {
        machine: machine(header.e_machine(endian)),
        class,
        form: match header.e_type(endian) {
            elf::ET_EXEC | elf::ET_DYN => Form::Linked,
            _ => Form::Other,
        },
        interpreter: None,
        needed: Vec::new(),
        soname: None,
        search: Vec::new(),
        build_id: None,
    };
    if let Some(segment) = find(elf::PT_INTERP) {
        if segment.p_filesz(endian).into() > TEXT_LIMIT {
            return Err("the interpreter's path is too long");
        }
        let path = segment
            .interpreter(endian, data)
            .map_err(|_| "the interpreter's path lies outside the file")?;
        found.interpreter = path.map(text).transpose()?;
    }
    if let Some(segment) = find(elf::PT_DYNAMIC) {
        if segment.p_filesz(endian).into() > DYNAMIC_LIMIT {
            return Err("the dynamic segment is too large");
        }
        let entries = segment
            .dynamic(endian, data)
            .map_err(|_| "the dynamic segment lies outside the file")?
            .unwrap_or_default();
        read_dynamic::<E, R>(&mut found, entries, segments, endian, data)?;
    }
    found.build_id = segments
        .iter()
        .filter(|segment| segment.p_type(endian) == elf::PT_NOTE)
        .filter(|segment| segment.p_filesz(endian).into() <= NOTE_LIMIT)
        .take(NOTE_COUNT_LIMIT)
        .find_map(|segment| build_id(segment, endian, data));
    Ok(found)
}

fn read_dynamic<'data, E, R>(
    found: &mut Elf,
    entries: &[E::Dyn],
    segments: &[E::ProgramHeader],
    endian: Endianness,
    data: R,
) -> Result<(), &'static str>
where
    E: FileHeader<Endian = Endianness>,
    R: ReadRef<'data>,
{
    let entries: Vec<(elf::DynamicTag, u64)> = entries
        .iter()
        .map(|entry| (entry.d_tag(endian), entry.d_val(endian).into()))
        .take_while(|(tag, _)| *tag != elf::DT_NULL)
        .collect();
    let is_text = |tag| {
        matches!(
            tag,
            elf::DT_NEEDED | elf::DT_SONAME | elf::DT_RUNPATH | elf::DT_RPATH
        )
    };
    if entries.iter().filter(|(tag, _)| is_text(*tag)).count() > STRING_LIMIT {
        return Err("there are too many sonames and search paths");
    }
    let value = |wanted| {
        entries
            .iter()
            .find(|(tag, _)| *tag == wanted)
            .map(|(_, value)| *value)
    };
    let (Some(address), Some(size)) = (value(elf::DT_STRTAB), value(elf::DT_STRSZ)) else {
        return Ok(());
    };
    let start = file_offset::<E>(segments, endian, address)
        .ok_or("the dynamic string table is not in a loaded segment")?;
    let end = start
        .checked_add(size)
        .ok_or("the dynamic string table has no end")?;
    let string = |offset: u64| {
        let first = start.checked_add(offset).filter(|first| *first < end);
        let first = first.ok_or("a dynamic string lies outside its table")?;
        let bytes = data
            .read_bytes_at_until(first..end.min(first.saturating_add(TEXT_LIMIT)), 0)
            .map_err(|()| "a dynamic string lies outside the file or has no end")?;
        text(bytes)
    };
    let all = |wanted| {
        let values = entries.iter().filter(move |(tag, _)| *tag == wanted);
        values
            .map(|(_, value)| string(*value))
            .collect::<Result<Vec<_>, _>>()
    };
    found.needed = all(elf::DT_NEEDED)?;
    found.soname = value(elf::DT_SONAME).map(string).transpose()?;
    found.search = all(elf::DT_RUNPATH)?
        .iter()
        .chain(&all(elf::DT_RPATH)?)
        .flat_map(|list| list.split(':'))
        .filter(|folder| !folder.is_empty())
        .map(str::to_owned)
        .collect();
    Ok(())
}

/// Where in the file the byte at a virtual address stands.
fn file_offset<E: FileHeader<Endian = Endianness>>(
    segments: &[E::ProgramHeader],
    endian: Endianness,
    address: u64,
) -> Option<u64> {
    segments
        .iter()
        .filter(|segment| segment.p_type(endian) == elf::PT_LOAD)
        .find_map(|segment| {
            let within = address.checked_sub(segment.p_vaddr(endian).into())?;
            let (offset, size) = segment.file_range(endian);
            (within < size)
                .then(|| offset.checked_add(within))
                .flatten()
        })
}

/// The build id in a note segment; a note that cannot be read ends the search in that segment.
fn build_id<'data, P, R>(segment: &P, endian: Endianness, data: R) -> Option<BuildId>
where
    P: ProgramHeader<Endian = Endianness>,
    R: ReadRef<'data>,
{
    let mut notes = segment.notes(endian, data).ok()??;
    while let Ok(Some(note)) = notes.next() {
        if note.name() == elf::ELF_NOTE_GNU && note.n_type(endian) == elf::NT_GNU_BUILD_ID {
            return BuildId::new(note.desc());
        }
    }
    None
}

fn text(bytes: &[u8]) -> Result<String, &'static str> {
    let text = std::str::from_utf8(bytes).map_err(|_| "a path or soname is not UTF-8")?;
    if text.chars().any(char::is_control) {
        return Err("a path or soname contains a control character");
    }
    Ok(text.to_owned())
}

/// The machine as dependencies name it: the ELF constant in lower case, without `EM_`.
fn machine(machine: elf::Machine) -> String {
    match machine.name().and_then(|name| name.strip_prefix("EM_")) {
        Some(name) => name.to_ascii_lowercase(),
        None => format!("em{}", machine.0),
    }
}

#[cfg(test)]
mod tests;
