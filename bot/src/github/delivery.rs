//! Deliveries that failed, and requests to GitHub to redeliver them.

use std::collections::HashMap;

use http::Method;
use serde::Deserialize;
use serde_json::Value;

use super::App;
use super::call::Error;
use super::pace::Turn;
use super::payload;

/// The most attempts of one delivery, GitHub's first one included.
const MAX_TRIES: usize = 8;

/// A webhook whose attempts all failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedDelivery {
    /// The delivery's id. All attempts share it.
    pub guid: String,
    /// The id of the newest attempt. GitHub redelivers an attempt.
    pub attempt: u64,
}

#[derive(Deserialize)]
struct Row {
    id: u64,
    guid: String,
    event: String,
    #[serde(default)]
    action: Option<String>,
}

impl App {
    /// The deliveries with failed attempts, oldest first; a later attempt may have succeeded. GitHub
    /// keeps them for three days. Only events that no sweep can find are included.
    ///
    /// # Errors
    /// When the request to GitHub fails.
    pub async fn failed_deliveries(&self) -> Result<Vec<FailedDelivery>, Error> {
        let mut rows = Vec::new();
        let mut query = Some("per_page=100&status=failure".to_owned());
        while let Some(page) = query {
            let path = format!("/app/hook/deliveries?{page}");
            let answer = self
                .as_app::<Vec<Row>>(Method::GET, &path, None::<&()>)
                .await?;
            let mut page = answer.body;
            page.retain(|row| payload::is_told_once(&row.event, row.action.as_deref()));
            rows.extend(page);
            query = answer.next_page;
        }
        Ok(failed(rows))
    }

    /// Asks GitHub to redeliver.
    ///
    /// # Errors
    /// When the request to GitHub fails.
    pub async fn redeliver(&self, turn: Turn, delivery: &FailedDelivery) -> Result<(), Error> {
        let path = format!("/app/hook/deliveries/{}/attempts", delivery.attempt);
        let sent = self.as_app::<Value>(Method::POST, &path, None::<&()>).await;
        turn.spend(sent).map(drop)
    }
}

/// Groups failed attempts by delivery, oldest first. A delivery that failed [`MAX_TRIES`] times is
/// left out: another attempt would fail too.
fn failed(rows: Vec<Row>) -> Vec<FailedDelivery> {
    let mut attempts: HashMap<String, Vec<u64>> = HashMap::new();
    for row in rows {
        attempts.entry(row.guid).or_default().push(row.id);
    }
    let mut failed: Vec<FailedDelivery> = attempts
        .into_iter()
        .filter(|(_, ids)| ids.len() < MAX_TRIES)
        .filter_map(|(guid, ids)| {
            let attempt = ids.into_iter().max()?;
            Some(FailedDelivery { guid, attempt })
        })
        .collect();
    failed.sort_by_key(|delivery| delivery.attempt);
    failed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: u64, guid: &str) -> Row {
        Row {
            id,
            guid: guid.to_owned(),
            event: "issue_comment".to_owned(),
            action: Some("created".to_owned()),
        }
    }

    #[test]
    fn what_never_came_is_asked_for_but_not_for_ever() {
        let mut rows = vec![row(9, "later"), row(3, "lost"), row(4, "lost")];
        rows.extend((10..18).map(|id| row(id, "hopeless")));
        let failed: Vec<_> = failed(rows)
            .into_iter()
            .map(|delivery| (delivery.guid, delivery.attempt))
            .collect();
        assert_eq!(failed, [("lost".to_owned(), 4), ("later".to_owned(), 9)]);
    }
}
