//! The definitions, `%(name)`.

use super::context::Field;
use super::toolchain::{MARCH, MTUNE};

/// Where a definition's text comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value {
    /// From the build's context.
    Context(Field),
    /// A text that may use other definitions.
    Template(&'static str),
}

use Value::{Context, Template};

/// The definition of this name.
pub(crate) fn find(name: &str) -> Option<Value> {
    ALL.iter()
        .find(|(defined, _)| *defined == name)
        .map(|&(_, value)| value)
}

/// Every definition, in groups.
pub(crate) const ALL: &[(&str, Value)] = &[
    // The recipe and the build.
    ("name", Context(Field::Name)),
    ("version", Context(Field::Version)),
    ("release", Context(Field::Release)),
    ("jobs", Context(Field::Jobs)),
    ("pkgdir", Context(Field::PkgDir)),
    ("sourcedir", Context(Field::SourceDir)),
    ("workdir", Context(Field::WorkDir)),
    ("installroot", Context(Field::InstallRoot)),
    ("buildroot", Context(Field::BuildRoot)),
    ("builddir", Template("aerynos-builddir")),
    ("pgo_dir", Template("%(buildroot)-pgo")),
    // Where files are installed.
    ("prefix", Template("/usr")),
    ("bindir", Template("%(prefix)/bin")),
    ("sbindir", Template("%(prefix)/sbin")),
    ("includedir", Template("%(prefix)/include")),
    ("libsuffix", Template("")),
    ("libdir", Template("%(prefix)/lib%(libsuffix)")),
    ("libexecdir", Template("%(libdir)/%(name)")),
    ("datadir", Template("%(prefix)/share")),
    ("docdir", Template("%(datadir)/doc")),
    ("infodir", Template("%(datadir)/info")),
    ("localedir", Template("%(datadir)/locale")),
    ("mandir", Template("%(datadir)/man")),
    ("vendordir", Template("%(datadir)/defaults")),
    ("sysconfdir", Template("/etc")),
    ("localstatedir", Template("/var")),
    ("sharedstatedir", Template("%(localstatedir)/lib")),
    ("runstatedir", Template("/run")),
    ("tmpfilesdir", Template("%(prefix)/lib/tmpfiles.d")),
    ("sysusersdir", Template("%(prefix)/lib/sysusers.d")),
    ("udevrulesdir", Template("%(prefix)/lib/udev/rules.d")),
    (
        "bashcompletionsdir",
        Template("%(datadir)/bash-completion/completions"),
    ),
    ("completionsdir", Template("%(bashcompletionsdir)")),
    (
        "fishcompletionsdir",
        Template("%(datadir)/fish/vendor_completions.d"),
    ),
    (
        "zshcompletionsdir",
        Template("%(datadir)/zsh/site-functions"),
    ),
    // The machine. `target_triple` is what rustc calls it, whose folder names
    // recipes use.
    ("build_platform", Template("x86_64-aerynos-linux")),
    ("host_platform", Template("x86_64-aerynos-linux")),
    ("build", Template("%(build_platform)")),
    ("target_triple", Template("x86_64-unknown-linux-gnu")),
    ("march", Template(MARCH)),
    ("mtune", Template(MTUNE)),
    // Compilers, their flags, and where they look.
    ("cflags", Context(Field::CFlags)),
    ("cxxflags", Context(Field::CxxFlags)),
    ("ldflags", Context(Field::LdFlags)),
    ("rustflags", Context(Field::RustFlags)),
    ("cc", Context(Field::Cc)),
    ("cxx", Context(Field::Cxx)),
    ("cpp", Context(Field::Cpp)),
    ("ar", Context(Field::Ar)),
    ("ld", Context(Field::Ld)),
    ("nm", Context(Field::Nm)),
    ("objcopy", Context(Field::Objcopy)),
    ("ranlib", Context(Field::Ranlib)),
    ("strip", Context(Field::Strip)),
    ("path", Context(Field::Path)),
    ("pkgconfigpath", Context(Field::PkgConfigPath)),
    // The arguments of build systems, for recipes that call them themselves.
    (
        "options_configure",
        Template(
            "--prefix=\"%(prefix)\" --bindir=\"%(bindir)\" --sbindir=\"%(sbindir)\" \
             --build=\"%(build_platform)\" --host=\"%(host_platform)\" \
             --libdir=\"%(libdir)\" --mandir=\"%(mandir)\" --infodir=\"%(infodir)\" \
             --datadir=\"%(datadir)\" --sysconfdir=\"%(sysconfdir)\" \
             --localstatedir=\"%(localstatedir)\" --sharedstatedir=\"%(sharedstatedir)\" \
             --libexecdir=\"%(libexecdir)\"",
        ),
    ),
    (
        "options_cmake",
        Template(
            "-G Ninja -B \"%(builddir)\" -DCMAKE_BUILD_TYPE=Release \
             -DCMAKE_INSTALL_PREFIX=\"%(prefix)\" -DCMAKE_INSTALL_LIBDIR=lib%(libsuffix) \
             -DCMAKE_VERBOSE_MAKEFILE=ON",
        ),
    ),
    (
        "options_cmake_kf6",
        Template(
            "-DQT_MAJOR_VERSION=6 -DBUILD_TESTING=OFF -DKDE_INSTALL_USE_QT_SYS_PATHS=ON \
             -DKDE_INSTALL_SYSCONFDIR=\"%(sysconfdir)\" \
             -DKDE_INSTALL_LIBEXECDIR=lib%(libsuffix)/libexec",
        ),
    ),
    (
        "options_cmake_qt6",
        Template(
            "-DINSTALL_BINDIR=lib%(libsuffix)/qt6/bin -DINSTALL_LIBDIR=lib%(libsuffix) \
             -DINSTALL_ARCHDATADIR=lib%(libsuffix)/qt6 -DINSTALL_LIBEXECDIR=lib%(libsuffix)/qt6 \
             -DINSTALL_MKSPECSDIR=lib%(libsuffix)/qt6/mkspecs \
             -DINSTALL_INCLUDEDIR=include/qt6 -DINSTALL_DATADIR=share/qt6 \
             -DINSTALL_DOCDIR=share/doc/qt6 -DINSTALL_EXAMPLESDIR=lib%(libsuffix)/qt6/examples \
             -DQT_BUILD_TESTS=OFF -DQT_BUILD_EXAMPLES=OFF",
        ),
    ),
    (
        "options_meson",
        Template(
            "--prefix=\"%(prefix)\" --bindir=\"%(bindir)\" --sbindir=\"%(sbindir)\" \
             --libdir=\"%(libdir)\" --libexecdir=\"%(libexecdir)\" \
             --includedir=\"%(includedir)\" --datadir=\"%(datadir)\" --mandir=\"%(mandir)\" \
             --infodir=\"%(infodir)\" --localedir=\"%(localedir)\" \
             --sysconfdir=\"%(sysconfdir)\" --localstatedir=\"%(localstatedir)\" \
             --sharedstatedir=\"%(sharedstatedir)\" --wrap-mode=nodownload --buildtype=plain",
        ),
    ),
    (
        "options_cargo",
        Template("-v -j \"%(jobs)\" --locked --offline --release --target %(target_triple)"),
    ),
    (
        "cargo_target_dir",
        Template("target/%(target_triple)/release"),
    ),
];
