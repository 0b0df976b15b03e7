//! Sending an event: signed, with ten seconds to answer, and written into the delivery log.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::ExposeSecret;
use sha2::Sha256;
use url::Url;

use crate::forge::Shared;
use crate::id::DeliveryId;
use crate::state::State;
use crate::webhook::hook::{self, Settings};
use crate::webhook::log::{Delivery, Outcome, Outgoing};
use crate::webhook::{Event, Redelivery};

/// As long as GitHub waits.
const TIMEOUT: Duration = Duration::from_secs(10);
/// As much of an answer as the log keeps, in bytes.
const MAX_ANSWER: usize = 64 * 1024;

/// Sends an event in a task of its own once it is recorded, as what comes with it under the state's
/// lock. While it is not known where to, it waits.
pub(crate) fn spawn(shared: &Arc<Shared>, state: &mut State, event: Event, redelivery: Redelivery) {
    let id = put_out(state, event, redelivery);
    match shared.hook.settings().url {
        Some(url) => launch(shared, url, id),
        None => state.deliveries.wait(id),
    }
}

/// Sends an event and waits for the attempt's end.
pub(crate) async fn now(shared: &Arc<Shared>, event: Event, redelivery: Redelivery) {
    let Some(url) = shared.hook.settings().url else {
        return;
    };
    let id = put_out(&mut shared.lock(), event, redelivery);
    deliver(Flight::begin(shared), url, id).await;
}

/// Sends what waited for an address, and what an earlier process left.
pub(crate) fn resume(shared: &Arc<Shared>) {
    let now = shared.clock.now();
    // The lock comes first: what is made before it waits and is seen here, what is made after it
    // sees the address.
    let mut state = shared.lock();
    let Some(url) = shared.hook.settings().url else {
        return;
    };
    for id in state.deliveries.take_waiting(now) {
        launch(shared, url.clone(), id);
    }
}

fn put_out(state: &mut State, event: Event, redelivery: Redelivery) -> DeliveryId {
    let id = state.next_id();
    let outgoing = Outgoing { event, redelivery };
    state.deliveries.outgoing.insert(id, outgoing);
    id
}

fn launch(shared: &Arc<Shared>, url: Url, id: DeliveryId) {
    let task = deliver(Flight::begin(shared), url, id);
    shared
        .supervisor
        .spawn_until_shutdown("webhook delivery", task);
}

async fn deliver(flight: Flight, url: Url, outgoing: DeliveryId) {
    let shared = &flight.0;
    let found = shared.lock().deliveries.outgoing.get(&outgoing).cloned();
    let Some(Outgoing { event, redelivery }) = found else {
        return;
    };
    shared
        .faults
        .pass_webhook(&event.event, &shared.supervisor.token())
        .await;
    if shared.recorded_at_last().await.is_err() {
        // The forge stops; the next start sends it.
        return;
    }
    let (delivered_at, began) = (shared.clock.now(), Instant::now());
    let id = shared.lock().next_id();
    let settings = shared.hook.settings();
    let sent = hook::body(settings.content_type, &event.body);
    let headers = headers(shared, &settings, &event, &sent);
    shared.traffic.webhook(&event);
    let outcome = send(&shared.client, &url, &headers, sent).await;
    match &outcome {
        Outcome::Answered { status, .. } => {
            tracing::debug!(delivery.guid = %event.guid, event = %event.event, status, "delivered");
        }
        Outcome::TimedOut | Outcome::Unreachable => {
            tracing::warn!(delivery.guid = %event.guid, event = %event.event, "not delivered");
        }
    }
    let row = Delivery {
        id,
        guid: event.guid,
        delivered_at,
        redelivery,
        duration: began.elapsed(),
        outcome,
        event: event.event,
        action: event.action,
        installation: event.installation,
        repository: event.repository,
        url: url.to_string(),
        headers,
        body: event.body,
    };
    {
        let mut state = shared.lock();
        state.deliveries.outgoing.remove(&outgoing);
        state.deliveries.insert(row, shared.clock.now());
    }
    shared.changed();
}

/// Counts an attempt on its way, also one that is dropped when the forge stops.
struct Flight(Arc<Shared>);

impl Flight {
    fn begin(shared: &Arc<Shared>) -> Self {
        shared.flights.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(shared))
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.0.flights.fetch_sub(1, Ordering::AcqRel);
        self.0.changed();
    }
}

fn headers(
    shared: &Shared,
    hook: &Settings,
    event: &Event,
    body: &Bytes,
) -> BTreeMap<String, String> {
    let signature = sign(hook.secret.expose_secret().as_bytes(), body);
    [
        ("Accept", "*/*".to_owned()),
        ("Content-Type", hook.content_type.header().to_owned()),
        ("User-Agent", "GitHub-Hookshot/forge".to_owned()),
        ("X-GitHub-Delivery", event.guid.to_string()),
        ("X-GitHub-Event", event.event.to_string()),
        ("X-GitHub-Hook-ID", shared.app.id.to_string()),
        (
            "X-GitHub-Hook-Installation-Target-ID",
            shared.app.id.to_string(),
        ),
        (
            "X-GitHub-Hook-Installation-Target-Type",
            "integration".to_owned(),
        ),
        ("X-Hub-Signature-256", signature),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

/// The value of `X-Hub-Signature-256`.
pub(crate) fn sign(secret: &[u8], body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes a key of any length");
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

async fn send(
    client: &reqwest::Client,
    url: &Url,
    headers: &BTreeMap<String, String>,
    body: Bytes,
) -> Outcome {
    let mut request = client.post(url.clone()).body(body).timeout(TIMEOUT);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let answer = match request.send().await {
        Ok(answer) => answer,
        Err(error) if error.is_timeout() => return Outcome::TimedOut,
        Err(_) => return Outcome::Unreachable,
    };
    let status = answer.status().as_u16();
    let headers = answer
        .headers()
        .iter()
        .map(|(name, value)| {
            (
                name.to_string(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        })
        .collect();
    match answer.bytes().await {
        Ok(bytes) => {
            let kept = &bytes[..bytes.len().min(MAX_ANSWER)];
            let body = String::from_utf8_lossy(kept).into_owned();
            Outcome::Answered {
                status,
                headers,
                body,
            }
        }
        Err(error) if error.is_timeout() => Outcome::TimedOut,
        Err(_) => Outcome::Unreachable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_githubs_documentation() {
        // The test values that GitHub's page on validating deliveries gives.
        let signature = sign(b"It's a Secret to Everybody", b"Hello, World!");
        assert_eq!(
            signature,
            "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        );
    }
}
