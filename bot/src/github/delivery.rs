//! Deliveries that did not reach us: asked for again.

use std::collections::HashMap;

use http::Method;
use serde::Deserialize;
use serde_json::Value;

use super::App;
use super::call::Error;

/// A webhook that GitHub could not deliver in any attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedDelivery {
    /// What stays the same over all attempts.
    pub guid: String,
    /// The newest attempt: what can be asked for again.
    pub attempt: u64,
}

#[derive(Deserialize)]
struct Row {
    id: u64,
    guid: String,
    status_code: u16,
}

impl App {
    /// The failed ones among the newest deliveries, of at most `pages` pages of 100 attempts.
    ///
    /// # Errors
    /// When GitHub does not say.
    pub async fn failed_deliveries(&self, pages: usize) -> Result<Vec<FailedDelivery>, Error> {
        let mut newest: HashMap<String, (u64, bool)> = HashMap::new();
        let mut query = Some("per_page=100".to_owned());
        for _ in 0..pages {
            let Some(page) = query else { break };
            let path = format!("/app/hook/deliveries?{page}");
            let answer = self
                .as_app::<Vec<Row>>(Method::GET, &path, None::<&()>)
                .await?;
            for row in answer.body {
                let good = (200..300).contains(&row.status_code);
                let known = newest.entry(row.guid).or_insert((row.id, good));
                known.0 = known.0.max(row.id);
                known.1 |= good;
            }
            query = answer.next_page;
        }
        let failed = newest.into_iter().filter(|(_, (_, good))| !good);
        Ok(failed
            .map(|(guid, (attempt, _))| FailedDelivery { guid, attempt })
            .collect())
    }

    /// Asks GitHub to deliver again.
    ///
    /// # Errors
    /// When GitHub does not take it.
    pub async fn redeliver(&self, delivery: &FailedDelivery) -> Result<(), Error> {
        let path = format!("/app/hook/deliveries/{}/attempts", delivery.attempt);
        self.as_app::<Value>(Method::POST, &path, None::<&()>)
            .await?;
        Ok(())
    }
}
