//! Whether licences are SPDX expressions.

use spdx::error::Reason;
use spdx::identifiers::{EXCEPTIONS, LICENSES};
use spdx::{Expression, ParseError, ParseMode};

use crate::recipe::diagnostic::{Code, Diagnostic, Severity};
use crate::recipe::findings::Findings;
use crate::recipe::nearest;
use crate::recipe::span::Spanned;

/// Identifiers that SPDX has replaced are known all the same: `GPL-2.0` and
/// `GPL-2.0+` say what they mean.
const MODE: ParseMode = ParseMode {
    allow_slash_as_or_operator: false,
    allow_imprecise_license_names: false,
    allow_postfix_plus_on_gpl: true,
    allow_deprecated: true,
    allow_unknown: false,
};

/// Says what is to be said about one entry of `license`.
pub(super) fn check(licence: &Spanned<String>, findings: &mut Findings) {
    if let Err(error) = Expression::parse_mode(licence, MODE) {
        findings.report_with(Severity::Warning, || describe(licence, &error));
    }
}

fn describe(licence: &Spanned<String>, error: &ParseError) -> Diagnostic {
    let word = licence.get(error.span.clone()).unwrap_or_default().trim();
    let message = if !is_unknown(&error.reason) {
        format!("`{licence}` is no SPDX expression")
    } else if word == licence.as_str() {
        format!("`{word}` is no licence that SPDX knows")
    } else {
        format!("`{word}` in `{licence}` is no licence that SPDX knows")
    };
    let warning = Diagnostic::warning(Code::UnknownLicence, licence.span(), message);
    warning.with_help(help(word, error))
}

const fn is_unknown(reason: &Reason) -> bool {
    matches!(
        reason,
        Reason::UnknownLicense | Reason::UnknownException | Reason::UnknownTerm
    )
}

fn help(word: &str, error: &ParseError) -> String {
    if spdx::exception_id(word).is_some() {
        return format!("an exception stands behind its licence: `LICENCE WITH {word}`");
    }
    if !is_unknown(&error.reason) {
        return explain(&error.reason).to_owned();
    }
    match find(word) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => "write `LicenseRef-NAME` for a licence that SPDX does not list".to_owned(),
    }
}

/// The licence or exception that is most likely meant.
fn find(word: &str) -> Option<&'static str> {
    let licences = LICENSES.iter().map(|licence| licence.name);
    let exceptions = EXCEPTIONS.iter().map(|exception| exception.name);
    let names = || licences.clone().chain(exceptions.clone());
    names()
        .find(|name| name.eq_ignore_ascii_case(word))
        .or_else(|| imprecise(word))
        .or_else(|| nearest::by_letters(word, names()))
}

/// A usual name of a licence, where all of the word is one.
fn imprecise(word: &str) -> Option<&'static str> {
    let (licence, length) = spdx::imprecise_license_id(word)?;
    (length == word.len()).then_some(licence.name)
}

fn explain(reason: &Reason) -> &'static str {
    match reason {
        Reason::InvalidCharacters => "identifiers have letters, digits, `.` and `-`",
        Reason::UnclosedParens => "the parenthesis is not closed",
        Reason::UnopenedParens => "the parenthesis was not opened",
        Reason::SeparatedPlus => "`+` follows a licence without a space",
        Reason::GnuNoPlus | Reason::GnuPlusWithSuffix => "`-only` and `-or-later` take no `+`",
        Reason::Empty
        | Reason::Unexpected(_)
        | Reason::UnknownLicense
        | Reason::UnknownException
        | Reason::UnknownTerm
        | Reason::DeprecatedLicenseId => "join licences with AND or OR, or write a list",
    }
}
