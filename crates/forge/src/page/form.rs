//! Forms: what came in with one, and what all of them carry.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::to_bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use http::{StatusCode, header};
use maud::{Markup, html};
use url::form_urlencoded;

use crate::forge::Shared;
use crate::page::door::Visitor;
use crate::page::refusal::Refusal;

/// As large as a form may be, in bytes: a text of the longest, each of its characters encoded.
const MAX_FORM: usize = 1024 * 1024;
/// The field of the number that tells the forge's forms from others.
const NUMBER: &str = "form_number";

/// The fields of a form that the forge itself gave this visitor.
pub(crate) struct Fields(BTreeMap<String, String>);

impl Fields {
    /// A field's text, without the carriage returns that browsers put in.
    pub(crate) fn text(&self, name: &'static str) -> Result<String, Refusal> {
        self.0
            .get(name)
            .map(|text| text.replace("\r\n", "\n"))
            .ok_or_else(|| Refusal::unprocessable(format!("The form lacks the field `{name}`.")))
    }

    /// A field's text, unless it is absent or empty.
    pub(crate) fn find(&self, name: &'static str) -> Option<String> {
        self.text(name).ok().filter(|text| !text.trim().is_empty())
    }
}

impl FromRequest<Arc<Shared>> for Fields {
    type Rejection = Refusal;

    async fn from_request(request: Request, shared: &Arc<Shared>) -> Result<Self, Refusal> {
        let (mut parts, body) = request.into_parts();
        let Ok(visitor) = Visitor::from_request_parts(&mut parts, shared).await;
        let is_form = parts
            .headers
            .get(header::CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok())
            .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
        if !is_form {
            return Err(Refusal::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "No form",
                "What was sent is no form.".to_owned(),
            )
            .advise("Programs use the REST API, under /api/v3.".to_owned()));
        }
        let body = to_bytes(body, MAX_FORM).await.map_err(|_| {
            let what = format!("The form is larger than {MAX_FORM} bytes, or broke off.");
            Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "Too large", what)
        })?;
        let fields: BTreeMap<String, String> = form_urlencoded::parse(&body).into_owned().collect();
        let is_own = match (&visitor.cookie, fields.get(NUMBER)) {
            (Some(cookie), Some(number)) => shared.sessions.is_own_form(cookie, number),
            _ => false,
        };
        if !is_own {
            return Err(Refusal::new(
                StatusCode::FORBIDDEN,
                "An old form",
                "The form is not one that the forge gave to this browser, or the forge was \
                 started anew since, so nothing was done."
                    .to_owned(),
            )
            .advise("Go back, load the page again, and send the form once more.".to_owned()));
        }
        Ok(Self(fields))
    }
}

/// A form whose fields and buttons are `inner`.
pub(crate) fn form(visitor: &Visitor, action: &str, class: &str, inner: &Markup) -> Markup {
    html! {
        form class=(class) method="post" action=(action) {
            @if let Some(number) = &visitor.form_number {
                input type="hidden" name=(NUMBER) value=(number);
            }
            (inner)
        }
    }
}
