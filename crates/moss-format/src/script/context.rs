//! What a builder knows and scripts use.

use std::borrow::Cow;
use std::num::NonZeroU32;

use super::definitions::{self, Value};
use super::path::BuildPath;
use super::toolchain::{Flags, Toolchain};
use crate::limits::Limits;
use crate::recipe::{Name, Recipe, Version};

/// The folders of a build, as its scripts see them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folders {
    /// The recipe's `pkg/`.
    pub pkgdir: BuildPath,
    /// The downloaded archives.
    pub sourcedir: BuildPath,
    /// The first unpacked source; scripts start here.
    pub workdir: BuildPath,
    /// Where files are installed to; the package's `/`.
    pub installroot: BuildPath,
    /// The folder that sources are unpacked below.
    pub buildroot: BuildPath,
}

/// Everything that definitions and exported variables are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// The recipe's name.
    pub name: Name,
    /// The recipe's version.
    pub version: Version,
    /// The recipe's release.
    pub release: u64,
    /// How many processes a build may run at once.
    pub jobs: NonZeroU32,
    /// The folders of the build.
    pub folders: Folders,
    /// The compilers.
    pub toolchain: Toolchain,
    /// Their flags.
    pub flags: Flags,
    /// `PATH`.
    pub path: String,
    /// `PKG_CONFIG_PATH`.
    pub pkgconfigpath: String,
    /// `SOURCE_DATE_EPOCH`: the time, in seconds since 1970, that builds write
    /// wherever they would write the current one.
    pub source_date_epoch: i64,
    /// How large and how deep scripts may become; the defaults in a new
    /// context.
    pub limits: Limits,
}

/// The default `PATH`.
pub const DEFAULT_PATH: &str = "/usr/bin:/usr/sbin:/bin:/sbin";

/// The default `PKG_CONFIG_PATH`. It is searched before the places that the
/// host's pkg-config knows itself.
pub const DEFAULT_PKG_CONFIG_PATH: &str = "/usr/lib/pkgconfig:/usr/share/pkgconfig";

impl Context {
    /// The context of a recipe's build with the default flags and search
    /// paths, and the tools that the recipe's toolchain names. A builder whose
    /// host has other tools replaces `toolchain`.
    pub fn new(
        recipe: &Recipe,
        folders: Folders,
        jobs: NonZeroU32,
        source_date_epoch: i64,
    ) -> Self {
        Self {
            name: recipe.name.value().clone(),
            version: recipe.version.value().clone(),
            release: *recipe.release.value(),
            jobs,
            folders,
            toolchain: match *recipe.options.toolchain {
                crate::recipe::Toolchain::Llvm => Toolchain::llvm(),
                crate::recipe::Toolchain::Gnu => Toolchain::gnu(),
            },
            flags: Flags::default(),
            path: DEFAULT_PATH.to_owned(),
            pkgconfigpath: DEFAULT_PKG_CONFIG_PATH.to_owned(),
            source_date_epoch,
            limits: Limits::DEFAULT,
        }
    }

    /// What a definition stands for. What comes from the context is taken as
    /// it is; what comes from the table may use other definitions.
    pub(crate) fn definition(&self, name: &str) -> Option<Meaning<'_>> {
        Some(match definitions::find(name)? {
            Value::Template(template) => Meaning::Template(template),
            Value::Context(field) => Meaning::Literal(self.field(field)),
        })
    }

    fn field(&self, field: Field) -> Cow<'_, str> {
        let text: &str = match field {
            Field::Name => &self.name,
            Field::Version => &self.version,
            Field::Release => return Cow::Owned(self.release.to_string()),
            Field::Jobs => return Cow::Owned(self.jobs.to_string()),
            Field::PkgDir => self.folders.pkgdir.as_str(),
            Field::SourceDir => self.folders.sourcedir.as_str(),
            Field::WorkDir => self.folders.workdir.as_str(),
            Field::InstallRoot => self.folders.installroot.as_str(),
            Field::BuildRoot => self.folders.buildroot.as_str(),
            Field::CFlags => &self.flags.c,
            Field::CxxFlags => &self.flags.cxx,
            Field::LdFlags => &self.flags.ld,
            Field::RustFlags => &self.flags.rust,
            Field::Cc => &self.toolchain.cc,
            Field::Cxx => &self.toolchain.cxx,
            Field::Cpp => &self.toolchain.cpp,
            Field::Ar => &self.toolchain.ar,
            Field::Ld => &self.toolchain.ld,
            Field::Nm => &self.toolchain.nm,
            Field::Objcopy => &self.toolchain.objcopy,
            Field::Ranlib => &self.toolchain.ranlib,
            Field::Strip => &self.toolchain.strip,
            Field::Path => &self.path,
            Field::PkgConfigPath => &self.pkgconfigpath,
        };
        Cow::Borrowed(text)
    }

    /// The variables that every script exports, in order.
    pub(crate) fn variables(&self) -> Vec<(&'static str, Cow<'_, str>)> {
        let text = |name, text| (name, Cow::Borrowed(text));
        let epoch = self.source_date_epoch.to_string();
        vec![
            text("TERM", "dumb"),
            ("SOURCE_DATE_EPOCH", Cow::Owned(epoch)),
            text("LANG", "C.UTF-8"),
            text("LC_ALL", "C.UTF-8"),
            text("PATH", &self.path),
            text("PKG_CONFIG_PATH", &self.pkgconfigpath),
            text("CFLAGS", &self.flags.c),
            text("CXXFLAGS", &self.flags.cxx),
            text("CPPFLAGS", &self.flags.cpp),
            text("LDFLAGS", &self.flags.ld),
            text("FFLAGS", &self.flags.fortran),
            text("FCFLAGS", &self.flags.fortran),
            text("DFLAGS", &self.flags.d),
            text("GOFLAGS", &self.flags.go),
            text("RUSTFLAGS", &self.flags.rust),
            text("CC", &self.toolchain.cc),
            text("CXX", &self.toolchain.cxx),
            text("CPP", &self.toolchain.cpp),
            text("AR", &self.toolchain.ar),
            text("LD", &self.toolchain.ld),
            text("NM", &self.toolchain.nm),
            text("OBJCOPY", &self.toolchain.objcopy),
            text("RANLIB", &self.toolchain.ranlib),
            text("STRIP", &self.toolchain.strip),
        ]
    }
}

/// What a definition stands for in a context.
pub(crate) enum Meaning<'context> {
    /// This text, as it is.
    Literal(Cow<'context, str>),
    /// This text once it is expanded.
    Template(&'static str),
}

/// A part of the context that is a definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    Name,
    Version,
    Release,
    Jobs,
    PkgDir,
    SourceDir,
    WorkDir,
    InstallRoot,
    BuildRoot,
    CFlags,
    CxxFlags,
    LdFlags,
    RustFlags,
    Cc,
    Cxx,
    Cpp,
    Ar,
    Ld,
    Nm,
    Objcopy,
    Ranlib,
    Strip,
    Path,
    PkgConfigPath,
}
