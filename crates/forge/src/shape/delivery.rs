//! The delivery log.

use serde_json::json;

use crate::shape::Object;
use crate::webhook::log::{Delivery, Outcome};

/// GitHub's `hook-delivery-item`.
pub(crate) fn item(delivery: &Delivery) -> Object {
    super::object(json!({
        "id": delivery.id,
        "guid": delivery.guid.to_string(),
        "delivered_at": delivery.delivered_at.to_string(),
        "redelivery": delivery.redelivery.is_again(),
        "duration": delivery.duration.as_secs_f64(),
        "status": status(&delivery.outcome),
        "status_code": delivery.outcome.code(),
        "event": delivery.event,
        "action": delivery.action,
        "installation_id": delivery.installation,
        "repository_id": delivery.repository,
        "throttled_at": null,
    }))
}

fn status(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Answered { .. } if outcome.is_success() => "OK".to_owned(),
        Outcome::Answered { status, .. } => format!("Invalid HTTP Response: {status}"),
        Outcome::TimedOut => "timed out".to_owned(),
        Outcome::Unreachable => "failed to connect to host".to_owned(),
    }
}
