//! Pages of a list, with the `Link` header that leads from one to the next.

use serde::Deserialize;
use url::form_urlencoded;

/// The page a caller asks for.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub(crate) struct Page {
    per_page: Option<usize>,
    page: Option<usize>,
}

/// GitHub's page size where none is asked for.
const DEFAULT: usize = 30;
/// GitHub's largest page.
const MAX: usize = 100;

impl Page {
    /// How many rows a page has.
    pub(crate) fn size(self) -> usize {
        self.per_page.unwrap_or(DEFAULT).clamp(1, MAX)
    }

    fn number(self) -> usize {
        self.page.unwrap_or(1).max(1)
    }

    /// How many rows lie before this page.
    pub(crate) fn skipped(self) -> usize {
        (self.number() - 1).saturating_mul(self.size())
    }

    /// The links to the pages beside this one, of a list whose length nobody has counted.
    pub(crate) fn neighbours(
        self,
        goes_on: bool,
        url: &str,
        query: Option<&str>,
    ) -> Option<String> {
        let number = self.number();
        let mut links = Vec::new();
        if number > 1 {
            links.push(link(url, query, number - 1, "prev"));
        }
        if goes_on {
            links.push(link(url, query, number + 1, "next"));
        }
        if number > 1 {
            links.push(link(url, query, 1, "first"));
        }
        (!links.is_empty()).then(|| links.join(", "))
    }

    /// The rows of this page, and the links to the others if there are any. `url` is the address
    /// without query, `query` the query that came.
    pub(crate) fn cut<T>(
        self,
        rows: Vec<T>,
        url: &str,
        query: Option<&str>,
    ) -> (Vec<T>, Option<String>) {
        let last = rows.len().div_ceil(self.size()).max(1);
        let number = self.number();
        let rows = rows
            .into_iter()
            .skip(self.skipped())
            .take(self.size())
            .collect();
        let mut links = Vec::new();
        if number > 1 {
            links.push(link(url, query, number - 1, "prev"));
        }
        if number < last {
            links.push(link(url, query, number + 1, "next"));
            links.push(link(url, query, last, "last"));
        }
        if number > 1 {
            links.push(link(url, query, 1, "first"));
        }
        (rows, (!links.is_empty()).then(|| links.join(", ")))
    }
}

/// One entry of the `Link` header: the query that came, with another page.
fn link(url: &str, query: Option<&str>, page: usize, rel: &str) -> String {
    let mut other = form_urlencoded::Serializer::new(String::new());
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        if name != "page" {
            other.append_pair(&name, &value);
        }
    }
    other.append_pair("page", &page.to_string());
    format!("<{url}?{}>; rel=\"{rel}\"", other.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_page_leads_everywhere() {
        let page = Page {
            per_page: Some(2),
            page: Some(2),
        };
        let (rows, link) = page.cut((0..5).collect(), "http://f/x", Some("state=all&page=2"));
        assert_eq!(rows, [2, 3]);
        insta::assert_snapshot!(link.unwrap(), @r#"<http://f/x?state=all&page=1>; rel="prev", <http://f/x?state=all&page=3>; rel="next", <http://f/x?state=all&page=3>; rel="last", <http://f/x?state=all&page=1>; rel="first""#);
    }

    #[test]
    fn one_page_leads_nowhere() {
        let (rows, link) = Page::default().cut(vec![1], "http://f/x", None);
        assert_eq!((rows, link), (vec![1], None));
    }
}
