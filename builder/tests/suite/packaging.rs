//! Install roots become packages: with binaries of the host's compiler, and with real packages.

mod bench;
mod binaries;
mod corpus;

use std::os::unix::fs::{PermissionsExt, symlink};

use avalanche::package::{Error, Output};

use bench::{Bench, listing, normal, open, recipe};

/// A library and a program that uses it, as `make install` would leave them.
fn install_greeter(bench: &Bench) {
    bench.file("usr/include/greet.h", 0o644, "const char *greet(void);\n");
    bench.source(
        "greet.c",
        "const char *greet(void) { return \"hello from the library\"; }\n",
    );
    bench.source(
        "main.c",
        "#include <stdio.h>\n#include \"greet.h\"\n\
         int main(void) { puts(greet()); return 0; }\n",
    );
    bench.folder("usr/lib");
    bench.compile(&[
        "-shared",
        "-fPIC",
        "-Wl,-soname,libgreet.so.1",
        "-o",
        "ROOT/usr/lib/libgreet.so.1.2",
        "greet.c",
    ]);
    symlink("libgreet.so.1.2", bench.path("usr/lib/libgreet.so.1")).unwrap();
    symlink("libgreet.so.1", bench.path("usr/lib/libgreet.so")).unwrap();
    bench.folder("usr/bin");
    bench.compile(&[
        "-IROOT/usr/include",
        "-o",
        "ROOT/usr/bin/greet",
        "main.c",
        "-LROOT/usr/lib",
        "-lgreet",
        "-Wl,-rpath,$ORIGIN/../lib",
    ]);
    bench.compile(&["-c", "-o", "greet.o", "greet.c"]);
    bench.run("ar", &["rcsD", "ROOT/usr/lib/libgreet.a", "greet.o"]);
    bench.file("usr/lib/libgreet.la", 0o755, "# a libtool library file\n");
    bench.file(
        "usr/lib/pkgconfig/greet.pc",
        0o644,
        "prefix=/usr\nbase=zlib\nName: greet\nDescription: Greets\nVersion: 1.2\n\
         Requires: glib-2.0 >= 2.40, gobject-2.0\nRequires.private: ${base} > 1\nLibs: -lgreet\n",
    );
    bench.file("usr/lib/cmake/Greet/GreetConfig.cmake", 0o644, "");
    bench.file("usr/share/doc/greet/README", 0o644, "Read me.\n");
    bench.file("usr/share/doc/greet/COPY", 0o644, "Read me.\n");
    bench.file("etc/greet.conf", 0o644, "loud = no\n");
    bench.folder("usr/share/greet/plugins");
}

const GREETER: &str = "\
name: greet
version: 1.10
release: 4
homepage: https://example.org/greet
license:
    - MIT
    - Apache-2.0
summary: Greets
description: |
    Greets whoever
    runs it.
builddeps:
    - pkgconfig(zlib)
    - binary(msgfmt)
checkdeps:
    - python
rundeps:
    - glibc
packages:
    - \"%(name)-libs\":
        summary: Library of %(name)
        paths:
            - /usr/lib/libgreet.so.*
";

fn greeter() -> (Bench, Output) {
    let bench = Bench::new();
    install_greeter(&bench);
    let output = bench.emit(&recipe(GREETER)).unwrap();
    (bench, output)
}

#[test]
fn a_library_and_a_program_become_packages() {
    let (bench, output) = greeter();
    let names: Vec<&str> = output
        .stones
        .iter()
        .map(|stone| stone.file_name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "greet-1.10-4-7-x86_64.stone",
            "greet-dbginfo-1.10-4-7-x86_64.stone",
            "greet-devel-1.10-4-7-x86_64.stone",
            "greet-libs-1.10-4-7-x86_64.stone",
        ]
    );
    let mut report = String::new();
    for stone in &output.stones {
        let mut package = open(&stone.path);
        package.verify().unwrap();
        assert_eq!(package.meta(), &stone.meta);
        let bytes = std::fs::read(&stone.path).unwrap();
        assert_eq!(api::id::Sha256::of(&bytes), stone.sha256);
        assert_eq!(bytes.len() as u64, stone.size);
        report.push_str(&serde_json::to_string_pretty(&stone.meta).unwrap());
        report.push_str(&format!("\n{}\n\n", listing(&package).join("\n")));
    }
    report.push_str(&bench.log().join("\n"));
    insta::assert_snapshot!(normal(&report));
}

#[test]
fn the_manifests_describe_what_was_built() {
    let (_bench, output) = greeter();
    assert_eq!(output.manifest_bin.file_name, "manifest.x86_64.bin");
    let bytes = std::fs::read(&output.manifest_bin.path).unwrap();
    assert_eq!(api::id::Sha256::of(&bytes), output.manifest_bin.sha256);
    let manifest = moss_format::Manifest::decode(&bytes).unwrap();
    let names: Vec<&str> = manifest
        .packages
        .iter()
        .map(|meta| meta.name.as_str())
        .collect();
    assert_eq!(names, ["greet", "greet-devel", "greet-libs"]);
    for meta in &manifest.packages {
        assert_eq!(meta.build_release, 0);
        let needs: Vec<String> = meta.build_depends.iter().map(ToString::to_string).collect();
        assert_eq!(needs, ["binary(msgfmt)", "pkgconfig(zlib)", "python"]);
    }
    let text = std::fs::read_to_string(&output.manifest_jsonc.path).unwrap();
    assert_eq!(text.len() as u64, output.manifest_jsonc.size);
    insta::assert_snapshot!(normal(&text));
}

