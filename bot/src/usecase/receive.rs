//! Receives a webhook: verifies it, commits it, and only then answers.

use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use moss_db::Error;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::value::RawValue;
use sha2::Sha256;

use super::Summit;
use crate::db::Delivery;

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

/// A webhook whose body is JSON.
#[derive(Debug)]
pub struct Event {
    guid: String,
    name: String,
    body: Box<RawValue>,
}

impl Verified<Webhook> {
    /// Checks that the body is JSON.
    ///
    /// # Errors
    /// When it is not.
    pub fn parse(self) -> Result<Verified<Event>, serde_json::Error> {
        let Self(webhook) = self;
        let body: &RawValue = serde_json::from_slice(&webhook.body)?;
        Ok(Verified(Event {
            guid: webhook.guid,
            name: webhook.event,
            body: body.to_owned(),
        }))
    }
}

impl Summit {
    /// Commits a webhook to the inbox. When this returns, summit does not lose it any more.
    ///
    /// # Errors
    /// When the database fails: then GitHub must hear of it.
    pub async fn receive(&self, event: Verified<Event>) -> Result<Receipt, Error> {
        let Verified(event) = event;
        let tables = self.tables.clone();
        let received_at = self.clock.now();
        let receipt = self
            .db
            .submit(move |txn| {
                if tables.deliveries.contains(txn, &event.guid)? {
                    return Ok::<_, Error>(Receipt::Known);
                }
                let delivery = Delivery {
                    event: event.name,
                    arrival: tables.arrivals.next(txn)?,
                    received_at,
                    outcome: None,
                };
                tables.deliveries.put(txn, &event.guid, &delivery)?;
                tables.bodies.put(txn, &event.guid, &event.body)?;
                Ok(Receipt::New)
            })
            .await?;
        self.wakes.inbox.wake();
        Ok(receipt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
