//! The paths that a Rust source names, without compiling it.
//!
//! Comments, strings and inline `mod tests` are passed over; `use` trees are spelled out; `self`,
//! `super` and `crate` are resolved. That is enough to see what a module reaches for. What macros
//! put together is not seen.

use std::collections::BTreeMap;

/// A path that a source names: external as written, else from `crate`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// The line, from 1.
    pub(super) line: usize,
    /// Its parts.
    pub(super) path: Vec<String>,
    /// What a `use` calls it here; none elsewhere.
    pub(super) called: Option<String>,
}

/// The paths in `source`, which is the module `module` below `crate`.
pub(super) fn paths(module: &[String], source: &str) -> Vec<Found> {
    let mut walk = Walk {
        tokens: tokens(source),
        at: 0,
        module: module.to_vec(),
        found: Vec::new(),
        is_use: false,
    };
    walk.items();
    walk.found
}

/// The names of the items that `source` itself defines, but for those of inline modules.
pub(super) fn items(source: &str) -> Vec<String> {
    const KINDS: [&str; 9] = [
        "struct",
        "enum",
        "union",
        "trait",
        "type",
        "fn",
        "const",
        "static",
        "macro_rules",
    ];
    let tokens = tokens(source);
    let mut depth = 0_usize;
    let mut found = Vec::new();
    for (place, (token, _)) in tokens.iter().enumerate() {
        match token {
            Token::Sign('{') => depth += 1,
            Token::Sign('}') => depth = depth.saturating_sub(1),
            Token::Word(word) if depth == 0 && KINDS.contains(&word.as_str()) => {
                let next = tokens[place + 1..]
                    .iter()
                    .find_map(|(token, _)| match token {
                        Token::Word(name) => Some(name.clone()),
                        Token::Separator | Token::Sign(_) => None,
                    });
                found.extend(next);
            }
            Token::Word(_) | Token::Separator | Token::Sign(_) => {}
        }
    }
    found
}

/// How often `source` has each word, up to its tests.
pub(super) fn words(source: &str) -> BTreeMap<String, usize> {
    let mut words = BTreeMap::new();
    let mut before = None;
    for (token, _) in tokens(source) {
        if let Token::Word(word) = &token {
            if word == "tests" && before == Some(Token::Word("mod".to_owned())) {
                break;
            }
            *words.entry(word.clone()).or_default() += 1;
        }
        before = Some(token);
    }
    words
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    /// `::`
    Separator,
    Sign(char),
}

struct Walk {
    tokens: Vec<(Token, usize)>,
    at: usize,
    module: Vec<String>,
    found: Vec<Found>,
    /// Whether what is read belongs to a `use`.
    is_use: bool,
}

impl Walk {
    fn peek(&self, ahead: usize) -> Option<&Token> {
        self.tokens.get(self.at + ahead).map(|(token, _)| token)
    }

    fn is_sign(&self, ahead: usize, sign: char) -> bool {
        self.peek(ahead) == Some(&Token::Sign(sign))
    }

    /// Goes to the end, or behind the brace that closes what was open.
    fn items(&mut self) {
        let mut before = None;
        while let Some(token) = self.peek(0).cloned() {
            match &token {
                Token::Sign('{') => {
                    self.at += 1;
                    self.items();
                }
                Token::Sign('}') => {
                    self.at += 1;
                    return;
                }
                Token::Word(word) if word == "mod" && self.is_sign(2, '{') => self.module(),
                Token::Word(_) if before == Some(Token::Sign('.')) => self.at += 1,
                Token::Word(word) if word == "use" => {
                    self.at += 1;
                    if self.peek(0) == Some(&Token::Separator) {
                        self.at += 1;
                    }
                    self.is_use = true;
                    self.path(Vec::new(), 1);
                    self.is_use = false;
                }
                Token::Word(_) => self.path(Vec::new(), 2),
                Token::Separator | Token::Sign(_) => self.at += 1,
            }
            before = Some(token);
        }
    }

    /// An inline module; one of tests is passed over.
    fn module(&mut self) {
        let Some(Token::Word(name)) = self.peek(1).cloned() else {
            self.at += 1;
            return;
        };
        self.at += 3;
        let kept = self.found.len();
        self.module.push(name.clone());
        self.items();
        self.module.pop();
        if name == "tests" {
            self.found.truncate(kept);
        }
    }

    /// A path or a tree of them, kept when it has at least `least` parts.
    fn path(&mut self, mut parts: Vec<String>, least: usize) {
        let line = self.tokens.get(self.at).map_or(0, |(_, line)| *line);
        loop {
            match self.peek(0).cloned() {
                Some(Token::Word(word)) => {
                    parts.push(word);
                    self.at += 1;
                }
                Some(Token::Sign('*')) => {
                    parts.push("*".to_owned());
                    self.at += 1;
                    break;
                }
                Some(Token::Sign('{')) => {
                    self.tree(&parts);
                    return;
                }
                _ => break,
            }
            if self.peek(0) != Some(&Token::Separator) {
                break;
            }
            self.at += 1;
        }
        if parts.len() >= least {
            self.keep(line, parts);
        }
    }

