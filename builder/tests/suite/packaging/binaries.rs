//! What happens to binaries: split, stripped, linked to their debug information.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use avalanche::package::{Emitted, Error, HostTools, Output, Program, ToolError, Tools};
use object::read::elf::ElfFile64;
use object::{Object, ObjectSection};

use super::bench::{Bench, open, recipe};

fn text(options: &str) -> String {
    format!(
        "name: tool\nversion: 1\nrelease: 1\nhomepage: https://example.org\nlicense: MIT\n\
         summary: A tool\ndescription: A tool\n{options}"
    )
}

fn install(bench: &Bench) {
    bench.source(
        "lib.c",
        "static int secret(int x) { return x * 7; }\n\
                           int shared(int x) { return secret(x) + 1; }\n",
    );
    bench.source(
        "main.c",
        "int main(int argc, char **argv) { return argc - 1; }\n",
    );
    bench.folder("usr/lib");
    bench.folder("usr/bin");
    bench.folder("usr/libexec");
    bench.compile(&[
        "-shared",
        "-fPIC",
        "-o",
        "ROOT/usr/lib/libtool.so.1",
        "lib.c",
    ]);
    bench.compile(&["-o", "ROOT/usr/bin/tool", "main.c"]);
    fs::hard_link(bench.path("usr/bin/tool"), bench.path("usr/bin/tool-alias")).unwrap();
}

fn stone<'a>(output: &'a Output, name: &str) -> Option<&'a Emitted> {
    output.stones.iter().find(|stone| stone.meta.name == name)
}

/// The bytes of a packaged file.
fn bytes(stone: &Emitted, target: &str) -> Vec<u8> {
    let mut package = open(&stone.path);
    let entry = package
        .layout()
        .iter()
        .find(|entry| entry.target == target)
        .unwrap();
    let digest = entry.digest().unwrap();
    let mut bytes = Vec::new();
    package.extract(digest, &mut bytes).unwrap();
    bytes
}

fn targets(stone: &Emitted) -> Vec<String> {
    open(&stone.path)
        .layout()
        .iter()
        .map(|entry| entry.target.clone())
        .collect()
}

fn sections(bytes: &[u8]) -> Vec<String> {
    let file = ElfFile64::<object::Endianness>::parse(bytes).unwrap();
    file.sections()
        .map(|section| section.name().unwrap().to_owned())
        .collect()
}

fn has(bytes: &[u8], section: &str) -> bool {
    sections(bytes).iter().any(|name| name == section)
}

/// The file of a binary's debug information, by its build id.
fn debug_target(bytes: &[u8]) -> String {
    let file = ElfFile64::<object::Endianness>::parse(bytes).unwrap();
    let id = hex::encode(file.build_id().unwrap().unwrap());
    format!("lib/debug/.build-id/{}/{}.debug", &id[..2], &id[2..])
}

#[test]
fn debug_information_is_split_linked_and_stripped() {
    let bench = Bench::new();
    install(&bench);
    let output = bench.emit(&recipe(&text(""))).unwrap();
    let (root, debug) = (
        stone(&output, "tool").unwrap(),
        stone(&output, "tool-dbginfo").unwrap(),
    );
    for target in ["bin/tool", "lib/libtool.so.1"] {
        let stripped = bytes(root, target);
        assert!(
            !has(&stripped, ".debug_info") && !has(&stripped, ".symtab"),
            "{target}"
        );
        assert!(has(&stripped, ".dynsym"), "{target}");
        let split = bytes(debug, &debug_target(&stripped));
        assert!(
            has(&split, ".debug_info") && has(&split, ".symtab"),
            "{target}"
        );
        let file = ElfFile64::<object::Endianness>::parse(&*stripped).unwrap();
        let (name, checksum) = file.gnu_debuglink().unwrap().unwrap();
        assert!(debug_target(&stripped).ends_with(std::str::from_utf8(name).unwrap()));
        assert_eq!(checksum, crc32(&split), "{target}");
    }
    // Both names of the one program share one debug file, and generated files come last.
    assert_eq!(bytes(root, "bin/tool"), bytes(root, "bin/tool-alias"));
    assert_eq!(
        targets(debug),
        [
            debug_target(&bytes(root, "bin/tool")),
            debug_target(&bytes(root, "lib/libtool.so.1"))
        ]
    );
    assert!(debug.meta.provides.is_empty() && debug.meta.depends.is_empty());
}

