//! The patterns that recipes give files to packages with.
//!
//! `*` stands for any characters, `/` and leading dots included; `?` for one
//! character; `[a-z]` for one of a set, `[!a-z]` for one outside of it. Case
//! counts, and there are no braces. A pattern also matches everything below
//! the paths that it matches, so `/usr/include` has `/usr/include/a/b.h`.

use std::fmt;

/// A compiled pattern.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pattern {
    text: String,
    tokens: Vec<Token>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Token {
    Literal(char),
    /// `?`
    One,
    /// `*`
    Any,
    /// `[…]`, as inclusive ranges.
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

impl Token {
    fn takes(&self, c: char) -> bool {
        match self {
            Self::Literal(literal) => *literal == c,
            Self::One => true,
            Self::Any => false,
            Self::Class { negated, ranges } => {
                let inside = ranges.iter().any(|&(low, high)| (low..=high).contains(&c));
                inside != *negated
            }
        }
    }
}

impl Pattern {
    /// Compiles a pattern. Every text is one: a `[` without its `]` stands for
    /// itself, and slashes at the end do not count.
    pub fn new(text: &str) -> Self {
        let mut tokens = Vec::new();
        let mut rest = text.trim_end_matches('/');
        while let Some(c) = rest.chars().next() {
            let after = rest.get(c.len_utf8()..).unwrap_or("");
            rest = after;
            match c {
                // Several stars in a row are one, which keeps matching fast.
                '*' if tokens.last() == Some(&Token::Any) => {}
                '*' => tokens.push(Token::Any),
                '?' => tokens.push(Token::One),
                '[' => match class(after) {
                    Some((token, behind)) => {
                        tokens.push(token);
                        rest = behind;
                    }
                    None => tokens.push(Token::Literal('[')),
                },
                literal => tokens.push(Token::Literal(literal)),
            }
        }
        Self {
            text: text.to_owned(),
            tokens,
        }
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the pattern matches `path`, or a folder that `path` is below.
    pub fn matches(&self, path: &str) -> bool {
        let mut tokens = self.tokens.iter();
        let mut path = path.chars();
        // Where to go on when the text after the last `*` does not match.
        let mut retry = None;
        loop {
            let before = path.clone();
            let matched = match tokens.next() {
                Some(Token::Any) => {
                    retry = Some((tokens.clone(), path.clone()));
                    true
                }
                Some(token) => path.next().is_some_and(|c| token.takes(c)),
                None => match before.clone().next() {
                    None | Some('/') => return true,
                    Some(_) => false,
                },
            };
            if matched {
                continue;
            }
            // The last `*` takes one character more.
            let Some((after_star, mut start)) = retry.take() else {
                return false;
            };
            if start.next().is_none() {
                return false;
            }
            tokens = after_star.clone();
            path = start.clone();
            retry = Some((after_star, start));
        }
    }
}

/// Reads a class after its `[`.
fn class(text: &str) -> Option<(Token, &str)> {
    let (negated, body) = match text.strip_prefix('!') {
        Some(body) => (true, body),
        None => (false, text),
    };
    // A `]` in the first place is a member of the set.
    let first = body.chars().next()?;
    let close = body.get(first.len_utf8()..)?.find(']')? + first.len_utf8();
    let (members, behind) = (body.get(..close)?, body.get(close + 1..)?);
    let mut ranges = Vec::new();
    let mut chars = members.chars();
    while let Some(low) = chars.next() {
        let mut ahead = chars.clone();
        let high = match (ahead.next(), ahead.next()) {
            (Some('-'), Some(high)) => {
                chars = ahead;
                high
            }
            _ => low,
        };
        ranges.push((low, high));
    }
    Some((Token::Class { negated, ranges }, behind))
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns_match_as_recipes_expect() {
        let cases = [
            ("*", "/usr/bin/x", true),
            ("/*", "/usr/.hidden", true),
            ("/usr/include", "/usr/include", true),
            ("/usr/include", "/usr/include/a/b.h", true),
            ("/usr/include", "/usr/include2", false),
            ("/usr/include/", "/usr/include/x", true),
            ("/usr/lib/*.a", "/usr/lib/libz.a", true),
            ("/usr/lib/*.a", "/usr/lib/sub/libz.a", true),
            ("/usr/lib/*.a", "/usr/lib/libz.a.txt", false),
            ("/usr/lib/*.a", "/usr/lib/x.a/below", true),
            ("/usr/lib/lib*.so", "/usr/lib/libz.so", true),
            ("/usr/lib/lib*.so", "/usr/lib/libz.so.1", false),
            ("/usr/lib/qt*/mkspecs", "/usr/lib/qt6/mkspecs/a/b", true),
            ("/usr/share/gir-1.0/*.gir", "/usr/share/gir-1.0/X.gir", true),
            (
                "/usr/share/gir-1.0/*.gir",
                "/usr/share/gir-1.0/X.GIR",
                false,
            ),
            ("/usr/lib/{a,b}", "/usr/lib/a", false),
            ("/a?c", "/abc", true),
            ("/a[b-d]e", "/ace", true),
            ("/a[!b-d]e", "/ace", false),
            ("/a[!b-d]e", "/axe", true),
            ("/a[]x]e", "/a]e", true),
            ("/a[", "/a[", true),
            ("", "/usr", true),
        ];
        for (pattern, path, expected) in cases {
            assert_eq!(
                Pattern::new(pattern).matches(path),
                expected,
                "{pattern} {path}"
            );
        }
    }

    #[test]
    fn many_stars_stay_fast() {
        let pattern = Pattern::new(&format!("{}b", "*a".repeat(50)));
        assert!(!pattern.matches(&"a".repeat(5000)));
    }

    /// The definition, written down plainly: exponential, but obviously right.
    fn naive(tokens: &[Token], path: &[char]) -> bool {
        match tokens {
            [] => matches!(path.first(), None | Some('/')),
            [Token::Any, rest @ ..] => (0..=path.len()).any(|n| naive(rest, &path[n..])),
            [token, rest @ ..] => match path {
                [c, tail @ ..] => token.takes(*c) && naive(rest, tail),
                [] => false,
            },
        }
    }

    proptest! {
        #[test]
        fn matching_agrees_with_the_definition(pattern in "[ab/*?.]{0,8}", path in "[ab/.]{0,10}") {
            let pattern = Pattern::new(&pattern);
            let chars: Vec<char> = path.chars().collect();
            prop_assert_eq!(pattern.matches(&path), naive(&pattern.tokens, &chars));
        }

        #[test]
        fn any_text_is_a_pattern(pattern in ".{0,40}", path in ".{0,40}") {
            let _ = Pattern::new(&pattern).matches(&path);
        }
    }
}
