//! Requests between two services over a real listener.

use std::time::Duration;

use api::claims::{Claims, Scope, request_digest};
use api::problem::Code;
use axum::Router;
use axum::routing::{get, put};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use service::Supervisor;
use service::auth::{Caller, Guard, Peer, ServiceKey, Verifier};
use service::client::{CallError, Client};
use service::listen::{Config, Listener};
use url::Url;

struct Stage {
    _folder: tempfile::TempDir,
    supervisor: Supervisor,
    known: ServiceKey,
    stranger: ServiceKey,
    base: Url,
}

async fn echo(caller: Caller, body: String) -> axum::Json<String> {
    axum::Json(format!("{} said {body}", caller.name()))
}

async fn stage() -> Stage {
    service::install_tls_provider();
    let folder = tempfile::tempdir().unwrap();
    let key = |name: &str, file: &str| {
        ServiceKey::load_or_create(name.parse().unwrap(), &folder.path().join(file)).unwrap()
    };
    let known = key("summit", "summit.pem");
    let stranger = key("summit", "stranger.pem");
    let peer = Peer {
        name: known.name().clone(),
        public_key: *known.public(),
        scopes: vec![Scope::Attempts],
    };
    let verifier = Verifier::new("avalanche".parse().unwrap(), [peer]);
    let attempts = Router::new().route("/attempts/{id}", put(echo).get(echo));
    let imports = Router::new().route("/imports", get(echo));
    let router = Guard::new(verifier.clone(), Scope::Attempts)
        .protect(attempts)
        .merge(Guard::new(verifier, Scope::Imports).protect(imports))
        .route("/forgotten", get(echo));
    let supervisor = Supervisor::new();
    let listener = Listener::bind(&Config::loopback()).await.unwrap();
    let base = Url::parse(&format!("http://{}/", listener.address())).unwrap();
    listener.serve(&supervisor, "control", router);
    Stage {
        _folder: folder,
        supervisor,
        known,
        stranger,
        base,
    }
}

fn client(stage: &Stage, key: &ServiceKey, audience: &str) -> Client {
    Client::new(key.clone(), audience.parse().unwrap(), stage.base.clone())
}