#[test]
fn splitting_and_stripping_are_independent() {
    let bench = Bench::new();
    install(&bench);
    let original = fs::read(bench.path("usr/bin/tool")).unwrap();

    let output = bench.temporary("no-debug");
    let output = bench
        .emit_to(&recipe(&text("debug: false\n")), &output)
        .unwrap();
    assert!(stone(&output, "tool-dbginfo").is_none());
    let stripped = bytes(stone(&output, "tool").unwrap(), "bin/tool");
    assert!(!has(&stripped, ".debug_info") && !has(&stripped, ".gnu_debuglink"));

    let output = bench.temporary("no-strip");
    let output = bench
        .emit_to(&recipe(&text("strip: false\n")), &output)
        .unwrap();
    let linked = bytes(stone(&output, "tool").unwrap(), "bin/tool");
    assert!(has(&linked, ".debug_info") && has(&linked, ".gnu_debuglink"));
    let debug = stone(&output, "tool-dbginfo").unwrap();
    assert!(has(&bytes(debug, &debug_target(&linked)), ".debug_info"));

    let output = bench.temporary("neither");
    let output = bench
        .emit_to(&recipe(&text("strip: no\ndebug: no\n")), &output)
        .unwrap();
    assert!(stone(&output, "tool-dbginfo").is_none());
    assert!(bytes(stone(&output, "tool").unwrap(), "bin/tool") == original);
}

#[test]
fn a_binary_without_a_build_id_is_left_alone() {
    let bench = Bench::new();
    bench.source("main.c", "int main(void) { return 0; }\n");
    bench.folder("usr/bin");
    bench.compile(&["-Wl,--build-id=none", "-o", "ROOT/usr/bin/tool", "main.c"]);
    bench.compile(&["-c", "-o", "ROOT/usr/bin/object.o", "main.c"]);
    let output = bench.emit(&recipe(&text(""))).unwrap();
    assert_eq!(output.stones.len(), 1);
    let original = fs::read(bench.path("usr/bin/tool")).unwrap();
    assert!(bytes(&output.stones[0], "bin/tool") == original);
}

#[test]
fn debug_files_that_the_build_installed_stay() {
    let bench = Bench::new();
    install(&bench);
    let original = fs::read(bench.path("usr/bin/tool")).unwrap();
    let target = debug_target(&original);
    bench.file(&format!("usr/{target}"), 0o644, "made by the build");
    let output = bench.emit(&recipe(&text(""))).unwrap();
    let debug = stone(&output, "tool-dbginfo").unwrap();
    assert_eq!(bytes(debug, &target), b"made by the build");
    assert_eq!(
        targets(debug)
            .iter()
            .filter(|other| **other == target)
            .count(),
        1
    );
}

#[test]
fn what_the_tools_refuse_stays_as_it_was_built() {
    let bench = Bench::new();
    install(&bench);
    // A machine that no binutils knows; its build id is that of the tool, whose debug file is
    // already there.
    let mut foreign = fs::read(bench.path("usr/bin/tool")).unwrap();
    foreign[18..20].copy_from_slice(&0x4242_u16.to_le_bytes());
    fs::write(bench.path("usr/libexec/foreign"), &foreign).unwrap();
    let output = bench.emit(&recipe(&text(""))).unwrap();
    assert!(bytes(stone(&output, "tool").unwrap(), "libexec/foreign") == foreign);
    let log = bench.log();
    assert_eq!(log.len(), 1, "{log:?}");
    assert!(
        log[0].starts_with("warning: /usr/libexec/foreign stays as it was built: strip failed"),
        "{log:?}"
    );
}

#[test]
fn a_missing_tool_ends_the_packaging() {
    let bench = Bench::new();
    install(&bench);
    let empty = bench.temporary("no-tools");
    let tools = HostTools::from_folder(empty, Duration::from_secs(5));
    let output = bench.temporary("unused");
    let error = bench
        .emit_with(&recipe(&text("")), &output, &tools)
        .unwrap_err();
    assert!(matches!(&error, Error::Debug(_)), "{error}");
    assert_eq!(fs::read_dir(&output).unwrap().count(), 0);
    assert_eq!(bench.names("scratch"), Vec::<String>::new());
}

/// Tools whose results lead elsewhere: what a hostile binary could make of them.
struct Subverted(PathBuf);

impl Tools for Subverted {
    fn run(&self, _: Program, _: &[&str], folder: &Path) -> Result<(), ToolError> {
        fs::remove_file(folder.join("binary")).unwrap();
        std::os::unix::fs::symlink(&self.0, folder.join("binary")).unwrap();
        Ok(())
    }
}

#[test]
fn a_result_that_is_a_symlink_is_not_followed() {
    let bench = Bench::new();
    install(&bench);
    let secret = bench.temporary("host").join("key");
    fs::write(&secret, "a secret of the host").unwrap();
    let output = bench.temporary("unused");
    let tools = Subverted(secret);
    let error = bench
        .emit_with(&recipe(&text("debug: no\n")), &output, &tools)
        .unwrap_err();
    assert!(matches!(&error, Error::Debug(_)), "{error}");
    assert_eq!(fs::read_dir(&output).unwrap().count(), 0);
}

/// The CRC-32 of debug links: that of zlib.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 }
        })
    };
    !bytes.iter().fold(!0, step)
}
