//! Receives a webhook: verifies it, reads it, commits what it asks for, and only then answers.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use moss_db::{Error, RwTxn};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::value::RawValue;
use sha2::Sha256;

use super::delivery::{Taken, Work, heed};
use super::{Summit, Wakes};
use crate::db::{Delivery, Tables};
use crate::github::payload::Payload;

/// Proof that a value was verified.
#[derive(Debug)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    /// Wraps what a test made itself.
    #[cfg(test)]
    pub(super) fn unchecked(value: T) -> Self {
        Self(value)
    }
}

/// A webhook that is not verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// The GUID; the same for every attempt of a delivery.
    pub guid: String,
    /// The event's name.
    pub event: String,
    /// The body. It is what GitHub signs.
    pub body: Bytes,
    /// How the body holds the event.
    pub encoding: Encoding,
}

/// How a body holds the JSON of an event: the App's content type says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// The body is the JSON.
    Json,
    /// The JSON is the field `payload` of a form.
    Form,
}

/// Why there is no event in a body.
#[derive(Debug, thiserror::Error)]
pub enum ParseError {
    /// The JSON cannot be read.
    #[error("the body is no JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// A form without the event.
    #[error("the form has no field `payload`")]
    NoPayload,
}

/// The signature does not match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature is missing, malformed or wrong")]
pub struct BadSignature;

/// The result of receiving a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receipt {
    /// The delivery is new and is now stored.
    New,
    /// The delivery was already stored.
    Known,
}

impl Webhook {
    /// Checks the value of `X-Hub-Signature-256` against each secret, in constant time.
    ///
    /// # Errors
    /// When the signature is that of no secret over the body.
    pub fn verify(
        self,
        signature: Option<&str>,
        secrets: &[SecretString],
    ) -> Result<Verified<Self>, BadSignature> {
        let signature = signature
            .and_then(|text| text.strip_prefix("sha256="))
            .ok_or(BadSignature)?;
        let signature = hex::decode(signature).map_err(|_| BadSignature)?;
        let signs = |secret: &SecretString| {
            let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes())
                .expect("HMAC takes a key of any length");
            mac.update(&self.body);
            mac.verify_slice(&signature).is_ok()
        };
        // All are tried, so that the time does not tell which one it was.
        let is_signed = secrets
            .iter()
            .fold(false, |known, secret| signs(secret) | known);
        match is_signed {
            true => Ok(Verified(self)),
            false => Err(BadSignature),
        }
    }
}

/// A webhook whose body was read.
#[derive(Debug)]
pub struct Event {
    guid: String,
    name: String,
    content: Content,
}

/// The content of a body.
#[derive(Debug)]
enum Content {
    /// What summit reads of it.
    Read(Box<Payload>),
    /// JSON that is not as GitHub describes it. It is kept, because it still shows people what
    /// somebody wanted.
    Odd {
        reason: serde_json::Error,
        body: Box<RawValue>,
    },
}

impl Content {
    fn read(event: &str, json: &[u8]) -> Result<Self, serde_json::Error> {
        match Payload::parse(event, json) {
            Ok(payload) => Ok(Self::Read(Box::new(payload))),
            Err(reason) if reason.is_data() => {
                let body: &RawValue = serde_json::from_slice(json)?;
                let body = body.to_owned();
                Ok(Self::Odd { reason, body })
            }
            Err(error) => Err(error),
        }
    }
}

/// The field `payload` of a form.
fn payload_of(form: &[u8]) -> Result<Cow<'_, [u8]>, ParseError> {
    let mut fields = url::form_urlencoded::parse(form);
    let payload = fields.find(|(name, _)| name == "payload");
    match payload.ok_or(ParseError::NoPayload)?.1 {
        Cow::Borrowed(text) => Ok(Cow::Borrowed(text.as_bytes())),
        Cow::Owned(text) => Ok(Cow::Owned(text.into_bytes())),
    }
}

impl Verified<Webhook> {
    /// Reads the body.
    ///
    /// # Errors
    /// When there is no JSON in it.
    pub fn parse(self) -> Result<Verified<Event>, ParseError> {
        let Self(webhook) = self;
        let json = match webhook.encoding {
            Encoding::Json => Cow::Borrowed(webhook.body.as_ref()),
            Encoding::Form => payload_of(&webhook.body)?,
        };
        Ok(Verified(Event {
            content: Content::read(&webhook.event, &json)?,
            guid: webhook.guid,
            name: webhook.event,
        }))
    }
}

