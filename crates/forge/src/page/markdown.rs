//! Markdown as HTML: GitHub's tables, task lists, strikethrough and bare links. Raw HTML stands
//! there as text, a link leads to http, https or mailto, and an image is a link to it, so that no
//! page fetches anything from elsewhere.

use maud::{Markup, PreEscaped, Render, html};
use pulldown_cmark::{
    Alignment, CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd, TextMergeStream,
};

use crate::page::text::{is_web, plain};

/// A longer text is shown as it was written, in bytes.
const MAX: usize = 256 * 1024;

/// Renders a text of strangers.
pub(crate) fn render(text: &str) -> Markup {
    if text.len() > MAX {
        return html! { pre { (plain(text)) } };
    }
    let options =
        Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let mut page = Page::default();
    for event in TextMergeStream::new(Parser::new_ext(text, options)) {
        page.take(event);
    }
    html! { div.markdown { (PreEscaped(page.out)) } }
}

/// The HTML so far, and what is open in it.
#[derive(Default)]
struct Page {
    out: String,
    /// How each open link ends: one that leads nowhere is no link.
    links: Vec<&'static str>,
    /// Text in code is not searched for links.
    is_code: bool,
    alignments: Vec<Alignment>,
    column: usize,
    cell: &'static str,
}

impl Page {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.open(tag),
            Event::End(end) => self.close(end),
            Event::Text(text) if self.is_code || !self.links.is_empty() => self.text(&text),
            Event::Text(text) => self.text_with_links(&text),
            Event::Code(text) | Event::InlineMath(text) | Event::DisplayMath(text) => {
                self.raw("<code>");
                self.text(&text);
                self.raw("</code>");
            }
            // The only way to a new line within a cell of a table, and harmless.
            Event::InlineHtml(text) if is_break(&text) => self.raw("<br>"),
            Event::Html(text) | Event::InlineHtml(text) => self.text(&text),
            Event::SoftBreak => self.raw("\n"),
            Event::HardBreak => self.raw("<br>\n"),
            Event::Rule => self.raw("<hr>\n"),
            Event::TaskListMarker(done) => self.raw(if done { "☑ " } else { "☐ " }),
            // Footnotes are not asked for.
            Event::FootnoteReference(name) => self.text(&name),
        }
    }

    fn open(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Paragraph => self.raw("<p>"),
            Tag::Heading { level, .. } => self.raw(heading(level).0),
            Tag::BlockQuote(_) => self.raw("<blockquote>\n"),
            Tag::CodeBlock(kind) => self.open_code(&kind),
            // Its lines come as texts of their own.
            Tag::HtmlBlock => self.raw("<p>"),
            Tag::List(first) => self.open_list(first),
            Tag::Item => self.raw("<li>"),
            Tag::Table(alignments) => {
                self.alignments = alignments;
                self.raw("<div class=\"scroll\"><table>\n");
            }
            Tag::TableHead => self.open_row("th", "<thead><tr>"),
            Tag::TableRow => self.open_row("td", "<tr>"),
            Tag::TableCell => self.open_cell(),
            Tag::Emphasis => self.raw("<em>"),
            Tag::Strong => self.raw("<strong>"),
            Tag::Strikethrough => self.raw("<del>"),
            Tag::Link { dest_url, .. } => self.open_link(&dest_url),
            Tag::Image { dest_url, .. } => {
                self.open_link(&dest_url);
                self.raw("🖼 ");
            }
            // None of these is asked for.
            Tag::FootnoteDefinition(_)
            | Tag::DefinitionList
            | Tag::DefinitionListTitle
            | Tag::DefinitionListDefinition
            | Tag::Superscript
            | Tag::Subscript
            | Tag::MetadataBlock(_) => {}
        }
    }

    fn close(&mut self, end: TagEnd) {
        match end {
            TagEnd::Paragraph | TagEnd::HtmlBlock => self.raw("</p>\n"),
            TagEnd::Heading(level) => self.raw(heading(level).1),
            TagEnd::BlockQuote(_) => self.raw("</blockquote>\n"),
            TagEnd::CodeBlock => {
                self.is_code = false;
                self.raw("</code></pre>\n");
            }
            TagEnd::List(false) => self.raw("</ul>\n"),
            TagEnd::List(true) => self.raw("</ol>\n"),
            TagEnd::Item => self.raw("</li>\n"),
            TagEnd::Table => self.raw("</tbody></table></div>\n"),
            TagEnd::TableHead => self.raw("</tr></thead><tbody>\n"),
            TagEnd::TableRow => self.raw("</tr>\n"),
            TagEnd::TableCell => {
                self.raw("</");
                self.raw(self.cell);
                self.raw(">");
            }
            TagEnd::Emphasis => self.raw("</em>"),
            TagEnd::Strong => self.raw("</strong>"),
            TagEnd::Strikethrough => self.raw("</del>"),
            TagEnd::Link | TagEnd::Image => {
                let end = self.links.pop().unwrap_or_default();
                self.raw(end);
            }
            TagEnd::FootnoteDefinition
            | TagEnd::DefinitionList
            | TagEnd::DefinitionListTitle
            | TagEnd::DefinitionListDefinition
            | TagEnd::Superscript
            | TagEnd::Subscript
            | TagEnd::MetadataBlock(_) => {}
        }
    }

    fn open_code(&mut self, kind: &CodeBlockKind<'_>) {
        self.is_code = true;
        let language = match kind {
            CodeBlockKind::Fenced(language) => language.trim(),
            CodeBlockKind::Indented => "",
        };
        if language.is_empty() {
            self.raw("<pre><code>");
        } else {
            self.raw("<pre title=\"");
            self.text(language);
            self.raw("\"><code>");
        }
    }

    fn open_list(&mut self, first: Option<u64>) {
        match first {
            None => self.raw("<ul>\n"),
            Some(first) => {
                self.raw("<ol start=\"");
                self.out.push_str(&first.to_string());
                self.raw("\">\n");
            }
        }
    }

    fn open_row(&mut self, cell: &'static str, markup: &'static str) {
        self.cell = cell;
        self.column = 0;
        self.raw(markup);
    }

    fn open_cell(&mut self) {
        let class = match self.alignments.get(self.column) {
            Some(Alignment::Right) => " class=\"right\"",
            Some(Alignment::Center) => " class=\"center\"",
            Some(Alignment::Left | Alignment::None) | None => "",
        };
        self.column += 1;
        self.raw("<");
        self.raw(self.cell);
        self.raw(class);
        self.raw(">");
    }

    /// Opens a link. One in another, which HTML does not know, is its words.
    fn open_link(&mut self, target: &str) {
        let is_mail = target
            .get(..7)
            .is_some_and(|scheme| scheme.eq_ignore_ascii_case("mailto:"));
        let leads = is_web(target) || is_mail;
        if leads && self.links.iter().all(|end| end.is_empty()) {
            self.raw("<a rel=\"noreferrer nofollow\" href=\"");
            self.text(target);
            self.raw("\">");
            self.links.push("</a>");
        } else {
            self.links.push("");
        }
    }

    /// Text in which bare addresses are links.
    fn text_with_links(&mut self, text: &str) {
        let mut rest = text;
        while let Some(start) = find_address(rest) {
            let (before, from) = rest.split_at(start);
            let (address, after) = from.split_at(address_length(from));
            self.text(before);
            self.open_link(address);
            self.text(address);
            let end = self.links.pop().unwrap_or_default();
            self.raw(end);
            rest = after;
        }
        self.text(rest);
    }

    fn raw(&mut self, markup: &'static str) {
        self.out.push_str(markup);
    }

    fn text(&mut self, text: &str) {
        plain(text).render_to(&mut self.out);
    }
}

