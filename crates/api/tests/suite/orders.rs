//! Orders keep their secret.

use api::attempt::{Credentials, Limits, Order};
use proptest::prelude::*;

fn order(token: &str) -> Order {
    Order {
        recipe: "nano".parse().unwrap(),
        folder: ".".parse().unwrap(),
        clone_url: "https://forge.example.org/snekbook/nano.git"
            .parse()
            .unwrap(),
        credentials: Some(Credentials {
            token: token.to_owned().into(),
        }),
        git_ref: "refs/heads/main".to_owned(),
        commit: "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567".parse().unwrap(),
        profile: "default".parse().unwrap(),
        architecture: "x86_64".parse().unwrap(),
        build_release: 1,
        source_date_epoch: 0,
        closure: Vec::new(),
        host_needs: Vec::new(),
        limits: Limits::default(),
        lease_seconds: 60,
        report_to: None,
    }
}

proptest! {
    /// Neither form of `Debug` shows the token, and the body, which must, carries it whole.
    #[test]
    fn the_token_is_in_the_body_only(token in "zz[A-Za-z0-9]{6,40}zz") {
        let order = order(&token);
        let (line, lines) = (format!("{order:?}"), format!("{order:#?}"));
        prop_assert!(!line.contains(&token) && !lines.contains(&token), "{}", lines);
        prop_assert!(line.contains("nano"), "the rest is shown");
        let body = serde_json::to_value(&order).unwrap();
        prop_assert_eq!(body["credentials"]["token"].as_str(), Some(token.as_str()));
    }
}

#[test]
fn an_order_without_credentials_does_not_mention_them() {
    let mut order = order("secret");
    order.credentials = None;
    let body = serde_json::to_string(&order).unwrap();
    assert!(!body.contains("credentials"));
    let read: Order = serde_json::from_str(&body).unwrap();
    assert!(read.credentials.is_none());
}

/// A wrong order must not be answered with its secret in the error.
#[test]
fn errors_of_reading_do_not_quote_the_token() {
    let body = serde_json::to_string(&order("hunter2-hunter2")).unwrap();
    for (part, broken) in [
        ("\"build_release\":1", "\"build_release\":\"x\""),
        (
            "\"token\":\"hunter2-hunter2\"",
            "\"token\":\"hunter2-hunter2\",\"x\":1",
        ),
        ("\"lease_seconds\":60", "\"lease_seconds\":-60"),
    ] {
        let broken = body.replace(part, broken);
        assert_ne!(broken, body);
        let error = serde_json::from_str::<Order>(&broken).unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}