#[test]
fn the_unpacked_program_runs() {
    let (bench, output) = greeter();
    let root = bench.temporary("unpacked");
    for stone in output.stones.iter().filter(|stone| !stone.meta.is_debug()) {
        let options = moss_format::unpack::Options::default();
        moss_format::unpack::unpack(&mut open(&stone.path), &root, &options).unwrap();
    }
    let ran = std::process::Command::new(root.join("usr/bin/greet"))
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&ran.stdout),
        "hello from the library\n",
        "{ran:?}"
    );
}

#[test]
fn the_same_tree_gives_the_same_bytes() {
    let (first, one) = greeter();
    let again = first
        .emit_to(&recipe(GREETER), &first.temporary("again"))
        .unwrap();
    // Another place on the disk and files created in another order.
    let second = Bench::new();
    second.run(
        "cp",
        &["-a", &format!("{}/.", first.path("").display()), "ROOT/"],
    );
    let two = second.emit(&recipe(GREETER)).unwrap();
    let files = |output: &Output| -> Vec<(String, Vec<u8>)> {
        let stones = output.stones.iter().map(|stone| &stone.path);
        let manifests = [&output.manifest_bin.path, &output.manifest_jsonc.path];
        stones
            .chain(manifests)
            .map(|path| {
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                (name, std::fs::read(path).unwrap())
            })
            .collect()
    };
    assert!(files(&one) == files(&again), "the second run differs");
    assert!(
        files(&one) == files(&two),
        "the copied tree gives other bytes"
    );
}

#[test]
fn the_install_root_is_left_alone_and_nothing_else_stays() {
    let bench = Bench::new();
    install_greeter(&bench);
    let before = std::fs::read(bench.path("usr/bin/greet")).unwrap();
    bench.emit(&recipe(GREETER)).unwrap();
    assert!(before == std::fs::read(bench.path("usr/bin/greet")).unwrap());
    assert!(!bench.path("usr/lib/debug").exists());
    assert_eq!(bench.names("scratch"), Vec::<String>::new());
    assert_eq!(
        bench.names("output"),
        [
            "greet-1.10-4-7-x86_64.stone",
            "greet-dbginfo-1.10-4-7-x86_64.stone",
            "greet-devel-1.10-4-7-x86_64.stone",
            "greet-libs-1.10-4-7-x86_64.stone",
            "manifest.x86_64.bin",
            "manifest.x86_64.jsonc",
        ]
    );
}

#[test]
fn modes_links_and_special_files_are_kept() {
    let bench = Bench::new();
    bench.file("usr/bin/su", 0o4755, "#!/bin/sh\n");
    bench.file("usr/bin/wall", 0o2755, "#!/bin/sh\n");
    std::fs::hard_link(bench.path("usr/bin/su"), bench.path("usr/bin/zu")).unwrap();
    symlink("/etc/alternatives/x", bench.path("usr/bin/x")).unwrap();
    bench.folder("usr/share/spool");
    let sticky = std::fs::Permissions::from_mode(0o1777);
    std::fs::set_permissions(bench.path("usr/share/spool"), sticky).unwrap();
    bench.run("mkfifo", &["-m", "600", "ROOT/usr/share/pipe"]);
    let output = bench.emit(&recipe(GREETER)).unwrap();
    let package = open(&output.stones[0].path);
    assert_eq!(
        listing(&package),
        [
            "104755 bin/su 10 bytes",
            "102755 bin/wall 10 bytes",
            "120777 bin/x -> /etc/alternatives/x",
            "104755 bin/zu 10 bytes",
            "010600 share/pipe fifo",
            "041777 share/spool directory",
        ]
    );
    assert_eq!(package.slices().len(), 1, "equal files are stored once");
    assert!(
        package
            .layout()
            .iter()
            .all(|entry| entry.uid == 0 && entry.gid == 0)
    );
}

#[test]
fn without_files_under_usr_there_is_nothing_to_package() {
    let bench = Bench::new();
    bench.file("etc/only.conf", 0o644, "");
    let error = bench.emit(&recipe(GREETER)).unwrap_err();
    assert!(matches!(error, Error::Empty), "{error}");
    assert_eq!(
        bench.log(),
        ["warning: /etc/only.conf is left out: it lies outside /usr"]
    );
    assert_eq!(bench.names("output"), Vec::<String>::new());
}

#[test]
fn python_distributions_and_32_bit_modules() {
    let bench = Bench::new();
    let site = "usr/lib/python3.11/site-packages";
    bench.file(
        &format!("{site}/My_App-1.dist-info/METADATA"),
        0o644,
        "Metadata-Version: 2.1\nName: My.App\nRequires-Dist: Jinja2>=3\n\
         Requires-Dist: tomli>=1; python_version < \"3.11\"\n\
         Requires-Dist: requests[socks]\nRequires-Dist: pytest; extra == 'test'\n\
         Requires-Dist: bad ; what == '1'\n\nBody\n",
    );
    bench.file(
        &format!("{site}/old.egg-info/PKG-INFO"),
        0o644,
        "Name: Old_Thing\n",
    );
    let module = "Requires: xproto >= 1, beside, there\n";
    bench.file("usr/lib32/pkgconfig/x11.pc", 0o644, module);
    bench.file("usr/lib32/pkgconfig/beside.pc", 0o644, "");
    bench.file("usr/lib/pkgconfig/x11.pc", 0o644, module);
    bench.available("pkgconfig32(there)");
    let output = bench.emit(&recipe(GREETER)).unwrap();
    let mut report = Vec::new();
    for stone in &output.stones {
        report.push(format!("{}:", stone.meta.name));
        report.extend(
            stone
                .meta
                .provides
                .iter()
                .map(|provider| format!("  provides {provider}")),
        );
        report.extend(
            stone
                .meta
                .depends
                .iter()
                .map(|needed| format!("  depends {needed}")),
        );
    }
    report.extend(bench.log());
    insta::assert_snapshot!(normal(&report.join("\n")));
}
