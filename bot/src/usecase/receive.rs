//! Receives a webhook: verifies it, reads it, commits what it asks for, and only then answers.

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

/// A webhook that is not verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// The GUID; the same for every attempt of a delivery.
    pub guid: String,
    /// The event's name.
    pub event: String,
    /// The body.
    pub body: Bytes,
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
    /// Checks the value of `X-Hub-Signature-256`, in constant time.
    ///
    /// # Errors
    /// When the signature does not match the body.
    pub fn verify(
        self,
        signature: Option<&str>,
        secret: &SecretString,
    ) -> Result<Verified<Self>, BadSignature> {
        let signature = signature
            .and_then(|text| text.strip_prefix("sha256="))
            .ok_or(BadSignature)?;
        let signature = hex::decode(signature).map_err(|_| BadSignature)?;
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes())
            .expect("HMAC takes a key of any length");
        mac.update(&self.body);
        mac.verify_slice(&signature).map_err(|_| BadSignature)?;
        Ok(Verified(self))
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

impl Verified<Webhook> {
    /// Reads the body.
    ///
    /// # Errors
    /// When it is not JSON.
    pub fn parse(self) -> Result<Verified<Event>, serde_json::Error> {
        let Self(webhook) = self;
        let content = match Payload::parse(&webhook.event, &webhook.body) {
            Ok(payload) => Content::Read(Box::new(payload)),
            Err(reason) if reason.is_data() => {
                let body: &RawValue = serde_json::from_slice(&webhook.body)?;
                let body = body.to_owned();
                Content::Odd { reason, body }
            }
            Err(error) => return Err(error),
        };
        Ok(Verified(Event {
            guid: webhook.guid,
            name: webhook.event,
            content,
        }))
    }
}

impl Summit {
    /// Commits what a webhook asks for, together with its row. When this returns, summit does not
    /// lose it any more.
    ///
    /// # Errors
    /// When the database fails: then GitHub must hear of it.
    pub async fn receive(&self, event: Verified<Event>) -> Result<Receipt, Error> {
        let Verified(event) = event;
        let tables = self.tables.clone();
        let guid = event.guid.clone();
        let organisation = self.config.github.organisation.clone();
        let now = self.clock.now();
        let wakes = Arc::clone(&self.wakes);
        // GitHub may hang up before the commit, and then nobody waits here any more.
        let committed = move |taken| match taken {
            None => Receipt::Known,
            Some((delivery, taken)) => {
                announce(&wakes, &guid, &delivery, &taken);
                Receipt::New
            }
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
    if tables.deliveries.contains(txn, &guid)? {
        return Ok(None);
    }
    let taken = match content {
        Content::Read(payload) => heed(tables, txn, *payload, organisation, &guid, now)?,
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
        received_at: now,
        outcome: taken.outcome.clone(),
    };
    tables.deliveries.put(txn, &guid, &delivery)?;
    Ok(Some((delivery, taken)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::db::tests::{Store, store};
    use crate::domain::build::example::at;

    fn taken(store: &Store, guid: &str, event: &str, body: &str) -> Option<(Delivery, Taken)> {
        let webhook = Webhook {
            guid: guid.to_owned(),
            event: event.to_owned(),
            body: Bytes::from(body.to_owned()),
        };
        let Verified(event) = Verified(webhook).parse().unwrap();
        let taken = store.write(|txn| take(&store.tables, txn, event, "snekbook", at(5)));
        taken.unwrap()
    }

    #[test]
    fn a_delivery_is_stored_once_with_what_it_asks_for() {
        let store = store();
        let push = json!({
            "ref": "refs/heads/main",
            "repository": {
                "id": 1,
                "full_name": "snekbook/recipes",
                "default_branch": "main",
                "clone_url": "https://github.example/snekbook/recipes.git",
            },
            "installation": { "id": 5 },
        });
        let (delivery, first) = taken(&store, "a", "push", &push.to_string()).unwrap();
        assert_eq!(delivery.outcome, "looking at main of snekbook/recipes");
        assert_eq!(first.work, Some(Work::Look));
        assert!(taken(&store, "a", "push", &push.to_string()).is_none());
        let stored = store.env.read(|txn| {
            let looks = store.tables.looks.iter(txn)?;
            let counts: Vec<_> = looks.map(|look| look.map(|(_, look)| look.count)).collect();
            let delivery = store.tables.deliveries.find(txn, &"a".to_owned())?;
            Ok::<_, Error>((counts.into_iter().collect::<Result<Vec<_>, _>>()?, delivery))
        });
        assert_eq!(stored.unwrap(), (vec![1], Some(delivery)));
    }

    #[test]
    fn a_body_that_is_not_as_described_is_kept() {
        let store = store();
        let (delivery, first) = taken(&store, "a", "push", "{\"ref\": 7}").unwrap();
        assert!(first.is_odd && first.work.is_none());
        assert!(
            delivery
                .outcome
                .starts_with("its body is not as GitHub describes it")
        );
        let body = store
            .env
            .read(|txn| store.tables.bodies.find(txn, &"a".to_owned()))
            .unwrap();
        assert_eq!(body.unwrap().get(), "{\"ref\": 7}");
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for (event, body) in [
            ("push", "{"),
            ("push", ""),
            ("ping", "nothing"),
            ("ping", "{} x"),
        ] {
            let webhook = Webhook {
                guid: "a".to_owned(),
                event: event.to_owned(),
                body: Bytes::from_static(body.as_bytes()),
            };
            assert!(Verified(webhook).parse().is_err(), "{event} {body:?}");
        }
    }

    #[test]
    fn githubs_own_example_verifies() {
        // The example is from GitHub's documentation on validating webhook deliveries.
        let webhook = Webhook {
            guid: String::new(),
            event: String::new(),
            body: Bytes::from_static(b"Hello, World!"),
        };
        let secret = SecretString::from("It's a Secret to Everybody");
        let good = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        assert!(webhook.clone().verify(Some(good), &secret).is_ok());
        assert!(
            webhook
                .clone()
                .verify(Some(&good.replace('7', "8")), &secret)
                .is_err()
        );
        assert!(webhook.clone().verify(Some(&good[7..]), &secret).is_err());
        assert!(webhook.clone().verify(Some("sha256="), &secret).is_err());
        assert!(webhook.verify(None, &secret).is_err());
    }
}
