//! The compilers and their flags.

/// The names of the tools that compile and link, as scripts call them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toolchain {
    /// The C compiler.
    pub cc: String,
    /// The C++ compiler.
    pub cxx: String,
    /// The C preprocessor.
    pub cpp: String,
    /// The archiver.
    pub ar: String,
    /// The linker.
    pub ld: String,
    /// Lists symbols.
    pub nm: String,
    /// Copies object files.
    pub objcopy: String,
    /// Indexes archives.
    pub ranlib: String,
    /// Strips symbols.
    pub strip: String,
}

impl Toolchain {
    /// gcc and binutils. `gcc-ar` and its like know gcc's link-time objects.
    pub fn gnu() -> Self {
        Self {
            cc: "gcc".to_owned(),
            cxx: "g++".to_owned(),
            cpp: "gcc -E".to_owned(),
            ar: "gcc-ar".to_owned(),
            ld: "ld".to_owned(),
            nm: "gcc-nm".to_owned(),
            objcopy: "objcopy".to_owned(),
            ranlib: "gcc-ranlib".to_owned(),
            strip: "strip".to_owned(),
        }
    }

    /// clang, lld and the LLVM tools.
    pub fn llvm() -> Self {
        Self {
            cc: "clang".to_owned(),
            cxx: "clang++".to_owned(),
            cpp: "clang -E".to_owned(),
            ar: "llvm-ar".to_owned(),
            ld: "ld.lld".to_owned(),
            nm: "llvm-nm".to_owned(),
            objcopy: "llvm-objcopy".to_owned(),
            ranlib: "llvm-ranlib".to_owned(),
            strip: "llvm-strip".to_owned(),
        }
    }
}

/// The processor that programs are compiled for: x86-64-v2, which every
/// machine that the distribution supports has.
pub const MARCH: &str = "x86-64-v2";

/// The processor that instructions are scheduled for.
pub const MTUNE: &str = "generic";

/// Flags for C and C++ that gcc and clang both take: optimised, with debug
/// information (which is split off later), position independent (hand-written
/// makefiles of libraries leave that to the flags), and with the cheap checks
/// against exploits.
pub const COMPILE_FLAGS: &str = "-march=x86-64-v2 -mtune=generic -O2 -g -pipe -fPIC \
    -fstack-protector-strong -fstack-clash-protection \
    -Wformat -Wformat-security -Wp,-U_FORTIFY_SOURCE,-D_FORTIFY_SOURCE=2";

/// Flags for Fortran: those above that its compilers take.
pub const FORTRAN_FLAGS: &str =
    "-march=x86-64-v2 -mtune=generic -O2 -g -pipe -fPIC -fstack-protector-strong";

/// Flags for the linker, given to the compiler: only what is used is linked,
/// symbols are bound at start and then read-only, and every program has a
/// build id, by which its debug information is found.
pub const LINK_FLAGS: &str =
    "-Wl,-O1 -Wl,--as-needed -Wl,-z,relro -Wl,-z,now -Wl,--build-id=sha1 -Wl,--hash-style=gnu";

/// What the compilers are called with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flags {
    /// For C.
    pub c: String,
    /// For C++.
    pub cxx: String,
    /// For linking.
    pub ld: String,
    /// For the C preprocessor alone.
    pub cpp: String,
    /// For Fortran.
    pub fortran: String,
    /// For D.
    pub d: String,
    /// For Go.
    pub go: String,
    /// For Rust.
    pub rust: String,
}

impl Default for Flags {
    fn default() -> Self {
        Self {
            c: COMPILE_FLAGS.to_owned(),
            cxx: COMPILE_FLAGS.to_owned(),
            ld: LINK_FLAGS.to_owned(),
            cpp: String::new(),
            fortran: FORTRAN_FLAGS.to_owned(),
            d: String::new(),
            go: String::new(),
            rust: String::new(),
        }
    }
}
