//! Who a browser is.
//!
//! A visitor's cookie holds a random number and nothing else. Which person it stands for is kept
//! here, under the number's digest, and ends with the process or after two weeks. Every form holds
//! a second number that is derived from the cookie's: another site can make a browser send a form,
//! and cannot know it. Signing in gives a new cookie, so that one that was planted is worth
//! nothing.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderValue, header};
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::id::AccountId;

/// The cookie's name.
const COOKIE: &str = "forge_session";
/// How long a session lasts.
const LIFE: SignedDuration = SignedDuration::from_hours(14 * 24);
/// More sessions than this at once are not kept: the one that ends first goes.
const MAX_SESSIONS: usize = 10_000;

/// All sessions.
pub(crate) struct Sessions {
    /// What the numbers of forms are derived with.
    key: String,
    table: Mutex<HashMap<[u8; 32], Session>>,
}

struct Session {
    person: AccountId,
    ends_at: Timestamp,
    /// A token that was just made, for the next page and no other.
    token: Option<SecretString>,
}

/// The number in a visitor's cookie.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Cookie(String);

impl Default for Sessions {
    fn default() -> Self {
        Self {
            key: number(),
            table: Mutex::default(),
        }
    }
}

impl Sessions {
    /// Begins a person's session and gives its cookie.
    pub(crate) fn begin(&self, person: AccountId, now: Timestamp) -> Cookie {
        let cookie = Cookie::fresh();
        let mut table = self.lock();
        table.retain(|_, session| session.ends_at > now);
        if table.len() >= MAX_SESSIONS {
            let first = table.iter().min_by_key(|(_, session)| session.ends_at);
            if let Some(first) = first.map(|(digest, _)| *digest) {
                table.remove(&first);
            }
        }
        let session = Session {
            person,
            ends_at: now.saturating_add(LIFE).unwrap_or(Timestamp::MAX),
            token: None,
        };
        table.insert(cookie.digest(), session);
        cookie
    }

    /// The person that a cookie stands for.
    pub(crate) fn find(&self, cookie: &Cookie, now: Timestamp) -> Option<AccountId> {
        let table = self.lock();
        let session = table.get(&cookie.digest())?;
        (session.ends_at > now).then_some(session.person)
    }

    /// Ends a session.
    pub(crate) fn end(&self, cookie: &Cookie) {
        self.lock().remove(&cookie.digest());
    }

    /// Keeps a new token for the next page of its session.
    pub(crate) fn put_token(&self, cookie: &Cookie, token: SecretString) {
        if let Some(session) = self.lock().get_mut(&cookie.digest()) {
            session.token = Some(token);
        }
    }

    /// Takes the token that was kept: it is shown once.
    pub(crate) fn take_token(&self, cookie: &Cookie) -> Option<SecretString> {
        self.lock().get_mut(&cookie.digest())?.token.take()
    }

    /// The number that the forms of a visitor carry.
    pub(crate) fn form_number(&self, cookie: &Cookie) -> String {
        hex::encode(self.mac(cookie).finalize().into_bytes())
    }

    /// Whether a form carries the number of the visitor who sends it.
    pub(crate) fn is_own_form(&self, cookie: &Cookie, number: &str) -> bool {
        hex::decode(number).is_ok_and(|number| self.mac(cookie).verify_slice(&number).is_ok())
    }

    fn mac(&self, cookie: &Cookie) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.key.as_bytes())
            .expect("a key of any length will do");
        mac.update(cookie.0.as_bytes());
        mac
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 32], Session>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cookie {
    /// A number that nobody has seen.
    pub(crate) fn fresh() -> Self {
        Self(number())
    }

    /// The number in a request's cookie.
    pub(crate) fn read(headers: &HeaderMap) -> Option<Self> {
        headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
            .find(|value| value.len() == 64 && value.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .map(|value| Self(value.to_owned()))
    }

    /// The header that gives the cookie to the browser. Scripts do not see it, and no other site's
    /// form carries it.
    pub(crate) fn give(&self, transport: Transport) -> HeaderValue {
        let seconds = LIFE.as_secs();
        let secure = transport.attribute();
        let text = format!(
            "{COOKIE}={}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}",
            self.0
        );
        HeaderValue::from_str(&text).expect("digits and attributes are a header")
    }

    fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }
}

/// What the browser and the forge speak over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Plain,
    Encrypted,
}

impl Transport {
    /// By the forge's address.
    pub(crate) fn of(url: &str) -> Self {
        if url.starts_with("https://") {
            Self::Encrypted
        } else {
            Self::Plain
        }
    }

    const fn attribute(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Encrypted => "; Secure",
        }
    }
}

/// 244 random bits.
fn number() -> String {
    format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(cookie: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, cookie.parse().unwrap());
        headers
    }

    #[test]
    fn a_session_ends_by_itself_and_when_told() {
        let sessions = Sessions::default();
        let now = Timestamp::UNIX_EPOCH;
        let maya = AccountId::new(7);
        let cookie = sessions.begin(maya, now);
        assert_eq!(sessions.find(&cookie, now), Some(maya));
        assert_eq!(sessions.find(&Cookie::fresh(), now), None);
        assert_eq!(sessions.find(&cookie, now + LIFE), None);
        sessions.end(&cookie);
        assert_eq!(sessions.find(&cookie, now), None);
    }

    #[test]
    fn a_forms_number_is_good_for_one_visitor() {
        let (sessions, others) = (Sessions::default(), Sessions::default());
        let (one, other) = (Cookie::fresh(), Cookie::fresh());
        let number = sessions.form_number(&one);
        assert!(sessions.is_own_form(&one, &number));
        assert!(!sessions.is_own_form(&other, &number));
        assert!(!others.is_own_form(&one, &number), "of another process");
        assert!(!sessions.is_own_form(&one, ""));
        assert!(!sessions.is_own_form(&one, &number[..32]), "half of it");
    }

    #[test]
    fn only_the_own_cookie_is_read() {
        let cookie = Cookie::fresh();
        let text = format!("a=b; {COOKIE}={}; c", cookie.0);
        assert!(Cookie::read(&headers(&text)) == Some(cookie));
        for other in [
            "",
            "forge_session=1",
            "forge_sessionx=1",
            "x=forge_session=",
        ] {
            assert!(Cookie::read(&headers(other)).is_none(), "{other}");
        }
        assert_eq!(
            Cookie(String::new()).give(Transport::Plain),
            "forge_session=; Path=/; Max-Age=1209600; HttpOnly; SameSite=Lax"
        );
    }

    #[test]
    fn a_token_is_shown_once() {
        let sessions = Sessions::default();
        let cookie = sessions.begin(AccountId::new(7), Timestamp::UNIX_EPOCH);
        sessions.put_token(&cookie, "secret".into());
        assert!(sessions.take_token(&cookie).is_some());
        assert!(sessions.take_token(&cookie).is_none());
    }
}
