//! The packages that every recipe may fill without naming them, as data.

/// One template. `%(name)` stands for the recipe's name in every text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Template {
    pub(crate) name: &'static str,
    /// Empty: the recipe's.
    pub(crate) summary: &'static str,
    /// Empty: the recipe's.
    pub(crate) description: &'static str,
    pub(crate) rundeps: &'static [&'static str],
    pub(crate) paths: &'static [&'static str],
}

/// The templates in the order in which their paths are tried; a later match wins.
pub(crate) const TEMPLATES: &[Template] = &[
    Template {
        name: "%(name)",
        summary: "",
        description: "",
        rundeps: &[],
        paths: &["*"],
    },
    Template {
        name: "%(name)-docs",
        summary: "Documentation for %(name)",
        description: "Documentation files for the %(name) package",
        rundeps: &[],
        paths: &["/usr/share/gtk-doc"],
    },
    Template {
        name: "%(name)-devel",
        summary: "Development files for %(name)",
        description: "Install this package if you intend to build software against\n\
                      the %(name) package.",
        rundeps: &["%(name)"],
        paths: &[
            "/usr/include",
            "/usr/lib/*.a",
            "/usr/lib/cmake",
            "/usr/lib/lib*.so",
            "/usr/lib/pkgconfig",
            "/usr/share/aclocal",
            "/usr/share/cmake",
            "/usr/share/man/man2",
            "/usr/share/man/man3",
            "/usr/share/man/man9",
            "/usr/share/pkgconfig",
            "/usr/share/gir-1.0/*.gir",
            "/usr/share/vala/vapi/*.deps",
            "/usr/share/vala/vapi/*.vapi",
            "/usr/lib/*.prl",
            "/usr/lib/metatypes",
            "/usr/lib/qt*/metatypes/qt*.json",
            "/usr/lib/qt*/mkspecs",
            "/usr/lib/qt*/modules/*.json",
            "/usr/lib/qt*/plugins/designer/*.so",
        ],
    },
    Template {
        name: "%(name)-dbginfo",
        summary: "Debugging symbols for %(name)",
        description: "Install this package if you need debugging information + symbols\n\
                      for the %(name) package.",
        rundeps: &[],
        paths: &["/usr/lib/debug"],
    },
    Template {
        name: "%(name)-libs",
        summary: "Library files for %(name)",
        description: "Library files for %(name), typically pulled in as a dependency of \
                      another package.",
        rundeps: &[],
        paths: &[],
    },
    Template {
        name: "%(name)-32bit",
        summary: "Provides 32-bit runtime libraries for %(name)",
        description: "Install this package if you need the 32-bit versions of the\n\
                      %(name) package libraries.",
        rundeps: &["%(name)"],
        paths: &["/usr/lib32", "/usr/lib32/lib*.so.*"],
    },
    Template {
        name: "%(name)-32bit-devel",
        summary: "Provides development files for %(name)-32bit",
        description: "Install this package if you need to build software against\n\
                      the 32-bit version of %(name), %(name)-32bit.",
        rundeps: &["%(name)-32bit", "%(name)-devel"],
        paths: &[
            "/usr/lib32/*.a",
            "/usr/lib32/cmake",
            "/usr/lib32/lib*.so",
            "/usr/lib32/pkgconfig",
        ],
    },
    Template {
        name: "%(name)-32bit-dbginfo",
        summary: "Debugging symbols for %(name)-32bit",
        description: "Install this package if you need debugging information + symbols\n\
                      for the %(name)-32bit package.",
        rundeps: &[],
        paths: &["/usr/lib32/debug"],
    },
    Template {
        name: "%(name)-demos",
        summary: "Example files for %(name)",
        description: "Example files for the %(name) package",
        rundeps: &[],
        paths: &["/usr/lib/qt*/examples"],
    },
];
