//! The paths that a Rust source names, without compiling it.
//!
//! Comments, strings and inline `mod tests` are passed over; `use` trees are spelled out; `self`,
//! `super` and `crate` are resolved. That is enough to see what a module reaches for. What macros
//! put together is not seen.

/// A path that a source names: external as written, else from `crate`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// The line, from 1.
    pub(super) line: usize,
    /// Its parts.
    pub(super) path: Vec<String>,
}

/// The paths in `source`, which is the module `module` below `crate`.
pub(super) fn paths(module: &[String], source: &str) -> Vec<Found> {
    let mut walk = Walk {
        tokens: tokens(source),
        at: 0,
        module: module.to_vec(),
        found: Vec::new(),
    };
    walk.items();
    walk.found
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
                    self.path(Vec::new(), 1);
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
            let path = self.resolve(parts);
            self.found.push(Found { line, path });
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
                    let path = self.resolve(parts.to_vec());
                    self.found.push(Found { line, path });
                }
                Token::Word(_) | Token::Sign('{' | '*') => self.path(parts.to_vec(), 1),
                Token::Separator | Token::Sign(_) => self.at += 1,
            }
        }
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
