//! What every page passes: the name that the forge was asked by, where a form comes from, who the
//! visitor is, and the headers that keep a page what it is.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use percent_encoding::utf8_percent_encode;

use crate::forge::Shared;
use crate::id::AccountId;
use crate::page::frame;
use crate::page::refusal::Refusal;
use crate::page::session::Cookie;
use crate::smart;

/// Text, style of the forge's own, and forms that go nowhere else: nothing that runs, and nothing
/// from elsewhere.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
     base-uri 'none'; frame-ancestors 'none'";

/// Who looks at a page.
#[derive(Clone, Default)]
pub(crate) struct Visitor {
    pub(crate) cookie: Option<Cookie>,
    pub(crate) person: Option<Person>,
    /// What the forms of someone carry who is signed in with a cookie.
    pub(crate) form_number: Option<String>,
    /// The address that was asked for.
    pub(crate) here: String,
}

/// Someone who is signed in.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) id: AccountId,
    pub(crate) login: String,
}

/// The middleware around all pages.
pub(crate) async fn door(
    State(shared): State<Arc<Shared>>,
    mut request: Request,
    next: Next,
) -> Response {
    let visitor = visitor(&shared, &request);
    let checked = check_name(&shared, &request).and_then(|()| check_origin(&shared, &request));
    let response = match checked {
        Ok(()) => {
            request.extensions_mut().insert(visitor.clone());
            next.run(request).await
        }
        Err(refusal) => refusal.into_response(),
    };
    let mut response = match response.extensions().get::<Refusal>() {
        Some(refusal) => frame::refusal(&visitor, refusal),
        // An address whose parts are not what they should be, such as a number.
        None if response.status().is_client_error() => {
            frame::refusal(&visitor, &Refusal::missing())
        }
        None => response,
    };
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // Other sites do not learn what is here; the forge's own forms say where they come from.
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ] {
        let value = HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    response
        .headers_mut()
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

fn visitor(shared: &Shared, request: &Request) -> Visitor {
    let headers = request.headers();
    let cookie = Cookie::read(headers);
    let now = shared.clock.now();
    let by_cookie = cookie
        .as_ref()
        .and_then(|cookie| shared.sessions.find(cookie, now));
    // A script may show a token instead, and can look.
    let id = by_cookie.or_else(|| {
        let secret = smart::password(headers)?;
        shared.lock().tokens.find_user(&secret)
    });
    let person = id.map(|id| Person {
        id,
        login: shared.lock().account(id).login.to_string(),
    });
    let form_number = cookie
        .as_ref()
        .filter(|_| by_cookie.is_some())
        .map(|cookie| shared.sessions.form_number(cookie));
    let here = request.uri().path_and_query().map_or("/", |it| it.as_str());
    Visitor {
        cookie,
        person,
        form_number,
        here: here.to_owned(),
    }
}

/// The host that a request names, with its port.
fn host(headers: &HeaderMap, uri: &Uri) -> Option<String> {
    let named = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let host = named.or_else(|| uri.authority().map(|authority| authority.as_str()))?;
    Some(host.to_ascii_lowercase())
}

/// A site whose name was made to point at this machine would be of one origin with the forge. So
/// the forge answers to its own name only, and to the names of this machine.
fn check_name(shared: &Shared, request: &Request) -> Result<(), Refusal> {
    let own = shared.urls.host();
    match host(request.headers(), request.uri()) {
        Some(host) if host == own => Ok(()),
        Some(host) if shared.is_local() && is_this_machine(&host) => Ok(()),
        Some(_) | None => Err(Refusal::new(
            StatusCode::MISDIRECTED_REQUEST,
            "Another address",
            "The forge does not answer by this name.".to_owned(),
        )
        .advise(format!("Open {} instead.", shared.urls.web()))),
    }
}

fn is_this_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    name == "localhost"
        || name == "[::1]"
        || name
            .parse::<std::net::Ipv4Addr>()
            .is_ok_and(|address| address.is_loopback())
}

/// Refuses what another site's page makes a browser send. Browsers say where a form comes from; a
/// program that says nothing still needs the form's number.
fn check_origin(shared: &Shared, request: &Request) -> Result<(), Refusal> {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(());
    }
    let headers = request.headers();
    let site = headers.get(HeaderName::from_static("sec-fetch-site"));
    let is_own_site = site.is_none_or(|site| site == "same-origin");
    let is_own_origin = headers.get(header::ORIGIN).is_none_or(|origin| {
        let named = host(headers, request.uri()).unwrap_or_default();
        let scheme = shared.urls.scheme();
        origin
            .to_str()
            .is_ok_and(|origin| origin.eq_ignore_ascii_case(&format!("{scheme}://{named}")))
    });
    if is_own_site && is_own_origin {
        return Ok(());
    }
    Err(Refusal::new(
        StatusCode::FORBIDDEN,
        "Another site's form",
        "The form was sent by a page of another site, so nothing was done.".to_owned(),
    )
    .advise("If you meant it, do it on the forge's own page.".to_owned()))
}

impl Visitor {
    /// The account of who is signed in.
    pub(crate) fn account(&self) -> Option<AccountId> {
        self.person.as_ref().map(|person| person.id)
    }

    /// Where one signs in and comes back from.
    pub(crate) fn sign_in(&self) -> String {
        let back = utf8_percent_encode(&self.here, percent_encoding::NON_ALPHANUMERIC);
        format!("/-/sign-in?then={back}")
    }
}

impl<S: Sync> FromRequestParts<S> for Visitor {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}

/// A person who is signed in with a cookie, and so can send forms.
pub(crate) struct Actor {
    pub(crate) person: Person,
    pub(crate) cookie: Cookie,
}

impl<S: Sync> FromRequestParts<S> for Actor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let Ok(visitor) = Visitor::from_request_parts(parts, state).await;
        match (visitor.person.clone(), visitor.cookie.clone()) {
            (Some(person), Some(cookie)) if visitor.form_number.is_some() => {
                Ok(Self { person, cookie })
            }
            _ if parts.method == Method::GET => {
                Err(Redirect::to(&visitor.sign_in()).into_response())
            }
            _ => Err(Refusal::new(
                StatusCode::UNAUTHORIZED,
                "Sign in first",
                "Nobody is signed in, so nothing was done.".to_owned(),
            )
            .advise("Sign in at the top of this page, go back, and send it again.".to_owned())
            .into_response()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_this_machine_are_told_from_others() {
        for host in [
            "localhost",
            "localhost:3000",
            "127.0.0.1:1",
            "127.9.9.9",
            "[::1]:3000",
            "[::1]",
        ] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in [
            "evil.example:3000",
            "127.0.0.1.evil.example",
            "localhost.evil",
            "10.0.0.1",
            "",
        ] {
            assert!(!is_this_machine(host), "{host}");
        }
    }
}
