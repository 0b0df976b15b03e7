//! What strangers wrote, made safe for a terminal.
//!
//! A terminal takes orders from control characters, and shows text in another order than it stands
//! after Unicode's direction marks. Both are replaced by a visible sign, one for one, so that columns
//! stay true.

use std::borrow::Cow;
use std::fmt;

/// What stands for a character that is not shown.
const REPLACEMENT: char = '\u{fffd}';

/// A text that is shown on one line.
pub(crate) struct Printable<T>(pub(crate) T);

impl<T: fmt::Display> fmt::Display for Printable<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&line(&self.0.to_string()))
    }
}

/// The text without anything that a terminal would obey. Line feeds are replaced as well.
pub(crate) fn line(text: &str) -> Cow<'_, str> {
    replaced(text, steers)
}

/// As [`line()`], but line feeds stay.
pub(crate) fn lines(text: &str) -> Cow<'_, str> {
    replaced(text, |c| c != '\n' && steers(c))
}

/// A JSON document, in which such characters only stand within texts, with all of them escaped.
/// JSON itself lets pass what is not ASCII.
pub(crate) fn json(document: &str) -> Cow<'_, str> {
    if !document.contains(|c| c != '\n' && steers(c)) {
        return Cow::Borrowed(document);
    }
    let mut safe = String::with_capacity(document.len());
    for c in document.chars() {
        if c != '\n' && steers(c) {
            // All of them are in the first plane, so one escape is enough.
            safe.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}

fn replaced(text: &str, bad: impl Fn(char) -> bool) -> Cow<'_, str> {
    if text.contains(&bad) {
        let shown = |c| if bad(c) { REPLACEMENT } else { c };
        Cow::Owned(text.chars().map(shown).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// Control characters (C0, DEL, C1), marks of direction, and separators that break lines.
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "a\u{1b}]8;;x\u{7}b\u{9b}31m\u{202e}c\r\nd\u{7f}\u{2066}";

    #[test]
    fn nothing_steers_a_terminal() {
        for shown in [line(HOSTILE), lines(HOSTILE), json(HOSTILE)] {
            assert!(!shown.contains(|c| c != '\n' && steers(c)), "{shown:?}");
        }
        assert_eq!(line(HOSTILE).chars().count(), HOSTILE.chars().count());
        assert_eq!(lines("a\nb"), "a\nb");
        assert_eq!(line("a\nb"), "a\u{fffd}b");
        assert_eq!(line("grün ✓"), "grün ✓");
    }

    #[test]
    fn json_stays_the_same_data() {
        let document = serde_json::to_string_pretty(&[HOSTILE]).unwrap();
        let safe = json(&document);
        let read: [String; 1] = serde_json::from_str(&safe).unwrap();
        assert_eq!(read, [HOSTILE]);
    }
}
