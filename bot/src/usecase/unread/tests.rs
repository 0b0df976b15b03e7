use bytes::Bytes;
use serde_json::{Value, json};

use super::*;
use crate::github::double::Double;
use crate::usecase::example::Example;
use crate::usecase::receive::{Encoding, Receipt, Webhook};

const GUID: &str = "72d3162e-cc78-11e3-81ab-4c9367dc0958";

fn comment() -> Value {
    json!({
        "action": "created",
        "repository": {
            "id": 1,
            "full_name": "snekbook/recipes",
            "default_branch": "main",
            "clone_url": "https://github.example/snekbook/recipes.git",
        },
        "installation": { "id": 5 },
        "issue": { "number": 7, "pull_request": {} },
        "comment": { "id": 11, "body": "/rebuild", "user": { "id": 3, "login": "ada" } },
    })
}

async fn send(summit: &Summit, body: &Value) -> Receipt {
    let webhook = Webhook {
        guid: GUID.to_owned(),
        event: "issue_comment".to_owned(),
        body: Bytes::from(body.to_string()),
        encoding: Encoding::Json,
    };
    let event = Verified::unchecked(webhook).parse().unwrap();
    summit.receive(event).await.unwrap()
}

async fn open_commands(summit: &Summit) -> u64 {
    summit.count_open().await.unwrap().commands
}

#[tokio::test]
async fn a_delivery_that_could_not_be_read_is_listed_and_read_again() {
    let github = Double::start().await;
    let example = Example::new(&github);
    let summit = &example.summit;
    let mut odd = comment();
    odd["comment"]["id"] = json!("eleven");
    assert_eq!(send(summit, &odd).await, Receipt::New);
    let unread = summit.unread_deliveries().await.unwrap();
    let [delivery] = unread.as_slice() else {
        panic!("one delivery: {unread:?}");
    };
    assert_eq!(
        (delivery.guid.as_str(), delivery.event.as_str()),
        (GUID, "issue_comment")
    );
    assert!(
        delivery
            .reason
            .starts_with("its body is not as GitHub describes it")
    );
    let again = summit.replay(GUID.to_owned()).await.unwrap().unwrap();
    assert!(
        !again.is_read && again.outcome == delivery.reason,
        "{again:?}"
    );
    assert_eq!(summit.replay("other".to_owned()).await.unwrap(), None);

    // As if this version could read it.
    let tables = summit.tables.clone();
    let mended = summit.db.submit(move |txn| {
        let body = serde_json::value::to_raw_value(&comment()).unwrap();
        tables.bodies.put(txn, &GUID.to_owned(), &body)
    });
    mended.await.unwrap();
    let again = summit.replay(GUID.to_owned()).await.unwrap().unwrap();
    assert!(again.is_read, "{again:?}");
    assert_eq!(again.outcome, "the command is taken");
    assert_eq!(open_commands(summit).await, 1);
    assert!(summit.unread_deliveries().await.unwrap().is_empty());
    assert_eq!(summit.replay(GUID.to_owned()).await.unwrap(), None);
}

#[tokio::test]
async fn a_redelivery_of_one_that_could_not_be_read_is_read() {
    let github = Double::start().await;
    let example = Example::new(&github);
    let summit = &example.summit;
    let mut odd = comment();
    odd["comment"] = json!(7);
    assert_eq!(send(summit, &odd).await, Receipt::New);
    assert_eq!(send(summit, &comment()).await, Receipt::New);
    assert_eq!(open_commands(summit).await, 1);
    assert!(summit.unread_deliveries().await.unwrap().is_empty());
    assert_eq!(send(summit, &comment()).await, Receipt::Known);
}
