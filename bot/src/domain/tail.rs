//! The end of a log, made safe to show.

/// The last lines of `log`: at most `lines` of them and `bytes` in all, without terminal escapes
/// and control characters. Invalid UTF-8 is replaced.
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

/// `text` in a Markdown code block that nothing in `text` can end.
pub fn fenced(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}text\n{text}\n{fence}")
}

/// `text` in a Markdown code span that nothing in `text` can end; line breaks become spaces.
pub fn code(text: &str) -> String {
    let text = text.replace(['\n', '\r'], " ");
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let tick = "`".repeat(longest + 1);
    if text.starts_with('`') || text.ends_with('`') || text.trim().is_empty() {
        format!("{tick} {text} {tick}")
    } else {
        format!("{tick}{text}{tick}")
    }
}

/// `text` with everything that Markdown or HTML would read as markup escaped.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // A zero-width joint keeps GitHub from notifying people that a stranger names.
            '@' => out.push_str("@\u{2060}"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '#' | '!' | '|' | '~' => {
                out.push('\\');
                out.push(c);
            }
            '\n' | '\r' => out.push(' '),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
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
            c if c.is_control() => {}
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
    }

    proptest! {
        #[test]
        fn any_log_has_a_tail(log in proptest::collection::vec(any::<u8>(), 0..200), n in 0usize..5, m in 0usize..50) {
            prop_assert!(tail(&log, n, m).len() <= m);
        }
    }
}
