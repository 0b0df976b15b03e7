//! Making untrusted text safe to show: the end of a log, and text for Markdown.

/// The end of `log`: at most `lines` lines and `bytes` bytes, without terminal escapes and control
/// characters. Invalid UTF-8 is replaced.
pub fn tail(log: &[u8], lines: usize, bytes: usize) -> String {
    let text = String::from_utf8_lossy(log);
    let text = text.trim_end();
    let begin = text
        .rmatch_indices('\n')
        .nth(lines.saturating_sub(1))
        .map_or(0, |(at, _)| at + 1);
    let clean = strip_control(&text[begin..]);
    let mut from = clean.len().saturating_sub(bytes);
    while !clean.is_char_boundary(from) {
        from += 1;
    }
    clean[from..].to_owned()
}

/// `text` in a Markdown code block that nothing in `text` can end. The fence is longer than every
/// run of backticks in `text`, so very long runs are shortened.
pub fn fenced(text: &str) -> String {
    let text = shorten_runs(text);
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}text\n{text}\n{fence}")
}

/// `text` in a Markdown code span that nothing in `text` can end; line breaks become spaces.
pub fn code(text: &str) -> String {
    let text = shorten_runs(&plain(text));
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let tick = "`".repeat(longest + 1);
    if text.starts_with('`') || text.ends_with('`') || text.trim().is_empty() {
        format!("{tick} {text} {tick}")
    } else {
        format!("{tick}{text}{tick}")
    }
}

/// `text` with all Markdown and HTML markup escaped.
pub fn escape(text: &str) -> String {
    let text = plain(text);
    let text = text.trim_start();
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    let digits = text.chars().take_while(char::is_ascii_digit).count();
    for (position, c) in text.chars().enumerate() {
        match c {
            // At the start these would make a list or a rule.
            '-' | '+' | '=' if position == 0 => {
                out.push('\\');
                out.push(c);
            }
            '.' if position == digits && digits > 0 => out.push_str("\\."),
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // A word joiner (U+2060) keeps GitHub from notifying people whom a stranger mentions.
            '@' => out.push_str("@\u{2060}"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '#' | '!' | '|' | '~' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

/// At most `limit` characters of `text`; a `…` replaces the rest.
pub fn clip(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// `text` on one line, without hidden characters.
fn plain(text: &str) -> String {
    text.chars()
        .filter_map(|c| match c {
            '\n' | '\r' | '\t' => Some(' '),
            c if is_hidden(c) => None,
            c => Some(c),
        })
        .collect()
}

/// True for control characters, zero-width characters, and marks that change the text direction.
pub(crate) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// `text` with each run of backticks cut to a length that a fence can exceed.
fn shorten_runs(text: &str) -> String {
    const LONGEST: usize = 32;
    let mut run = 0;
    text.chars()
        .filter(|c| {
            run = if *c == '`' { run + 1 } else { 0 };
            run <= LONGEST
        })
        .collect()
}

fn strip_control(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' if chars.peek() == Some(&'[') => {
                chars.next();
                // A control sequence ends with a byte from @ to ~.
                for c in chars.by_ref() {
                    if ('@'..='~').contains(&c) {
                        break;
                    }
                }
            }
            '\n' | '\t' => out.push(c),
            c if is_hidden(c) => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keeps_the_last_lines_without_escapes() {
        let log = b"one\ntwo\n\x1b[31mthree\x1b[0m\r\n\n";
        assert_eq!(tail(log, 2, 100), "two\nthree");
        assert_eq!(tail(log, 9, 100), "one\ntwo\nthree");
        assert_eq!(tail("a\u{e9}b".as_bytes(), 1, 2), "b");
        assert_eq!(tail(b"", 5, 5), "");
    }

    #[test]
    fn a_fence_outlasts_what_it_holds() {
        assert_eq!(fenced("a"), "```text\na\n```");
        assert_eq!(fenced("``` </pre>"), "````text\n``` </pre>\n````");
        assert_eq!(code("a`b"), "``a`b``");
        assert_eq!(code("`"), "`` ` ``");
    }

    #[test]
    fn markup_is_escaped() {
        assert_eq!(
            escape("<b>*x*</b> @all"),
            "&lt;b&gt;\\*x\\*&lt;/b&gt; @\u{2060}all"
        );
        assert_eq!(escape("- item"), "\\- item");
        assert_eq!(escape("  12. item 1.2"), "12\\. item 1.2");
        assert_eq!(escape("a\n\n# b\u{202e}c\0"), "a  \\# bc");
        assert_eq!(code("a\u{202e}\r\nb"), "`a  b`");
    }

    #[test]
    fn runs_of_backticks_do_not_blow_up_fences() {
        let hostile = "`".repeat(50_000);
        assert!(fenced(&hostile).len() < 200);
        assert!(code(&hostile).len() < 200);
    }

    #[test]
    fn clipping_counts_characters() {
        assert_eq!(clip("äöü", 3), "äöü");
        assert_eq!(clip("äöü", 2), "äö…");
    }

    proptest! {
        #[test]
        fn any_log_has_a_tail(log in proptest::collection::vec(any::<u8>(), 0..200), n in 0usize..5, m in 0usize..50) {
            prop_assert!(tail(&log, n, m).len() <= m);
        }

        #[test]
        fn nothing_ends_its_fence(text in "[`~a\n ]{0,40}") {
            let shown = fenced(&text);
            let fence = shown.lines().next().unwrap().trim_end_matches("text");
            let inside = shown.lines().skip(1);
            let closing = inside.filter(|line| line.trim().starts_with(fence)).count();
            prop_assert_eq!(closing, 1, "{}", shown);
        }

        #[test]
        fn escaped_text_has_no_bare_markup(text in any::<String>()) {
            let escaped = escape(&text);
            let mut before = ' ';
            for c in escaped.chars() {
                prop_assert!(!c.is_control() && !matches!(c, '<' | '>'));
                if "`*_[]()|#!~{}".contains(c) {
                    prop_assert_eq!(before, '\\', "{}", escaped);
                }
                before = if before == '\\' && c == '\\' { ' ' } else { c };
            }
        }
    }
}