/// Where a bare address begins: at a word's beginning.
fn find_address(text: &str) -> Option<usize> {
    text.match_indices("http").map(|(at, _)| at).find(|&at| {
        let is_word = text[..at]
            .chars()
            .next_back()
            .is_none_or(|before| !before.is_alphanumeric());
        let rest = &text[at..];
        let host = rest
            .strip_prefix("https://")
            .or_else(|| rest.strip_prefix("http://"));
        let has_host = host
            .and_then(|host| host.chars().next())
            .is_some_and(|first| first.is_ascii_alphanumeric() || first == '[');
        is_word && has_host
    })
}

/// How long it is, in bytes: to the next space, without what ends a sentence or a bracket.
fn address_length(text: &str) -> usize {
    let end = text
        .find(|character: char| {
            character.is_whitespace() || matches!(character, '<' | '>' | '"' | '`')
        })
        .unwrap_or(text.len());
    let mut address = &text[..end];
    // Counted once: a text may end in tens of thousands of brackets.
    let opened = address.matches('(').count();
    let mut closed = address.matches(')').count();
    loop {
        let shorter = address.trim_end_matches(['.', ',', ';', ':', '!', '?', '\'', '*', '_', '~']);
        let shorter = match shorter.strip_suffix(')') {
            Some(inner) if opened < closed => {
                closed -= 1;
                inner
            }
            Some(_) | None => shorter,
        };
        if shorter.len() == address.len() {
            return address.len();
        }
        address = shorter;
    }
}

/// A page's own headings are above those in a text.
const fn heading(level: HeadingLevel) -> (&'static str, &'static str) {
    match level {
        HeadingLevel::H1 => ("<h4 class=\"one\">", "</h4>\n"),
        HeadingLevel::H2 => ("<h4>", "</h4>\n"),
        HeadingLevel::H3 => ("<h5>", "</h5>\n"),
        HeadingLevel::H4 | HeadingLevel::H5 | HeadingLevel::H6 => ("<h6>", "</h6>\n"),
    }
}

