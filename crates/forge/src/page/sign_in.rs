//! Signing in and out, and a person's tokens.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::{StatusCode, header};
use maud::{Markup, html};
use secrecy::ExposeSecret;
use serde::Deserialize;

use crate::forge::{Forge, Shared};
use crate::id::AccountId;
use crate::page::door::{Actor, Visitor};
use crate::page::form::{Fields, form};
use crate::page::frame::Page;
use crate::page::look;
use crate::page::refusal::Refusal;
use crate::page::session::{Cookie, Transport};
use crate::page::text::plain;
use crate::state::account::Kind;

/// Where a visitor goes once they are signed in.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Then {
    then: Option<String>,
}

impl Then {
    /// The address, if it is one of the forge's own.
    fn own(self) -> String {
        let own = |then: &String| {
            then.starts_with('/')
                && !then.starts_with("//")
                && then
                    .bytes()
                    .all(|byte| byte.is_ascii_graphic() && byte != b'\\')
        };
        self.then.filter(own).unwrap_or_else(|| "/".to_owned())
    }
}

/// `GET /-/sign-in`
pub(crate) async fn ask(
    State(shared): State<Arc<Shared>>,
    mut visitor: Visitor,
    Query(then): Query<Then>,
) -> Response {
    let cookie = visitor.cookie.clone().unwrap_or_else(Cookie::fresh);
    visitor.form_number = Some(shared.sessions.form_number(&cookie));
    visitor.cookie = Some(cookie.clone());
    let then = then.own();
    let people = if shared.is_local() {
        look::people(&shared)
    } else {
        Vec::new()
    };
    let page = Page {
        visitor: &visitor,
        title: "Sign in · Forge",
        place: None,
        body: html! {
            h1 { "Sign in" }
            @if shared.is_local() {
                @if people.is_empty() {
                    p { "There are no people yet. Name some in the forge's configuration, under " code { "users" } "." }
                } @else {
                    p { "Only this machine can reach the forge, so it takes your word for who you are." }
                    (form(&visitor, "/-/sign-in", "card", &by_name(&people, &then)))
                }
                details {
                    summary { "Sign in with a token instead" }
                    (form(&visitor, "/-/sign-in", "card", &by_token("Sign in with the token", &then)))
                }
            } @else {
                p { "Your token is the one that git and the API take as your password." }
                (form(&visitor, "/-/sign-in", "card", &by_token("Sign in", &then)))
            }
        },
    };
    let transport = Transport::of(shared.urls.web());
    ([(header::SET_COOKIE, cookie.give(transport))], page.show()).into_response()
}

fn by_name(people: &[String], then: &str) -> Markup {
    html! {
        label for="login" { "You are" }
        select id="login" name="login" {
            @for login in people { option value=(login) { (plain(login)) } }
        }
        input type="hidden" name="then" value=(then);
        button.primary type="submit" { "Sign in" }
    }
}

fn by_token(words: &str, then: &str) -> Markup {
    html! {
        label for="token" { "Token" }
        input id="token" type="password" name="token" autocomplete="current-password" required;
        input type="hidden" name="then" value=(then);
        button.primary type="submit" { (words) }
    }
}

/// `POST /-/sign-in`
pub(crate) async fn enter(
    State(shared): State<Arc<Shared>>,
    visitor: Visitor,
    fields: Fields,
) -> Result<Response, Refusal> {
    let person = identify(&shared, &fields)?;
    if let Some(old) = &visitor.cookie {
        shared.sessions.end(old);
    }
    let cookie = shared.sessions.begin(person, shared.clock.now());
    let then = Then {
        then: fields.find("then"),
    };
    let given = cookie.give(Transport::of(shared.urls.web()));
    Ok(([(header::SET_COOKIE, given)], Redirect::to(&then.own())).into_response())
}

fn identify(shared: &Shared, fields: &Fields) -> Result<AccountId, Refusal> {
    let state = shared.lock();
    if let Some(token) = fields.find("token") {
        return state.tokens.find_user(token.trim()).ok_or_else(|| {
            let what = "No person has this token.".to_owned();
            Refusal::new(StatusCode::FORBIDDEN, "Not signed in", what)
                .advise("Go back and look at what you pasted; a token begins with ghp_ unless the configuration chose it.".to_owned())
        });
    }
    let login = fields.text("login")?;
    if !shared.is_local() {
        let what = "Other machines can reach this forge, so a name is not enough.".to_owned();
        return Err(Refusal::new(StatusCode::FORBIDDEN, "Not signed in", what)
            .advise("Go back and sign in with your token.".to_owned()));
    }
    state
        .find_account(&login)
        .filter(|account| account.kind == Kind::User)
        .map(|account| account.id)
        .ok_or_else(|| Refusal::unprocessable(format!("There is no person {login}.")))
}

/// `POST /-/sign-out`
pub(crate) async fn leave(
    State(shared): State<Arc<Shared>>,
    visitor: Visitor,
    _fields: Fields,
) -> Redirect {
    if let Some(cookie) = &visitor.cookie {
        shared.sessions.end(cookie);
    }
    Redirect::to("/")
}

/// `GET /-/tokens`
pub(crate) async fn tokens(
    State(shared): State<Arc<Shared>>,
    visitor: Visitor,
    actor: Actor,
) -> Response {
    let token = shared.sessions.take_token(&actor.cookie);
    let login = &actor.person.login;
    let web = shared.urls.web();
    let page = Page {
        visitor: &visitor,
        title: "Tokens · Forge",
        place: None,
        body: html! {
            h1 { "Tokens" }
            p {
                "A token is your password for git, with the user name " code { (plain(login)) }
                ", and for the API at " code { (shared.urls.api()) } ". It has all your rights and does not expire."
            }
            @if let Some(token) = token {
                section.made {
                    p { strong { "Your new token." } " Copy it now: it is not shown again." }
                    pre id="token" { (token.expose_secret()) }
                    p.dim { "With curl:" }
                    pre { "curl -H \"Authorization: Bearer " (token.expose_secret()) "\" " (shared.urls.api()) "/user" }
                }
            }
            (form(&visitor, "/-/tokens", "inline", &html! {
                button.primary type="submit" { "Make a token" }
            }))
            p.dim { "The forge is at " (web) "." }
        },
    };
    page.show()
}

/// `POST /-/tokens`
pub(crate) async fn make_token(
    State(shared): State<Arc<Shared>>,
    actor: Actor,
    _fields: Fields,
) -> Result<Redirect, Refusal> {
    let forge = Forge {
        shared: Arc::clone(&shared),
    };
    let token = forge.mint_token(&actor.person.login)?;
    shared.sessions.put_token(&actor.cookie, token);
    Ok(Redirect::to("/-/tokens"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_comes_back_to_the_forge_and_nowhere_else() {
        let own = |then: &str| {
            Then {
                then: Some(then.to_owned()),
            }
            .own()
        };
        assert_eq!(own("/snekbook/recipes/pull/1"), "/snekbook/recipes/pull/1");
        for foreign in [
            "//evil.example",
            "https://evil.example",
            "/\\evil.example",
            "",
            "/a\r\nb",
            "/\t/x",
        ] {
            assert_eq!(own(foreign), "/", "{foreign:?}");
        }
    }
}
