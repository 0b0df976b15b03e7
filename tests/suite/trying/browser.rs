//! The person's browser: pages, forms and one cookie, over HTTP.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use reqwest::{Client, Response, StatusCode, header};
use tokio::time::Instant;
use url::{Url, form_urlencoded};

use super::page::find_all;

/// How long a page may take to show what it should: check runs come after builds.
const LIMIT: Duration = Duration::from_secs(120);

/// How often a page is loaded again.
const PACE: Duration = Duration::from_millis(250);

/// A browser with the cookies of one site.
#[derive(Debug)]
pub(super) struct Browser {
    client: Client,
    cookies: BTreeMap<String, String>,
}

/// A form of a page.
#[derive(Debug, Default)]
struct Form {
    action: String,
    fields: Vec<(String, String)>,
    /// The text of each button, and the field that it sets.
    buttons: Vec<(String, Option<(String, String)>)>,
}

impl Browser {
    pub(super) fn new() -> Self {
        let client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a client without settings can be made");
        Self {
            client,
            cookies: BTreeMap::new(),
        }
    }

    /// Waits until the page has what is wanted, in that order.
    pub(super) async fn see(&mut self, url: &str, wanted: &[String]) -> Result<()> {
        let until = Instant::now() + LIMIT;
        loop {
            let html = self.load(&url.parse()?).await?;
            match find_all(&text(&html), wanted) {
                Err(error) if Instant::now() > until => return Err(error),
                Err(_) => tokio::time::sleep(PACE).await,
                Ok(()) => return Ok(()),
            }
        }
    }

    /// Loads a page, fills in the form that has the button, and presses it.
    pub(super) async fn press(
        &mut self,
        url: &str,
        fields: &[(String, String)],
        button: &str,
    ) -> Result<()> {
        let url: Url = url.parse()?;
        let until = Instant::now() + LIMIT;
        let form = loop {
            let html = self.load(&url).await?;
            let mut forms = forms(&html).into_iter();
            match forms.find(|form| form.buttons.iter().any(|(text, _)| text == button)) {
                Some(form) => break form,
                None if Instant::now() > until => {
                    bail!("{url} has no button {button:?}:\n{}", text(&html))
                }
                None => tokio::time::sleep(PACE).await,
            }
        };
        let action = url.join(&form.action)?;
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form.fill(fields, button)?)
            .finish();
        let kind = "application/x-www-form-urlencoded";
        let request = self.client.post(action).header(header::CONTENT_TYPE, kind);
        let answer = self.send(request.body(body)).await?;
        let status = answer.status();
        if status == StatusCode::SEE_OTHER {
            return Ok(());
        }
        bail!(
            "{button:?} was answered {status}:\n{}",
            text(&answer.text().await?)
        )
    }

    async fn load(&mut self, url: &Url) -> Result<String> {
        let answer = self.send(self.client.get(url.clone())).await?;
        ensure!(
            answer.status() == StatusCode::OK,
            "{url}: {}",
            answer.status()
        );
        Ok(answer.text().await?)
    }

    async fn send(&mut self, request: reqwest::RequestBuilder) -> Result<Response> {
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let answer = request
            .header(header::COOKIE, cookies.join("; "))
            .send()
            .await?;
        for cookie in answer.headers().get_all(header::SET_COOKIE) {
            let pair = cookie.to_str()?.split(';').next().unwrap_or_default();
            let (name, value) = pair.split_once('=').context("a cookie has a name")?;
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        Ok(answer)
    }
}

impl Form {
    /// What is sent when the button is pressed.
    fn fill(mut self, fields: &[(String, String)], button: &str) -> Result<Vec<(String, String)>> {
        for (name, value) in fields {
            let field = self.fields.iter_mut().find(|(known, _)| known == name);
            field
                .with_context(|| format!("the form has no field {name:?}"))?
                .1
                .clone_from(value);
        }
        let pressed = self.buttons.into_iter().find(|(text, _)| text == button);
        self.fields.extend(pressed.and_then(|(_, field)| field));
        Ok(self.fields)
    }
}

/// A part of a page: a tag with its attributes, or text.
enum Token<'html> {
    Tag(&'html str, BTreeMap<&'html str, String>),
    Text(&'html str),
}

