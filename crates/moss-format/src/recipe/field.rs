//! Expanding the few definitions that fields outside scripts may use.

use super::diagnostic::{Code, Diagnostic, Severity};
use super::name::{Name, Version};
use super::read::Reader;
use super::span::Spanned;
use crate::script::token::{Token, tokens};

/// What `%(name)`, `%(version)` and `%(release)` stand for.
pub(crate) struct Identity {
    name: String,
    version: String,
    release: String,
}

impl Identity {
    /// The identity of a recipe. Where a part could not be read, something
    /// harmless stands for it, so that the rest can still be checked; such a
    /// recipe is not handed out.
    pub(crate) fn new(
        name: Option<&Name>,
        version: Option<&Version>,
        release: Option<u64>,
    ) -> Self {
        Self {
            name: name.map_or_else(|| "unnamed".to_owned(), Name::to_string),
            version: version.map_or_else(|| "0".to_owned(), Version::to_string),
            release: release.unwrap_or(1).to_string(),
        }
    }
}

impl Reader<'_> {
    /// The text with the three definitions and `%%` replaced. Anything else
    /// stays as it is; an unknown definition is warned of.
    pub(crate) fn expanded(
        &mut self,
        text: Spanned<String>,
        identity: &Identity,
    ) -> Spanned<String> {
        if !text.contains('%') {
            return text;
        }
        let mut out = String::with_capacity(text.len());
        for token in tokens(&text) {
            match token {
                Token::Text(literal) => out.push_str(literal),
                Token::Percent => out.push('%'),
                Token::Action { name, .. } => {
                    out.push('%');
                    out.push_str(name);
                }
                Token::Definition { name: "name", .. } => out.push_str(&identity.name),
                Token::Definition {
                    name: "version", ..
                } => out.push_str(&identity.version),
                Token::Definition {
                    name: "release", ..
                } => out.push_str(&identity.release),
                Token::Definition { name, .. } => {
                    self.report_with(Severity::Warning, || {
                        Diagnostic::warning(
                            Code::UnknownDefinition,
                            text.span(),
                            format!("`%({name})` is not replaced here"),
                        )
                        .with_help("only name, version and release are")
                    });
                    out.push_str("%(");
                    out.push_str(name);
                    out.push(')');
                }
            }
        }
        Spanned::new(out, text.span())
    }
}
