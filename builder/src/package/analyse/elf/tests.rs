use std::io::Write;

use proptest::prelude::*;

use super::*;

/// A 64-bit little-endian library: one loaded segment that is the whole file at address 0x1000,
/// with interpreter, dynamic entries and a build id.
fn library() -> Vec<u8> {
    const ADDRESS: u64 = 0x1000;
    const HEADERS: usize = 64 + 4 * 56;
    let strings = b"\0libc.so.6\0libz.so.1\0libx.so.2\0$ORIGIN/../lib:/opt/x\0/old\0";
    let offset = |text: &str| {
        let at = strings
            .windows(text.len())
            .position(|window| window == text.as_bytes());
        at.unwrap() as u64
    };
    let interpreter = b"/lib64/ld-linux-x86-64.so.2\0";
    let mut note = Vec::new();
    for word in [4_u32, 4, 3] {
        note.extend(word.to_le_bytes());
    }
    note.extend(b"GNU\0\xab\xcd\xef\x01");

    let interpreter_at = HEADERS;
    let note_at = interpreter_at + interpreter.len();
    let strings_at = note_at + note.len();
    let dynamic_at = strings_at + strings.len();
    let entries: Vec<(i64, u64)> = vec![
        (1, offset("libc.so.6")),
        (1, offset("libz.so.1")),
        (14, offset("libx.so.2")),
        (15, offset("/old")),
        (29, offset("$ORIGIN")),
        (5, ADDRESS + strings_at as u64),
        (10, strings.len() as u64),
        (0, 0),
        // Behind the end of the table; a reader that goes on would take it.
        (1, offset("/old")),
    ];
    let dynamic: Vec<u8> = entries
        .iter()
        .flat_map(|(tag, value)| [tag.to_le_bytes(), value.to_le_bytes()].concat())
        .collect();
    let size = dynamic_at + dynamic.len();

    let mut file = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    file.extend([3_u16, 62].map(u16::to_le_bytes).concat());
    file.extend(1_u32.to_le_bytes());
    file.extend([0_u64, 64, 0].map(u64::to_le_bytes).concat());
    file.extend(0_u32.to_le_bytes());
    file.extend([64_u16, 56, 4, 64, 0, 0].map(u16::to_le_bytes).concat());
    for (kind, at, length) in [
        (1_u32, 0, size),
        (3, interpreter_at, interpreter.len()),
        (4, note_at, note.len()),
        (2, dynamic_at, dynamic.len()),
    ] {
        file.extend([kind, 4].map(u32::to_le_bytes).concat());
        let (at, length) = (at as u64, length as u64);
        let words = [at, ADDRESS + at, ADDRESS + at, length, length, 4];
        file.extend(words.map(u64::to_le_bytes).concat());
    }
    file.extend(interpreter);
    file.extend(note);
    file.extend(strings);
    file.extend(dynamic);
    assert_eq!(file.len(), size);
    file
}

fn look(bytes: &[u8]) -> Outcome {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    read(&file)
}

/// Where the program header of this number begins.
fn header(number: usize) -> usize {
    64 + number * 56
}

#[test]
fn everything_is_read_from_the_program_headers() {
    let Outcome::Elf(elf) = look(&library()) else {
        panic!("{:?}", look(&library()));
    };
    assert_eq!(
        (elf.machine.as_str(), elf.class, elf.form),
        ("x86_64", Class::Bits64, Form::Linked)
    );
    assert_eq!(
        elf.interpreter.as_deref(),
        Some("/lib64/ld-linux-x86-64.so.2")
    );
    assert_eq!(elf.needed, ["libc.so.6", "libz.so.1"]);
    assert_eq!(elf.soname.as_deref(), Some("libx.so.2"));
    assert_eq!(elf.search, ["$ORIGIN/../lib", "/opt/x", "/old"]);
    assert_eq!(elf.build_id, BuildId::new(&[0xab, 0xcd, 0xef, 0x01]));
}

#[test]
fn machines_are_named_as_in_dependencies() {
    for (number, wanted) in [
        (3_u16, "386"),
        (183, "aarch64"),
        (243, "riscv"),
        (40, "arm"),
        (0x4242, "em16962"),
    ] {
        let mut bytes = library();
        bytes[18..20].copy_from_slice(&number.to_le_bytes());
        let Outcome::Elf(elf) = look(&bytes) else {
            panic!("{number}");
        };
        assert_eq!(elf.machine, wanted);
    }
}

#[test]
fn other_files_and_broken_ones() {
    assert_eq!(look(b""), Outcome::NotElf);
    assert_eq!(look(b"\x7fELF"), Outcome::NotElf);
    assert_eq!(look(b"#!/bin/sh\n"), Outcome::NotElf);
    let change = |at: usize, with: &[u8]| {
        let mut bytes = library();
        bytes[at..at + with.len()].copy_from_slice(with);
        look(&bytes)
    };
    let huge = u64::MAX.to_le_bytes();
    for (outcome, why) in [
        (
            look(&library()[..40]),
            "the file header is cut short or not supported",
        ),
        (change(4, &[9]), "the file class is neither 32 nor 64 bits"),
        (
            change(56, &2000_u16.to_le_bytes()),
            "there are too many program headers",
        ),
        (
            change(32, &huge),
            "the program headers lie outside the file",
        ),
        (
            change(header(1) + 8, &huge),
            "the interpreter's path lies outside the file",
        ),
        (
            change(header(1) + 32, &huge),
            "the interpreter's path is too long",
        ),
        (
            change(header(3) + 8, &huge),
            "the dynamic segment lies outside the file",
        ),
        (
            change(header(3) + 32, &huge),
            "the dynamic segment is too large",
        ),
        (
            change(header(0) + 16, &huge),
            "the dynamic string table is not in a loaded segment",
        ),
        (
            change(header(4) + 1, &[0xff]),
            "a path or soname is not UTF-8",
        ),
        (
            change(header(4) + 1, b"\n"),
            "a path or soname contains a control character",
        ),
    ] {
        assert_eq!(outcome, Outcome::Malformed(why));
    }
    // Notes are no reason to refuse a file.
    let Outcome::Elf(elf) = change(header(2) + 32, &huge) else {
        panic!("a broken note");
    };
    assert_eq!(elf.build_id, None);
}

proptest! {
    #[test]
    fn damaged_files_never_panic(
        changes in prop::collection::vec((0_usize..700, any::<u8>()), 1..12),
        length in 0_usize..700,
    ) {
        let mut bytes = library();
        for (at, with) in changes {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = with;
            }
        }
        look(&bytes);
        bytes.truncate(length);
        look(&bytes);
    }
}