/// Whether HTML is a line break, and no more than that.
fn is_break(html: &str) -> bool {
    let inner = html.strip_prefix('<').and_then(|it| it.strip_suffix('>'));
    inner.is_some_and(|it| {
        let name = it.strip_suffix('/').unwrap_or(it).trim_end();
        name.eq_ignore_ascii_case("br")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_behind_an_address_are_counted_once() {
        for (text, length) in [
            ("http://a/b", 10),
            ("http://a/b).", 10),
            ("http://a/(b)", 12),
            ("http://a/(b)).", 12),
            ("http://a/(b))),)", 12),
        ] {
            assert_eq!(address_length(text), length, "{text}");
        }
        // Counting them for each one would take minutes.
        let many = format!("http://a{}", ")".repeat(1 << 20));
        assert_eq!(address_length(&many), "http://a".len());
    }

    fn rendered(text: &str) -> String {
        render(text).into_string()
    }

    #[test]
    fn what_githubs_markdown_has() {
        let text = "# Built\n\n| step | time |\n|---|--:|\n| fetch | 1 s |\n\n\
            - [x] done\n- [ ] **not** ~~yet~~\n\n1. `a < b`\n\n```yaml\nname: <x>\n```\n\n\
            error\\[unknown-action\\]: see https://example.org/a_b(c). [Log](https://x.example/1)\n\n> quoted\n\n---";
        insta::assert_snapshot!(rendered(text));
    }

    #[test]
    fn a_cell_may_have_lines() {
        let html = rendered("| Stones |\n|---|\n| `a`<br>`b`<BR />c |");
        let cell = "<code>a</code><br><code>b</code><br>c";
        assert!(html.contains(cell), "{html}");
        let html = rendered("a <br onclick=\"x()\"> `<br>` <brx>");
        assert!(!html.contains("<br"), "{html}");
    }

    #[test]
    fn nothing_runs_and_nothing_is_fetched() {
        for text in [
            "<script>alert(1)</script>",
            "a <img src=x onerror=alert(1)> b",
            "[a](javascript:alert(1))",
            "[a](JaVaScRiPt:alert(1))",
            "[a](data:text/html,<script>alert(1)</script>)",
            "![a](https://evil.example/x.png)",
            "[a](<https://x/\" onclick=\"alert(1)>)",
            "<https://x/\"onclick=alert(1)>",
            "```\"><script>\nx\n```",
            "| <script> |\n|---|\n| <b> |",
            "https://x/\"onclick=\"alert(1)",
            "[a][b]\n\n[b]: vbscript:x",
            "<!-- <script> -->",
        ] {
            let html = rendered(text);
            for bad in [
                "<script",
                "<img",
                "<b>",
                "href=\"java",
                "href=\"Ja",
                "href=\"data",
                "href=\"vb",
                "\" onclick",
                "\"onclick",
                "<!--",
            ] {
                assert!(!html.contains(bad), "{text}: {html}");
            }
        }
        assert!(
            rendered("![a](https://evil.example/x.png)")
                .contains("href=\"https://evil.example/x.png\"")
        );
        assert!(rendered("<mailto:a@b.example>").contains("href=\"mailto:a@b.example\""));
    }

    #[test]
    fn tags_are_closed_in_turn() {
        for text in [
            "[a [b](https://x/) c](https://y/)",
            "> - a\n>   1. b",
            "[![i](https://x/i)](https://y/)",
        ] {
            let html = rendered(text);
            assert_eq!(
                html.matches("<a ").count(),
                html.matches("</a>").count(),
                "{html}"
            );
        }
    }

    #[test]
    fn a_bare_address_ends_before_the_sentence_does() {
        for (text, address) in [
            ("see https://x.example/a.", "https://x.example/a"),
            ("(https://x.example/a)", "https://x.example/a"),
            ("https://x.example/a_(b) c", "https://x.example/a_(b)"),
            (
                "https://x.example/?q=1&r=2!",
                "https://x.example/?q=1&amp;r=2",
            ),
        ] {
            let html = rendered(text);
            assert!(html.contains(&format!("href=\"{address}\"")), "{html}");
        }
        for none in [
            "xhttps://a.example",
            "https:// a",
            "http://",
            "`https://a.example`",
        ] {
            assert!(!rendered(none).contains("<a "), "{none}");
        }
    }

    #[test]
    fn a_long_or_deep_text_is_still_shown() {
        assert!(rendered(&"a".repeat(MAX + 1)).starts_with("<pre>"));
        let deep = rendered(&">".repeat(20_000));
        assert!(deep.len() > 20_000);
    }
}
