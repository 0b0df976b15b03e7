//! A browser without scripts: it keeps its cookie, sends forms as their pages have them, and
//! follows redirects.

use std::collections::BTreeMap;

use http::{HeaderMap, header};

use crate::bench::Bench;

/// What a person looks at with.
pub(crate) struct Browser<'bench> {
    pub(crate) bench: &'bench Bench,
    client: reqwest::Client,
    cookie: Option<String>,
    /// The page that is open.
    pub(crate) page: Page,
}

/// A page as it came in the end.
#[derive(Debug, Clone, Default)]
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) html: String,
}

impl<'bench> Browser<'bench> {
    pub(crate) fn new(bench: &'bench Bench) -> Self {
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self {
            bench,
            client,
            cookie: None,
            page: Page::default(),
        }
    }

    /// A browser in which somebody has chosen their name and pressed "Sign in".
    pub(crate) async fn signed_in(bench: &'bench Bench, login: &str) -> Self {
        let mut browser = Self::new(bench);
        browser.open("/-/sign-in").await;
        browser.press("Sign in", &[("login", login)]).await;
        assert!(
            browser.page.html.contains("Sign out"),
            "{}",
            browser.page.html
        );
        browser
    }

    /// Opens an address.
    pub(crate) async fn open(&mut self, path: &str) -> &Page {
        let request = self.client.get(self.url(path));
        self.send(request).await;
        while let Some(next) = self.redirect() {
            let request = self.client.get(self.url(&next));
            self.send(request).await;
        }
        &self.page
    }

    /// Presses the button of that label, with these fields filled in; all others go as the page
    /// has them. Panics where the page has no such button or field.
    pub(crate) async fn press(&mut self, label: &str, fields: &[(&str, &str)]) -> &Page {
        let form = self.page.form(label);
        let mut all = form.fields;
        for (name, value) in fields {
            assert!(all.contains_key(*name), "the form of {label} has no {name}");
            all.insert((*name).to_owned(), (*value).to_owned());
        }
        let all: Vec<_> = all.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        self.submit(&form.action, &all).await;
        assert!(
            self.page.status < 400 || self.page.html.contains("<h1>"),
            "a refusal is a page"
        );
        &self.page
    }

    /// Sends a form as this page's, and follows where it leads.
    pub(crate) async fn submit(&mut self, action: &str, fields: &[(&str, &str)]) -> &Page {
        let origin = self.bench.forge.url().to_owned();
        let from = [
            ("origin", origin.as_str()),
            ("sec-fetch-site", "same-origin"),
        ];
        self.submit_from(action, fields, &from).await
    }

    /// Sends a form with other headers.
    pub(crate) async fn submit_from(
        &mut self,
        action: &str,
        fields: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> &Page {
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(fields);
        let mut request = self
            .client
            .post(self.url(action))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body.finish());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request).await;
        if let Some(next) = self.redirect() {
            assert_eq!(self.page.status, 303, "a form leads on by 303");
            self.open(&next).await;
        }
        &self.page
    }

    /// The number that the forms of the open page carry.
    pub(crate) fn form_number(&self) -> String {
        let (_, after) = self
            .page
            .html
            .split_once("name=\"form_number\" value=\"")
            .unwrap();
        after.split('"').next().unwrap().to_owned()
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.bench.forge.url())
    }

    async fn send(&mut self, mut request: reqwest::RequestBuilder) {
        if let Some(cookie) = &self.cookie {
            request = request.header(header::COOKIE, cookie);
        }
        let response = request.send().await.unwrap();
        for given in response.headers().get_all(header::SET_COOKIE) {
            let given = given.to_str().unwrap();
            assert!(given.contains("; HttpOnly; SameSite=Lax"), "{given}");
            self.cookie = given.split(';').next().map(str::to_owned);
        }
        self.page = Page {
            status: response.status().as_u16(),
            path: response.url().path().to_owned(),
            headers: response.headers().clone(),
            html: response.text().await.unwrap(),
        };
    }

    fn redirect(&self) -> Option<String> {
        if !(300..400).contains(&self.page.status) {
            return None;
        }
        let target = self.page.headers[header::LOCATION].to_str().unwrap();
        assert!(target.starts_with('/'), "{target}");
        Some(target.split('#').next().unwrap().to_owned())
    }
}

/// A form as a browser would send it.
pub(crate) struct Form {
    pub(crate) action: String,
    fields: BTreeMap<String, String>,
}

impl Page {
    /// Whether it has a button of that label.
    pub(crate) fn has_button(&self, label: &str) -> bool {
        self.forms().any(|form| is_of(form, label))
    }

    /// The form whose button has that label.
    pub(crate) fn form(&self, label: &str) -> Form {
        let form = self.forms().find(|form| is_of(form, label));
        let form =
            form.unwrap_or_else(|| panic!("no button {label} on {}: {}", self.path, self.html));
        let mut fields = BTreeMap::new();
        for element in form.split('<') {
            let Some(name) = attribute(element, "name") else {
                continue;
            };
            let value = if element.starts_with("select") {
                let (_, options) = form.split_once(&format!("<{element}")).unwrap();
                let (options, _) = options.split_once("</select>").unwrap();
                let chosen = options
                    .split('<')
                    .find(|option| option.contains(" selected"))
                    .or_else(|| options.split('<').nth(1));
                chosen.and_then(|option| attribute(option, "value"))
            } else {
                attribute(element, "value")
            };
            fields.insert(name, value.unwrap_or_default());
        }
        Form {
            action: attribute(form, "action").unwrap(),
            fields,
        }
    }

    fn forms(&self) -> impl Iterator<Item = &str> {
        self.html
            .split("<form ")
            .skip(1)
            .map(|rest| rest.split("</form>").next().unwrap())
    }

    /// What stands in an element of that id.
    pub(crate) fn text_of(&self, id: &str) -> &str {
        let (_, after) = self.html.split_once(&format!("id=\"{id}\">")).unwrap();
        after.split('<').next().unwrap()
    }
}

fn is_of(form: &str, label: &str) -> bool {
    form.contains(&format!(">{label}</button>"))
}

fn attribute(element: &str, name: &str) -> Option<String> {
    let (_, after) = element.split_once(&format!(" {name}=\"")).or_else(|| {
        element
            .strip_prefix(&format!("{name}=\""))
            .map(|after| ("", after))
    })?;
    let value = after.split('"').next()?;
    Some(
        value
            .replace("&quot;", "\"")
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&amp;", "&"),
    )
}
