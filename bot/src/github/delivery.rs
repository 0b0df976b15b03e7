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
    status_code: u16,
    event: String,
    #[serde(default)]
    action: Option<String>,
}

impl App {
    /// The failed deliveries among the newest attempts: at most `pages` pages of 100. Only events
    /// that no sweep can find are included.
    ///
    /// # Errors
    /// When the request to GitHub fails.
    pub async fn failed_deliveries(&self, pages: usize) -> Result<Vec<FailedDelivery>, Error> {
        let mut rows = Vec::new();
        let mut query = Some("per_page=100".to_owned());
        for _ in 0..pages {
            let Some(page) = query else { break };
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
    pub async fn redeliver(&self, _turn: Turn, delivery: &FailedDelivery) -> Result<(), Error> {
        let path = format!("/app/hook/deliveries/{}/attempts", delivery.attempt);
        self.as_app::<Value>(Method::POST, &path, None::<&()>)
            .await?;
        Ok(())
    }
}

/// Groups attempts by delivery and returns the deliveries without a successful attempt, oldest
/// first. A delivery that failed [`MAX_TRIES`] times is left out: another attempt would fail too.
fn failed(rows: Vec<Row>) -> Vec<FailedDelivery> {
    let mut attempts: HashMap<String, Vec<Row>> = HashMap::new();
    for row in rows {
        attempts.entry(row.guid.clone()).or_default().push(row);
    }
    let good = |row: &Row| (200..300).contains(&row.status_code);
    let mut failed: Vec<FailedDelivery> = attempts
        .into_iter()
        .filter(|(_, rows)| rows.len() < MAX_TRIES && !rows.iter().any(good))
        .filter_map(|(guid, rows)| {
            let attempt = rows.iter().map(|row| row.id).max()?;
            Some(FailedDelivery { guid, attempt })
        })
        .collect();
    failed.sort_by_key(|delivery| delivery.attempt);
    failed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: u64, guid: &str, status_code: u16) -> Row {
        Row {
            id,
            guid: guid.to_owned(),
            status_code,
            event: "issue_comment".to_owned(),
            action: Some("created".to_owned()),
        }
    }

    #[test]
    fn what_never_came_is_asked_for_but_not_for_ever() {
        let mut rows = vec![
            row(9, "later", 500),
            row(1, "came", 500),
            row(2, "came", 200),
            row(3, "lost", 0),
            row(4, "lost", 502),
        ];
        rows.extend((10..18).map(|id| row(id, "hopeless", 400)));
        let failed: Vec<_> = failed(rows)
            .into_iter()
            .map(|delivery| (delivery.guid, delivery.attempt))
            .collect();
        assert_eq!(failed, [("lost".to_owned(), 4), ("later".to_owned(), 9)]);
    }
}