fn tokens(html: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = html;
    while let Some((before, after)) = rest.split_once('<') {
        tokens.push(Token::Text(before));
        // The forge escapes `<` and `>` in attributes, too.
        let (tag, next) = after.split_once('>').unwrap_or((after, ""));
        let (name, attributes) = tag.split_once(char::is_whitespace).unwrap_or((tag, ""));
        tokens.push(Token::Tag(name, attributes_of(attributes)));
        rest = next;
    }
    tokens.push(Token::Text(rest));
    tokens
}

fn attributes_of(text: &str) -> BTreeMap<&str, String> {
    let mut attributes = BTreeMap::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let end = rest.find([' ', '=']).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let quoted = after
            .strip_prefix("=\"")
            .and_then(|value| value.split_once('"'));
        let (value, next) = quoted.unwrap_or(("", after));
        attributes.insert(name, unescaped(value));
        rest = next.trim_start();
    }
    attributes
}

fn unescaped(text: &str) -> String {
    let text = text.replace("&lt;", "<").replace("&gt;", ">");
    let text = text.replace("&quot;", "\"").replace("&#39;", "'");
    text.replace("&amp;", "&")
}

/// The text of a page, with a line for each part.
fn text(html: &str) -> String {
    let parts = tokens(html).into_iter().filter_map(|token| match token {
        Token::Text(text) if !text.trim().is_empty() => Some(unescaped(text.trim())),
        Token::Text(_) | Token::Tag(..) => None,
    });
    parts.collect::<Vec<_>>().join("\n")
}

/// The forms of a page.
fn forms(html: &str) -> Vec<Form> {
    let mut forms: Vec<Form> = Vec::new();
    let mut open = false;
    let (mut select, mut text, mut button) = (None::<String>, None::<String>, None);
    let mut heard = String::new();
    for token in tokens(html) {
        let (name, mut attributes) = match token {
            Token::Text(text) => {
                heard.push_str(&unescaped(text));
                continue;
            }
            Token::Tag(name, attributes) => (name, attributes),
        };
        if name == "form" {
            open = true;
            forms.push(Form {
                action: attributes.remove("action").unwrap_or_default(),
                ..Form::default()
            });
            continue;
        }
        let Some(form) = forms.last_mut().filter(|_| open) else {
            continue;
        };
        let value = attributes.remove("value").unwrap_or_default();
        let field = attributes.remove("name");
        match name {
            "/form" => open = false,
            "input" => form.fields.extend(field.map(|name| (name, value))),
            "select" => {
                form.fields
                    .extend(field.clone().map(|name| (name, String::new())));
                select = field;
            }
            "option" if select.is_some() => {
                let chosen = form
                    .fields
                    .last_mut()
                    .filter(|(_, chosen)| chosen.is_empty() || attributes.contains_key("selected"));
                if let Some((_, chosen)) = chosen {
                    *chosen = value;
                }
            }
            "/select" => select = None,
            "textarea" => {
                heard.clear();
                text = field;
            }
            "/textarea" => {
                let value = heard.clone();
                form.fields.extend(text.take().map(|name| (name, value)));
            }
            "button" => {
                heard.clear();
                button = Some(field.map(|name| (name, value)));
            }
            "/button" => {
                let text = heard.trim().to_owned();
                form.buttons
                    .extend(button.take().map(|field| (text, field)));
            }
            _ => {}
        }
    }
    forms
}

#[test]
fn forms_are_read_with_their_fields_and_buttons() {
    let html = r#"<p>x &amp; y</p><form class="a" method="post" action="/go">
        <input type="hidden" name="form_number" value="7"><input name="title" required>
        <select name="base"><option value="one">One</option><option value="two" selected>Two</option></select>
        <textarea name="body" rows="3">as &lt;it&gt; was</textarea>
        <button name="do" value="it">Go on</button></form><button>Outside</button>"#;
    let mut forms = forms(html);
    assert_eq!((forms.len(), text(html).lines().next()), (1, Some("x & y")));
    let form = forms.remove(0);
    assert_eq!(form.action, "/go");
    let sent = form
        .fill(&[("title".to_owned(), "A title".to_owned())], "Go on")
        .unwrap();
    let pairs = [
        ("form_number", "7"),
        ("title", "A title"),
        ("base", "two"),
        ("body", "as <it> was"),
        ("do", "it"),
    ];
    assert_eq!(
        sent,
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
}
