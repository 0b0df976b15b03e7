//! HTML that can only be written escaped.

use std::fmt::{self, Write};

/// A page being written. Text goes in escaped; markup is only what this crate's source says.
#[derive(Debug, Default)]
pub(super) struct Html(String);

impl Html {
    /// Markup, which only a literal can be.
    pub(super) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Text, escaped; good in elements and in quoted attributes.
    pub(super) fn text(&mut self, text: impl fmt::Display) -> &mut Self {
        write!(Escaper(&mut self.0), "{text}").expect("writing to a string does not fail");
        self
    }

    /// A link, where the target is one that a page may lead to; else only its words.
    pub(super) fn link(&mut self, target: &str, words: impl fmt::Display) -> &mut Self {
        let safe = target.starts_with('/')
            || target.starts_with("http://")
            || target.starts_with("https://");
        if safe {
            self.raw("<a rel=\"noreferrer\" href=\"")
                .text(target)
                .raw("\">")
                .text(words)
                .raw("</a>")
        } else {
            self.text(words)
        }
    }

    /// Text in a fixed face, lines kept. Markdown is shown like this, as it was written.
    pub(super) fn block(&mut self, text: &str) -> &mut Self {
        self.raw("<pre>").text(text).raw("</pre>")
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}

struct Escaper<'page>(&'page mut String);

impl fmt::Write for Escaper<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            match character {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                // What turns text around would let a name pose as another.
                '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => self.0.push('\u{fffd}'),
                other => self.0.push(other),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_become_markup() {
        let mut html = Html::default();
        html.text("<b a='x' b=\"y\">&\u{202e}");
        assert_eq!(
            html.finish(),
            "&lt;b a=&#39;x&#39; b=&quot;y&quot;&gt;&amp;\u{fffd}"
        );
    }

    #[test]
    fn a_link_leads_to_the_web_only() {
        let mut html = Html::default();
        html.link("javascript:alert(1)", "a")
            .link("https://x/\"", "b");
        assert_eq!(
            html.finish(),
            "a<a rel=\"noreferrer\" href=\"https://x/&quot;\">b</a>"
        );
    }
}
