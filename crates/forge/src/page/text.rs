//! Words of strangers, times, ids and addresses as pages show them.

use std::borrow::Cow;

use jiff::Timestamp;
use maud::{Markup, html};
use percent_encoding::utf8_percent_encode;

use crate::name::Sha;
use crate::shape::commit::PATH;

/// A stranger's text. maud escapes it; what turns text around would let a name pose as another,
/// so it is replaced.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    if text.contains(is_turning) {
        Cow::Owned(text.replace(is_turning, "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

const fn is_turning(character: char) -> bool {
    matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
}

/// Digits of an id that are shown.
const SHORT: usize = 10;

/// The beginning of a commit's id.
pub(crate) fn short(sha: &Sha) -> &str {
    &sha.as_str()[..SHORT]
}

/// A path or a ref in an address.
pub(crate) fn address(path: &str) -> String {
    utf8_percent_encode(path, PATH).to_string()
}

/// The first line of a commit's message.
pub(crate) fn subject(message: &str) -> Cow<'_, str> {
    let line = message.lines().next().unwrap_or_default().trim();
    if line.is_empty() {
        Cow::Borrowed("(no message)")
    } else {
        plain(line)
    }
}

/// Whether a link may lead there.
pub(crate) fn is_web(target: &str) -> bool {
    let lower = target.get(..8).unwrap_or(target).to_ascii_lowercase();
    lower.starts_with("http://") || lower.starts_with("https://")
}

/// A time as how long ago it was, with the exact one where the mouse rests.
pub(crate) fn time(now: Timestamp, at: Timestamp) -> Markup {
    html! {
        time datetime=(crate::clock::text(at)) title=(at.strftime("%Y-%m-%d %H:%M:%S UTC")) {
            (ago(now, at))
        }
    }
}

fn ago(now: Timestamp, at: Timestamp) -> String {
    let seconds = now.as_second().saturating_sub(at.as_second());
    let (count, unit) = match seconds {
        ..=44 => return "just now".to_owned(),
        45..=3_599 => ((seconds + 30) / 60, "minute"),
        3_600..=86_399 => (seconds / 3_600, "hour"),
        86_400..=2_591_999 => (seconds / 86_400, "day"),
        2_592_000..=31_535_999 => (seconds / 2_592_000, "month"),
        _ => (seconds / 31_536_000, "year"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural} ago")
}

/// A count with its word.
pub(crate) fn count(number: usize, one: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {one}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_the_largest_unit() {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let told: Vec<_> = [
            0, 44, 45, 90, 3_599, 3_600, 7_200, 86_400, 3_000_000, 40_000_000, -5,
        ]
        .map(|seconds| ago(at(100_000_000), at(100_000_000 - seconds)))
        .to_vec();
        insta::assert_snapshot!(told.join("\n"), @r"
        just now
        just now
        1 minute ago
        2 minutes ago
        60 minutes ago
        1 hour ago
        2 hours ago
        1 day ago
        1 month ago
        1 year ago
        just now
        ");
    }

    #[test]
    fn text_is_not_turned_around() {
        assert_eq!(plain("a\u{202e}b\u{2066}"), "a\u{fffd}b\u{fffd}");
        assert_eq!(address("a b/ä#?%.yaml"), "a%20b/%C3%A4%23%3F%25.yaml");
    }

    #[test]
    fn a_link_leads_to_the_web_only() {
        assert!(is_web("https://x/") && is_web("HTTP://x"));
        for bad in [
            "javascript:alert(1)",
            "data:text/html,x",
            "//x",
            "/x",
            "",
            "ftp://x",
            "ﬁle:",
        ] {
            assert!(!is_web(bad), "{bad}");
        }
    }
}
