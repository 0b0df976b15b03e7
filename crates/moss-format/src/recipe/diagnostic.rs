//! What is wrong, or questionable, in a recipe, and where.

use std::fmt;

use serde::{Serialize, Serializer};

use super::span::Span;

/// How much a diagnostic matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; nothing has to change.
    Note,
    /// Should be changed; the recipe is still read and built.
    Warning,
    /// The recipe cannot be used: it is not read, or its build would fail.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $variant:ident => $text:literal,)+) => {
        /// The kind of a diagnostic. Its text form is stable.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Code {
            /// Every code, for documentation and for tests.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The stable text form, as `missing-key`.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }

            /// What the code means, in a sentence or two.
            pub fn explanation(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!($($doc,)+).trim_start(),)+
                }
            }
        }
    };
}

codes! {
    /// The text is not YAML, or uses YAML that a recipe has no use for (several documents, endless aliases).
    YamlSyntax => "yaml-syntax",
    /// The recipe is larger than any real one by orders of magnitude and is not read.
    TooLarge => "too-large",
    /// A key that every recipe needs is missing.
    MissingKey => "missing-key",
    /// A key is there, but its value is empty.
    EmptyValue => "empty-value",
    /// A value has another shape than its key asks for, as a list where a text belongs.
    WrongType => "wrong-type",
    /// A key stands twice in one mapping, so that one of its values would be lost.
    DuplicateKey => "duplicate-key",
    /// A package name must start with a letter or digit and consist of letters, digits and `+ . _ -`.
    BadName => "bad-name",
    /// A version consists of letters, digits and `+ . _ - ~` and does not start with `+ _ - ~`.
    BadVersion => "bad-version",
    /// A version should start with a digit; current tools refuse others, as `v1.2`.
    VersionStart => "version-start",
    /// A release is an integer above 0, written without sign or leading zeros.
    BadRelease => "bad-release",
    /// The recipe changed, but its release is not above the one before, so that users would not get the change.
    ReleaseNotRaised => "release-not-raised",
    /// A switch takes true or false.
    BadBoolean => "bad-boolean",
    /// The value is not one of those that its key takes.
    BadChoice => "bad-choice",
    /// An upstream is a URL with a scheme; a git upstream starts with `git|`.
    BadUrl => "bad-url",
    /// An archive's hash is its SHA-256, 64 hexadecimal digits.
    BadHash => "bad-hash",
    /// A git ref is the name of a commit, tag or branch, without white space and not starting with `-`.
    BadRef => "bad-ref",
    /// A file or folder name of an upstream must be relative and must not leave the build folder.
    BadPath => "bad-path",
    /// An archive has no SHA-256, so nothing says that it is the one meant.
    MissingHash => "missing-hash",
    /// A git upstream has no ref, so nothing says what to build.
    MissingRef => "missing-ref",
    /// The source is fetched without encryption. The hash still protects its content, but not which file is asked for.
    InsecureUpstream => "insecure-upstream",
    /// A git upstream names a branch or tag, which can move. A full commit id cannot.
    MovingRef => "moving-ref",
    /// The version is written without quotes and other tools read it as a number, which changes its text.
    UnquotedVersion => "unquoted-version",
    /// The switch is written as yes, no, on or off. Newer tools only take true and false.
    LegacyBoolean => "legacy-boolean",
    /// The key is not known and has no effect.
    UnknownKey => "unknown-key",
    /// A dependency is a package name, or a kind and a name as `pkgconfig(zlib)`, without white space.
    BadDependency => "bad-dependency",
    /// The script uses an action (`%name`) that is not defined; the build would fail there.
    UnknownAction => "unknown-action",
    /// The text uses a definition (`%(name)`) that is not defined; the build would fail there.
    UnknownDefinition => "unknown-definition",
    /// Expanding the script's macros nests too deep or grows too large.
    ExpansionLimit => "expansion-limit",
    /// A licence is no SPDX expression of known identifiers; others are written `LicenseRef-NAME`.
    UnknownLicence => "unknown-licence",
    /// The key is understood, but builds do not act on it yet.
    NotHonoured => "not-honoured",
    /// A `control.kdl` with overrides lies beside the recipe, and builds do not read it.
    ControlFile => "control-file",
    /// More was found than is listed; the message says how much.
    MoreFindings => "more-findings",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// One finding in a recipe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// The kind of finding.
    pub code: Code,
    /// How much it matters.
    pub severity: Severity,
    /// What was found, for a person. It may quote the recipe, so it is data:
    /// escape it wherever markup is read.
    pub message: String,
    /// Where it was found.
    pub span: Span,
    /// What to do about it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A finding without help.
    pub fn new(code: Code, severity: Severity, span: Span, message: impl Into<String>) -> Self {
        Self {
            code,
            severity,
            message: message.into(),
            span,
            help: None,
        }
    }

    /// An error.
    pub fn error(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Error, span, message)
    }

    /// A warning.
    pub fn warning(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Warning, span, message)
    }

    /// A note.
    pub fn note(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Note, span, message)
    }

    /// The same finding with a word on what to do.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Whether the recipe cannot be used because of this.
    pub const fn is_error(&self) -> bool {
        matches!(self.severity, Severity::Error)
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {}[{}]: {}",
            self.span, self.severity, self.code, self.message
        )?;
        match &self.help {
            Some(help) => write!(f, " ({help})"),
            None => Ok(()),
        }
    }
}

/// A recipe could not be read. Holds at least one error, and whatever else was
/// found on the way, in the order of the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ParseFailure {
    first: Diagnostic,
    diagnostics: Vec<Diagnostic>,
}

impl ParseFailure {
    /// The failure for the first error of reading, and all findings.
    pub(crate) const fn new(first: Diagnostic, diagnostics: Vec<Diagnostic>) -> Self {
        Self { first, diagnostics }
    }

    /// The failure for a single error.
    pub(crate) fn single(error: Diagnostic) -> Self {
        Self {
            first: error.clone(),
            diagnostics: vec![error],
        }
    }

    /// The first error.
    pub const fn first(&self) -> &Diagnostic {
        &self.first
    }

    /// All findings, errors and others, in the order of the text.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// All findings, errors and others, in the order of the text.
    pub fn into_diagnostics(self) -> Vec<Diagnostic> {
        self.diagnostics
    }
}

impl fmt::Display for ParseFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let errors = self.diagnostics.iter().filter(|d| d.is_error()).count();
        write!(f, "reading the recipe failed at {}", self.first)?;
        if errors > 1 {
            write!(f, ", and {} more", errors - 1)?;
        }
        Ok(())
    }
}
