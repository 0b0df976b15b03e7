use bytes::Bytes;
use service::Supervisor;
use service::auth::{Peer, Verifier};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::*;
use crate::github::double::Double;
use crate::http::{Handlers, router};
use crate::usecase::example::Example;

/// A summit that serves its API.
struct Served {
    example: Example,
    config: Config,
    url: Url,
    _tasks: JoinSet<()>,
}

async fn serve(github: &Double) -> Served {
    let example = Example::new(github);
    let config = example.summit.config.clone();
    let key = ServiceKey::load_or_create(config.name.clone(), &config.key).unwrap();
    let operator = Peer {
        name: config.name.clone(),
        public_key: *key.public(),
        scopes: vec![Scope::Operate],
    };
    let verifier = Verifier::new(config.name.clone(), [operator]);
    let summit = std::sync::Arc::clone(&example.summit);
    let handlers = Handlers::new(summit, vec!["secret".into()], Supervisor::new().token());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let router = router(handlers, verifier);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
    Served {
        example,
        config,
        url: url.parse().unwrap(),
        _tasks: tasks,
    }
}

impl Served {
    async fn ask(&self, ask: Ask) -> (String, Result<(), OperateError>) {
        let mut out = Vec::new();
        let done = operate(&self.config, Some(self.url.clone()), ask, &mut out).await;
        (String::from_utf8(out).unwrap(), done)
    }

    /// GitHub sends what summit cannot read.
    async fn send_odd(&self, guid: &str) {
        use hmac::{Hmac, KeyInit as _, Mac as _};
        let body = Bytes::from_static(b"{\"action\":7}");
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"secret").unwrap();
        mac.update(&body);
        let signature = hex::encode(mac.finalize().into_bytes());
        let sent = self
            .example
            .summit
            .http
            .post(self.url.join("webhook").unwrap());
        let sent = sent
            .header("x-github-delivery", guid)
            .header("x-github-event", "issue_comment")
            .header("x-hub-signature-256", format!("sha256={signature}"))
            .body(body);
        assert_eq!(sent.send().await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn unread_deliveries_are_listed_and_replayed() {
    let github = Double::start().await;
    let served = serve(&github).await;
    served.send_odd("a/b").await;
    served.send_odd("c").await;
    let (text, listed) = served.ask(Ask::Deliveries { form: Form::Text }).await;
    listed.unwrap();
    insta::assert_snapshot!(text);
    let (json, _) = served.ask(Ask::Deliveries { form: Form::Json }).await;
    let read: Vec<UnreadDelivery> = serde_json::from_str(&json).unwrap();
    assert_eq!(read.len(), 2);

    let (text, replayed) = served.ask(Ask::Replay(Which::All)).await;
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(
        matches!(replayed, Err(OperateError::Unread(2))),
        "{replayed:?}"
    );
    let unknown = Which::Named(vec!["d".to_owned()]);
    let (_, replayed) = served.ask(Ask::Replay(unknown)).await;
    let is_unknown =
        matches!(&replayed, Err(OperateError::Call(error)) if error.find_status() == Some(404));
    assert!(is_unknown, "{replayed:?}");
}

#[tokio::test]
async fn repositories_are_let_go_of_by_a_word() {
    let github = Double::start().await;
    let served = serve(&github).await;
    let summit = &served.example.summit;
    let tables = summit.tables.clone();
    let since = summit.clock.now();
    let put = summit.db.submit(move |txn| {
        for number in [1, 2, 3] {
            let row = crate::db::Repository {
                name: format!("snekbook/r{number}").parse().unwrap(),
                default_branch: "main".to_owned(),
                clone_url: "https://github.example/".parse().unwrap(),
                installation: crate::domain::name::InstallationId::new(5),
                gone_at: None,
            };
            tables.repositories.put(txn, &number, &row)?;
            tables.missing.put(txn, &number, &since)?;
        }
        Ok::<_, moss_db::Error>(())
    });
    put.await.unwrap();
    let one = Which::Named(vec!["snekbook/r2".to_owned()]);
    let (text, gone) = served.ask(Ask::LetGo(one.clone())).await;
    gone.unwrap();
    assert_eq!(text, "snekbook/r2\n");
    let (_, again) = served.ask(Ask::LetGo(one)).await;
    assert!(again.is_err(), "it is gone already");
    let (text, gone) = served.ask(Ask::LetGo(Which::All)).await;
    gone.unwrap();
    assert_eq!(text, "snekbook/r1\nsnekbook/r3\n");
    assert!(summit.missing().await.unwrap().is_empty());
}

/// Builders have a key of their own, and may only report.
#[tokio::test]
async fn another_key_commands_nothing() {
    let github = Double::start().await;
    let mut served = serve(&github).await;
    let missing = served.example.folder.path().join("none.pem");
    served.config.key = missing;
    let (_, asked) = served.ask(Ask::Deliveries { form: Form::Text }).await;
    assert!(matches!(asked, Err(OperateError::NoKey { .. })));
    ServiceKey::load_or_create(served.config.name.clone(), &served.config.key).unwrap();
    let (_, asked) = served.ask(Ask::Deliveries { form: Form::Text }).await;
    let is_refused =
        matches!(&asked, Err(OperateError::Call(error)) if error.find_status() == Some(401));
    assert!(is_refused, "{asked:?}");
}
