//! Webhooks that a test makes itself: signed well or badly, whole or broken.

use anyhow::Result;
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::StatusCode;
use sha2::Sha256;
use summit::db::{Delivery, Tables};

use crate::stage::Stage;

/// A webhook as it is sent: nothing of it need be right.
#[derive(Debug, Clone)]
pub struct Hook {
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

/// What summit answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The body.
    pub body: String,
}

impl Hook {
    /// A webhook whose headers are as GitHub's, but for the signature, which it lacks.
    pub fn unsigned(guid: &str, event: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            headers: vec![
                ("content-type", "application/json".to_owned()),
                ("x-github-delivery", guid.to_owned()),
                ("x-github-event", event.to_owned()),
            ],
            body: body.into(),
        }
    }

    /// With this header, instead of one of that name.
    #[must_use]
    pub fn header(self, name: &'static str, value: &str) -> Self {
        let mut hook = self.without(name);
        hook.headers.push((name, value.to_owned()));
        hook
    }

    /// Without this header.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self
    }

    /// The request for it, as HTTP/1.1 has it.
    pub fn to_http(&self) -> Vec<u8> {
        let mut head = "POST /webhook HTTP/1.1\r\nhost: summit\r\n".to_owned();
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("content-length: {}\r\n\r\n", self.body.len()));
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// Signed with `secret`.
    #[must_use]
    pub fn signed(self, secret: &str) -> Self {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes())
            .expect("HMAC takes a key of any length");
        mac.update(&self.body);
        let signature = hex::encode(mac.finalize().into_bytes());
        self.header("x-hub-signature-256", &format!("sha256={signature}"))
    }
}

impl Stage {
    /// The secret that webhooks are signed with.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn webhook_secret(&self) -> Result<String> {
        Ok(std::fs::read_to_string(
            self.data("keys").join("webhook-secret"),
        )?)
    }

    /// The deliveries that summit keeps, by GUID. summit must be stopped.
    ///
    /// # Errors
    /// When summit runs, or its database cannot be read.
    pub fn kept_deliveries(&self) -> Result<Vec<(String, Delivery)>> {
        let (environment, tables) = Tables::open(&self.data("summit"), &"x86_64".parse()?)?;
        let rows: Result<Vec<_>, moss_db::Error> =
            environment.read(|txn| tables.deliveries.iter(txn)?.collect());
        Ok(rows?)
    }

    /// Sends a webhook to summit.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn send(&self, hook: Hook) -> Result<Answer> {
        let url = self.summit.url().join("webhook")?;
        let mut request = self.http.post(url).body(hook.body);
        for (name, value) in hook.headers {
            request = request.header(name, value);
        }
        let answer = request.send().await?;
        Ok(Answer {
            status: answer.status(),
            body: answer.text().await?,
        })
    }
}
