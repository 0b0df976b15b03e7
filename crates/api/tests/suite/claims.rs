//! What binds a token to one request.

use api::claims::{Claims, Scope, request_digest};
use proptest::prelude::*;

/// Computed apart, with `sha256sum`: two services of different versions must agree for ever.
#[test]
fn the_request_digest_is_what_it_always_was() {
    let attempt = "/api/v1/attempts/01936b0e-7d2c-7a31-9c5e-2f1b8a4d6c70.1";
    assert_eq!(
        request_digest("PUT", attempt, br#"{"x":1}"#).to_string(),
        "d84f221bd0ff2164876f39749e76ac5105e807e35659c4bdf2c7babb42d25587"
    );
    assert_eq!(
        request_digest("GET", &format!("{attempt}?after=3"), b"").to_string(),
        "0631399d1e7e99e8a9dfdccb451b7d6cd01027ff1252eb6e6194fb43a85dbb06"
    );
}

proptest! {
    /// No part can be traded for another. The parts are short, so that equal ones come up and a
    /// digest that runs them together would be found out.
    #[test]
    fn other_requests_have_other_digests(
        one in ("[AB]{1,3}", "[/a\n]{0,3}", "[/a\n]{0,2}"),
        other in ("[AB]{1,3}", "[/a\n]{0,3}", "[/a\n]{0,2}"),
    ) {
        let digest = |(method, path, body): &(String, String, String)| {
            request_digest(method, path, body.as_bytes())
        };
        prop_assert_eq!(digest(&one) == digest(&other), one == other);
    }
}

#[test]
fn claims_without_a_field_are_no_claims() {
    let claims = Claims {
        iss: "summit".parse().unwrap(),
        aud: "vessel".parse().unwrap(),
        scope: Scope::Imports,
        iat: 1,
        exp: 2,
        jti: "once".to_owned(),
        req: request_digest("GET", "/", b""),
    };
    let whole = serde_json::to_value(&claims).unwrap();
    assert_eq!(
        serde_json::from_value::<Claims>(whole.clone()).unwrap(),
        claims
    );
    for key in ["iss", "aud", "scope", "iat", "exp", "jti", "req"] {
        let mut part = whole.clone();
        part.as_object_mut().unwrap().remove(key).unwrap();
        assert!(serde_json::from_value::<Claims>(part).is_err(), "{key}");
    }
    let mut other = whole;
    other["scope"] = "everything".into();
    assert!(serde_json::from_value::<Claims>(other).is_err());
}
