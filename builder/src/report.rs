//! Hints to whoever ordered an attempt that it has moved on. Lost ones do no harm: what counts is
//! what is read here.

use api::attempt::{Attempt, Order};
use api::claims::Scope;
use api::id::ServiceName;
use bytes::Bytes;
use service::auth::ServiceKey;
use service::client::{CallError, Client};
use service::error::Chain;
use tokio::sync::watch;
use url::Url;

/// Sends hints, signed with the builder's key.
#[derive(Debug, Clone)]
pub struct Reporter {
    key: ServiceKey,
}

impl Reporter {
    /// Hints signed with `key`.
    pub fn new(key: ServiceKey) -> Self {
        Self { key }
    }

    /// Reports to where the order says, the service `to`, each state that it comes to know of,
    /// up to the final one. States that pass while one is being sent are left out.
    pub(crate) async fn follow(
        &self,
        mut states: watch::Receiver<Attempt>,
        order: &Order,
        to: &ServiceName,
    ) {
        let Some(url) = &order.report_to else { return };
        let mut base = url.clone();
        base.set_path("/");
        base.set_query(None);
        let client = Client::new(self.key.clone(), to.clone(), base);
        loop {
            let attempt = states.borrow_and_update().clone();
            if let Err(error) = send(&client, url, &attempt).await {
                tracing::debug!(attempt.id = %attempt.id, error = %Chain(&error), "a hint was lost");
            }
            if attempt.state.is_final() || states.changed().await.is_err() {
                return;
            }
        }
    }
}

async fn send(client: &Client, url: &Url, attempt: &Attempt) -> Result<(), CallError> {
    let path = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    // Writing this plain type as JSON cannot fail.
    let body = Bytes::from(serde_json::to_vec(attempt).unwrap_or_default());
    client
        .send(reqwest::Method::POST, Scope::Reports, &path, body)
        .await
        .map(drop)
}
