//! Finding macros in text.

/// A piece of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token<'text> {
    /// Text that stands for itself.
    Text(&'text str),
    /// `%%`, which stands for one `%`.
    Percent,
    /// `%name`.
    Action { name: &'text str, offset: usize },
    /// `%(name)`.
    Definition { name: &'text str, offset: usize },
}

/// The pieces of `text`, in order. A `%` that starts no macro is literal.
pub(crate) fn tokens(text: &str) -> Tokens<'_> {
    Tokens { rest: text, at: 0 }
}

pub(crate) struct Tokens<'text> {
    rest: &'text str,
    /// The byte offset of `rest` in the whole text.
    at: usize,
}

fn split_name(text: &str) -> (&str, &str) {
    let is_inside = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let end = text.find(|c| !is_inside(c)).unwrap_or(text.len());
    text.split_at(end)
}

/// Reads the macro after a `%`: the token, given its offset, and the rest.
fn read(after: &str, offset: usize) -> Option<(Token<'_>, &str)> {
    if let Some(rest) = after.strip_prefix('%') {
        return Some((Token::Percent, rest));
    }
    if let Some(inside) = after.strip_prefix('(') {
        let (name, rest) = split_name(inside);
        let rest = rest.strip_prefix(')')?;
        return (!name.is_empty()).then_some((Token::Definition { name, offset }, rest));
    }
    let (name, rest) = split_name(after);
    (!name.is_empty()).then_some((Token::Action { name, offset }, rest))
}

impl<'text> Iterator for Tokens<'text> {
    type Item = Token<'text>;

    fn next(&mut self) -> Option<Token<'text>> {
        if self.rest.is_empty() {
            return None;
        }
        // A literal `%` is skipped over to join the text around it.
        let mut searched = 0;
        let (token, rest) = loop {
            let ahead = self.rest.get(searched..)?;
            let Some(found) = ahead.find('%') else {
                break (Token::Text(self.rest), "");
            };
            let percent = searched + found;
            let after = self.rest.get(percent + 1..)?;
            match read(after, self.at + percent) {
                Some((token, rest)) if percent == 0 => break (token, rest),
                Some(_) => {
                    let (text, rest) = self.rest.split_at(percent);
                    break (Token::Text(text), rest);
                }
                None => searched = percent + 1,
            }
        };
        self.at += self.rest.len() - rest.len();
        self.rest = rest;
        Some(token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_splits_into_macros() {
        let found: Vec<_> = tokens("a %make -j %(jobs) 100% %%s %( %(x %() é%y").collect();
        assert_eq!(
            found,
            [
                Token::Text("a "),
                Token::Action {
                    name: "make",
                    offset: 2
                },
                Token::Text(" -j "),
                Token::Definition {
                    name: "jobs",
                    offset: 11
                },
                Token::Text(" 100% "),
                Token::Percent,
                Token::Text("s %( %(x %() é"),
                Token::Action {
                    name: "y",
                    offset: 41
                },
            ]
        );
    }
}