impl Verified<Event> {
    /// Reads the body of a delivery again that was verified and kept.
    ///
    /// # Errors
    /// When it is not JSON.
    pub(super) fn of_kept(
        guid: String,
        name: String,
        body: &RawValue,
    ) -> Result<Self, serde_json::Error> {
        Ok(Self(Event {
            content: Content::read(&name, body.get().as_bytes())?,
            guid,
            name,
        }))
    }
}

/// What became of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outcome {
    /// The result, for people.
    pub(super) text: String,
    /// True when its body could be read.
    pub(super) is_read: bool,
}

impl Summit {
    /// Commits what a webhook asks for, together with its row. When this returns, summit does not
    /// lose it any more.
    ///
    /// # Errors
    /// When the database fails: then GitHub must hear of it.
    pub async fn receive(&self, event: Verified<Event>) -> Result<Receipt, Error> {
        let taken = self.take_event(event).await?;
        Ok(taken.map_or(Receipt::Known, |_| Receipt::New))
    }

    /// Commits an event, as [`Self::receive`] does. `None` for a known one, else what became of it.
    pub(super) async fn take_event(
        &self,
        event: Verified<Event>,
    ) -> Result<Option<Outcome>, Error> {
        let Verified(event) = event;
        let tables = self.tables.clone();
        let guid = event.guid.clone();
        let organisation = self.config.github.organisation.clone();
        let now = self.clock.now();
        let wakes = Arc::clone(&self.wakes);
        // GitHub may hang up before the commit, and then nobody waits here any more.
        let committed = move |taken: Option<(Delivery, Taken)>| {
            let (delivery, taken) = taken?;
            announce(&wakes, &guid, &delivery, &taken);
            Some(Outcome {
                text: delivery.outcome,
                is_read: !taken.is_odd,
            })
        };
        let take = move |txn: &mut RwTxn<'_>| take(&tables, txn, event, &organisation, now);
        self.db.submit_then(take, committed).await
    }
}

/// Logs what a delivery led to, and wakes the workers concerned.
fn announce(wakes: &Wakes, guid: &str, delivery: &Delivery, taken: &Taken) {
    let Delivery { event, outcome, .. } = delivery;
    match taken.is_odd {
        false => tracing::info!(delivery.id = guid, event, "delivery: {outcome}"),
        true => tracing::warn!(delivery.id = guid, event, "delivery: {outcome}"),
    }
    if taken.asks_for_sweep {
        wakes.sweep.wake();
    }
    match taken.work {
        Some(Work::Look) => wakes.looks.wake(),
        Some(Work::Command) => wakes.commands.wake(),
        Some(Work::Press) => wakes.presses.wake(),
        None => {}
    }
}

/// Takes a delivery; `None` if it is known.
fn take(
    tables: &Tables,
    txn: &mut RwTxn<'_>,
    event: Event,
    organisation: &str,
    now: Timestamp,
) -> Result<Option<(Delivery, Taken)>, Error> {
    let Event {
        guid,
        name,
        content,
    } = event;
    // One that could not be read is read again: this process may be able to.
    let known = match tables.bodies.contains(txn, &guid)? {
        true => tables.deliveries.find(txn, &guid)?,
        false if tables.deliveries.contains(txn, &guid)? => return Ok(None),
        false => None,
    };
    let taken = match content {
        Content::Read(payload) => {
            tables.bodies.delete(txn, &guid)?;
            heed(tables, txn, *payload, organisation, &guid, now)?
        }
        // A sweep finds pushes and pull requests, but neither comments nor presses.
        Content::Odd { reason, body } => {
            tables.bodies.put(txn, &guid, &body)?;
            Taken {
                is_odd: true,
                ..format!("its body is not as GitHub describes it: {reason}").into()
            }
        }
    };
    let delivery = Delivery {
        event: name,
        received_at: known.map_or(now, |known| known.received_at),
        outcome: taken.outcome.clone(),
    };
    tables.deliveries.put(txn, &guid, &delivery)?;
    Ok(Some((delivery, taken)))
}

#[cfg(test)]
mod tests;