fn code(result: Result<String, CallError>) -> Code {
    match result {
        Err(CallError::Refused { problem, .. }) => {
            assert!(!problem.request_id.is_empty());
            problem.code
        }
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn only_a_known_key_with_the_scope_gets_in() {
    let stage = stage().await;
    let good = client(&stage, &stage.known, "avalanche");
    let said: String = good
        .put(Scope::Attempts, "/attempts/1?x=a%20b", &"hello")
        .await
        .unwrap();
    assert_eq!(said, "summit said \"hello\"");
    let unsigned = reqwest::get(stage.base.join("attempts/1").unwrap())
        .await
        .unwrap();
    assert_eq!(unsigned.status(), 401);
    assert_eq!(
        code(good.get(Scope::Imports, "/imports").await),
        Code::Forbidden
    );
    assert_eq!(
        code(good.get(Scope::Imports, "/attempts/1").await),
        Code::Forbidden
    );
    assert_eq!(
        code(good.get(Scope::Attempts, "/forgotten").await),
        Code::Unauthenticated
    );
    let stranger = client(&stage, &stage.stranger, "avalanche");
    assert_eq!(
        code(stranger.get(Scope::Attempts, "/attempts/1").await),
        Code::Unauthenticated
    );
    let elsewhere = client(&stage, &stage.known, "vessel");
    assert_eq!(
        code(elsewhere.get(Scope::Attempts, "/attempts/1").await),
        Code::Unauthenticated
    );
    assert!(
        stage
            .supervisor
            .shutdown(Duration::from_secs(5))
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn a_token_serves_one_request_once() {
    let stage = stage().await;
    let audience = "avalanche".parse().unwrap();
    let token = stage
        .known
        .sign(&audience, Scope::Attempts, "PUT", "/attempts/1", b"one")
        .unwrap();
    let http = reqwest::Client::new();
    let put = |path: &str, body: &'static str| {
        let request = http
            .put(stage.base.join(path).unwrap())
            .bearer_auth(&token)
            .body(body);
        async move { request.send().await.unwrap().status().as_u16() }
    };
    assert_eq!(put("attempts/1", "two").await, 401, "another body");
    assert_eq!(put("attempts/2", "one").await, 401, "another path");
    assert_eq!(put("attempts/1", "one").await, 200);
    assert_eq!(put("attempts/1", "one").await, 401, "a replay");
}

#[tokio::test]
async fn nothing_of_a_strangers_body_is_read() {
    let stage = stage().await;
    let endless = futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>();
    let answer = reqwest::Client::new()
        .put(stage.base.join("attempts/1").unwrap())
        .bearer_auth("not a token")
        .body(reqwest::Body::wrap_stream(endless))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 401);
}

#[test]
fn times_and_algorithms_are_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.pem");
    let key = ServiceKey::load_or_create("summit".parse().unwrap(), &path).unwrap();
    let peer = Peer {
        name: key.name().clone(),
        public_key: *key.public(),
        scopes: vec![Scope::Status],
    };
    let verifier = Verifier::new("avalanche".parse().unwrap(), [peer]);
    let encoding = EncodingKey::from_ed_pem(&std::fs::read(&path).unwrap()).unwrap();
    let now = jiff::Timestamp::now().as_second();
    let token = |iat: i64, exp: i64, header: Header, key: &EncodingKey| {
        let claims = Claims {
            iss: "summit".parse().unwrap(),
            aud: "avalanche".parse().unwrap(),
            scope: Scope::Status,
            iat,
            exp,
            jti: format!("{iat} {exp} {:?}", header.alg),
            req: request_digest("GET", "/", b""),
        };
        jsonwebtoken::encode(&header, &claims, key).unwrap()
    };
    let verify = |token: &str| {
        verifier
            .authenticate(token, Scope::Status)
            .and_then(|bearer| bearer.spend("GET", "/", b""))
            .is_ok()
    };
    let eddsa = || Header::new(Algorithm::EdDSA);
    assert!(verify(&token(now, now + 60, eddsa(), &encoding)));
    assert!(
        !verify(&token(now - 200, now - 140, eddsa(), &encoding)),
        "ended"
    );
    assert!(
        !verify(&token(now + 200, now + 260, eddsa(), &encoding)),
        "not yet begun"
    );
    assert!(
        !verify(&token(now, now + 3600, eddsa(), &encoding)),
        "lives too long"
    );
    assert!(
        !verify(&token(i64::MIN, i64::MAX, eddsa(), &encoding)),
        "overflows"
    );
    // The public key, taken for a shared secret, must not sign.
    let confused = EncodingKey::from_secret(key.public().as_bytes());
    assert!(!verify(&token(
        now,
        now + 60,
        Header::new(Algorithm::HS256),
        &confused
    )));
}

#[test]
fn a_key_is_kept_private_and_found_again() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys/key.pem");
    let name: api::id::ServiceName = "vessel".parse().unwrap();
    let made = ServiceKey::load_or_create(name.clone(), &path).unwrap();
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let found = ServiceKey::load_or_create(name.clone(), &path).unwrap();
    assert_eq!(made.public(), found.public());
    assert_eq!(
        made.public()
            .to_string()
            .parse::<service::auth::PublicKey>()
            .unwrap(),
        *found.public()
    );
    std::fs::write(&path, "no key").unwrap();
    let error = ServiceKey::load_or_create(name, &path).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("is no Ed25519 private key in PKCS#8 PEM"),
        "{error}"
    );
}

#[test]
fn keys_that_anyone_can_sign_for_are_refused() {
    let weak = "ed25519:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    assert!(weak.parse::<service::auth::PublicKey>().is_err());
    let identity = "ed25519:AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    assert!(identity.parse::<service::auth::PublicKey>().is_err());
}
