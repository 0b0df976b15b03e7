//! A webhook is verified, committed, and only then answered.

use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use moss_db::Error;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;

use super::Summit;
use crate::db::Delivery;

/// Proof that a value was checked.
#[derive(Debug)]
pub struct Verified<T>(T);

/// A webhook as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// The GUID; the same for every attempt to deliver it.
    pub guid: String,
    /// The event's name.
    pub event: String,
    /// The body.
    pub body: Bytes,
}

/// A webhook that is not GitHub's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature is missing, malformed or wrong")]
pub struct BadSignature;

/// What became of a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receipt {
    /// It is ours now.
    New,
    /// It was ours before.
    Known,
}

impl Webhook {
    /// Checks the value of `X-Hub-Signature-256`, in constant time.
    ///
    /// # Errors
    /// When it does not prove that the body is GitHub's.
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

impl Summit {
    /// Commits a webhook to the inbox. When this returns, it is never lost.
    ///
    /// # Errors
    /// When the database fails: then GitHub must be told so.
    pub async fn receive(&self, webhook: Verified<Webhook>) -> Result<Receipt, Error> {
        let Verified(webhook) = webhook;
        let tables = self.tables.clone();
        let received_at = self.clock.now();
        let receipt = self
            .db
            .submit(move |txn| {
                if tables.deliveries.contains(txn, &webhook.guid)? {
                    return Ok::<_, Error>(Receipt::Known);
                }
                let delivery = Delivery {
                    event: webhook.event,
                    // GitHub signs UTF-8; that it is JSON was checked before.
                    body: Some(String::from_utf8_lossy(&webhook.body).into_owned()),
                    arrival: tables.arrivals.next(txn)?,
                    received_at,
                    outcome: None,
                };
                tables.deliveries.put(txn, &webhook.guid, &delivery)?;
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
        // From GitHub's documentation on validating webhook deliveries.
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
