use super::*;
use crate::db::Write;
use crate::domain::build::example::{at, build, profile};
use crate::github::double::{Double, says, suspended};
use crate::usecase::example::Example;

/// A summit with one build that is ready.
async fn ready(github: &Double) -> Example {
    let example = Example::new(github);
    let mut build = build(1, "nano");
    build.state = State::Queued {
        since: at(0),
        reason: None,
    };
    let tables = example.summit.tables.clone();
    let put = move |txn: &mut Write<'_, '_>| tables.put_build(txn, &build);
    example.summit.submit(put).await.unwrap();
    example
}

#[tokio::test]
async fn nothing_is_dispatched_while_the_installation_is_suspended() {
    let github = Double::start().await;
    let example = ready(&github).await;
    let summit = &example.summit;
    github.answers(|_| Some(suspended()));
    assert!(summit.app.find_installation("snekbook").await.is_err());
    // It is known from the first token that is refused, too.
    assert!(summit.find_suspension().is_none());
    let installation = crate::domain::name::InstallationId::new(5);
    let repository = crate::domain::name::RepositoryId::new(1);
    let token = summit.app.clone_token(installation, repository).await;
    assert!(token.is_err());

    let mut out_of_reach = OutOfReach::default();
    let round = summit.dispatch_all(&mut out_of_reach).await;
    assert_eq!(round, Dispatch::Waiting);
    insta::assert_snapshot!(
        summit.standstill()[&profile()].reason,
        @"The organisation snekbook has suspended summit's installation on GitHub. An owner of the organisation can unsuspend it under its settings, GitHub Apps"
    );

    github.answers(|asked| {
        let found = says(200, &serde_json::json!({ "id": 5, "suspended_at": null }));
        asked.what.starts_with("GET /orgs/").then_some(found)
    });
    summit.app.find_installation("snekbook").await.unwrap();
    assert!(summit.find_suspension().is_none());
    let round = summit.dispatch_all(&mut out_of_reach).await;
    assert_eq!(round, Dispatch::Waiting);
    let reason = &summit.standstill()[&profile()].reason;
    assert!(!reason.contains("suspended"), "{reason}");
}
