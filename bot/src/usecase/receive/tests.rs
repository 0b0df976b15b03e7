use serde_json::json;

use super::*;
use crate::db::tests::{Store, store};
use crate::domain::build::example::at;

fn taken(store: &Store, guid: &str, event: &str, body: &str) -> Option<(Delivery, Taken)> {
    let webhook = Webhook {
        guid: guid.to_owned(),
        event: event.to_owned(),
        body: Bytes::from(body.to_owned()),
        encoding: Encoding::Json,
    };
    let Verified(event) = Verified(webhook).parse().unwrap();
    let taken = store.write(|txn| take(&store.tables, txn, event, "snekbook", at(5)));
    taken.unwrap()
}

#[test]
fn a_delivery_is_stored_once_with_what_it_asks_for() {
    let store = store();
    let push = json!({
        "ref": "refs/heads/main",
        "repository": {
            "id": 1,
            "full_name": "snekbook/recipes",
            "default_branch": "main",
            "clone_url": "https://github.example/snekbook/recipes.git",
        },
        "installation": { "id": 5 },
    });
    let (delivery, first) = taken(&store, "a", "push", &push.to_string()).unwrap();
    assert_eq!(delivery.outcome, "looking at main of snekbook/recipes");
    assert_eq!(first.work, Some(Work::Look));
    assert!(taken(&store, "a", "push", &push.to_string()).is_none());
    let stored = store.env.read(|txn| {
        let looks = store.tables.looks.iter(txn)?;
        let counts: Vec<_> = looks.map(|look| look.map(|(_, look)| look.count)).collect();
        let delivery = store.tables.deliveries.find(txn, &"a".to_owned())?;
        Ok::<_, Error>((counts.into_iter().collect::<Result<Vec<_>, _>>()?, delivery))
    });
    assert_eq!(stored.unwrap(), (vec![1], Some(delivery)));
}

#[test]
fn a_body_that_is_not_as_described_is_kept() {
    let store = store();
    let (delivery, first) = taken(&store, "a", "push", "{\"ref\": 7}").unwrap();
    assert!(first.is_odd && first.work.is_none());
    assert!(
        delivery
            .outcome
            .starts_with("its body is not as GitHub describes it")
    );
    let body = store
        .env
        .read(|txn| store.tables.bodies.find(txn, &"a".to_owned()))
        .unwrap();
    assert_eq!(body.unwrap().get(), "{\"ref\": 7}");
}

#[test]
fn what_is_no_json_is_refused() {
    for (event, body) in [
        ("push", "{"),
        ("push", ""),
        ("ping", "nothing"),
        ("ping", "{} x"),
    ] {
        let webhook = Webhook {
            guid: "a".to_owned(),
            event: event.to_owned(),
            body: Bytes::from_static(body.as_bytes()),
            encoding: Encoding::Json,
        };
        assert!(Verified(webhook).parse().is_err(), "{event} {body:?}");
    }
}

#[test]
fn githubs_own_example_verifies() {
    // The example is from GitHub's documentation on validating webhook deliveries.
    let webhook = Webhook {
        guid: String::new(),
        event: String::new(),
        body: Bytes::from_static(b"Hello, World!"),
        encoding: Encoding::Json,
    };
    let secret = [SecretString::from("It's a Secret to Everybody")];
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

/// While a secret is replaced, GitHub signs with the old one or the new one.
#[test]
fn any_of_the_secrets_signs() {
    let body = Bytes::from_static(b"{}");
    let sign = |secret: &str| {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(&body);
        format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
    };
    let verify = |signature: &str, secrets: &[&str]| {
        let secrets: Vec<_> = secrets
            .iter()
            .map(|secret| SecretString::from(*secret))
            .collect();
        let webhook = Webhook {
            guid: "a".to_owned(),
            event: "push".to_owned(),
            body: body.clone(),
            encoding: Encoding::Json,
        };
        webhook.verify(Some(signature), &secrets).is_ok()
    };
    for secret in ["new", "old"] {
        assert!(verify(&sign(secret), &["new", "old"]), "{secret}");
    }
    assert!(!verify(&sign("guessed"), &["new", "old"]));
    assert!(!verify(&sign("old"), &["new"]));
    assert!(!verify(&sign(""), &[]));
}

/// The App's other content type. The signature is that of the form as it came.
#[test]
fn a_form_is_read() {
    let parse = |form: &'static str| {
        let webhook = Webhook {
            guid: "a".to_owned(),
            event: "star".to_owned(),
            body: Bytes::from_static(form.as_bytes()),
            encoding: Encoding::Form,
        };
        Verified(webhook).parse().map_err(|error| error.to_string())
    };
    let read = parse("action=x&payload=%7B%22name%22%3A+%22na%C3%AFve%22%7D").unwrap();
    assert!(matches!(read.0.content, Content::Read(_)));
    assert_eq!(
        parse("payload2=%7B%7D").unwrap_err(),
        "the form has no field `payload`"
    );
    let error = parse("payload=nothing").unwrap_err();
    assert!(error.starts_with("the body is no JSON"), "{error}");
}