    /// `{a, b::{c, d as e}}` behind a path.
    fn tree(&mut self, parts: &[String]) {
        self.at += 1;
        while let Some(token) = self.peek(0).cloned() {
            match token {
                Token::Sign('}') => {
                    self.at += 1;
                    return;
                }
                Token::Word(word) if word == "as" => self.at += 2,
                Token::Word(word) if word == "self" => {
                    self.at += 1;
                    let line = self.tokens.get(self.at).map_or(0, |(_, line)| *line);
                    self.keep(line, parts.to_vec());
                }
                Token::Word(_) | Token::Sign('{' | '*') => self.path(parts.to_vec(), 1),
                Token::Separator | Token::Sign(_) => self.at += 1,
            }
        }
    }

    fn keep(&mut self, line: usize, parts: Vec<String>) {
        let called = match (self.peek(0), self.peek(1)) {
            (Some(Token::Word(word)), Some(Token::Word(name))) if word == "as" => {
                Some(name.clone())
            }
            _ => parts.last().cloned(),
        };
        let called = called.filter(|_| self.is_use);
        let path = self.resolve(parts);
        self.found.push(Found { line, path, called });
    }

    fn resolve(&self, parts: Vec<String>) -> Vec<String> {
        let mut base = self.module.clone();
        let rest = match parts.first().map(String::as_str) {
            Some("self") => &parts[1..],
            Some("super") => {
                let ups = parts.iter().take_while(|part| *part == "super").count();
                base.truncate(base.len().saturating_sub(ups));
                &parts[ups..]
            }
            _ => return parts,
        };
        let mut path = vec!["crate".to_owned()];
        path.extend(base);
        path.extend_from_slice(rest);
        path
    }
}

fn tokens(source: &str) -> Vec<(Token, usize)> {
    let chars: Vec<char> = source.chars().collect();
    let mut tokens = Vec::new();
    let mut line = 1;
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        let end = match c {
            '/' if chars.get(at + 1) == Some(&'/') => end_of_line(&chars, at),
            '/' if chars.get(at + 1) == Some(&'*') => end_of_comment(&chars, at),
            '"' => end_of_string(&chars, at),
            '\'' => end_of_quote(&chars, at),
            c if c.is_alphabetic() || c == '_' => {
                let end = end_of_word(&chars, at);
                match end_of_prefixed_string(&chars, at, end) {
                    Some(end) => end,
                    None => {
                        let word = chars[at..end].iter().collect();
                        tokens.push((Token::Word(word), line));
                        end
                    }
                }
            }
            c if c.is_ascii_digit() => end_of_word(&chars, at),
            ':' if chars.get(at + 1) == Some(&':') => {
                tokens.push((Token::Separator, line));
                at + 2
            }
            c if c.is_whitespace() => at + 1,
            c => {
                tokens.push((Token::Sign(c), line));
                at + 1
            }
        };
        let end = end.min(chars.len());
        line += chars[at..end].iter().filter(|c| **c == '\n').count();
        at = end;
    }
    tokens
}

fn end_of_line(chars: &[char], at: usize) -> usize {
    chars[at..]
        .iter()
        .position(|c| *c == '\n')
        .map_or(chars.len(), |length| at + length)
}

fn end_of_comment(chars: &[char], at: usize) -> usize {
    let mut depth = 0;
    let mut at = at;
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => {
                depth += 1;
                at += 2;
            }
            ('*', Some('/')) => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    at
}

fn end_of_string(chars: &[char], at: usize) -> usize {
    let mut at = at + 1;
    while let Some(c) = chars.get(at) {
        match c {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    at
}

/// A character, or the quote of a lifetime.
fn end_of_quote(chars: &[char], at: usize) -> usize {
    match (chars.get(at + 1), chars.get(at + 2)) {
        (Some('\\'), Some(_)) => chars[at + 3..]
            .iter()
            .position(|c| *c == '\'')
            .map_or(chars.len(), |length| at + 3 + length + 1),
        (Some(_), Some('\'')) => at + 3,
        _ => at + 1,
    }
}

fn end_of_word(chars: &[char], at: usize) -> usize {
    chars[at..]
        .iter()
        .position(|c| !(c.is_alphanumeric() || *c == '_'))
        .map_or(chars.len(), |length| at + length)
}

/// The end of a string whose prefix is the word from `at` to `end`, as in `br#"…"#`.
fn end_of_prefixed_string(chars: &[char], at: usize, end: usize) -> Option<usize> {
    let prefix: String = chars[at..end].iter().collect();
    if !matches!(prefix.as_str(), "r" | "b" | "c" | "br" | "cr") {
        return None;
    }
    let marks = chars[end..].iter().take_while(|c| **c == '#').count();
    if chars.get(end + marks) != Some(&'"') {
        return None;
    }
    if !prefix.contains('r') {
        return Some(end_of_string(chars, end));
    }
    let mut at = end + marks + 1;
    while at < chars.len() {
        let closes = chars[at] == '"'
            && chars[at + 1..]
                .iter()
                .take(marks)
                .filter(|c| **c == '#')
                .count()
                == marks;
        if closes {
            return Some(at + 1 + marks);
        }
        at += 1;
    }
    Some(at)
}
