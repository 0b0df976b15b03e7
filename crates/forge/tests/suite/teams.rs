//! Teams, as an App asks for them.

use serde_json::json;

use crate::bench::Bench;

#[tokio::test(flavor = "multi_thread")]
async fn an_app_asks_who_is_in_a_team() {
    let bench = Bench::start().await;
    let forge = &bench.forge;
    forge
        .create_team("snekbook", "packagers", &["maya", "rowan"])
        .unwrap();
    assert!(forge.create_team("snekbook", "packagers", &[]).is_err());
    assert!(forge.create_team("maya", "packagers", &[]).is_err());
    assert!(forge.create_team("snekbook", "x", &["nobody"]).is_err());
    let team = "/orgs/snekbook/teams/packagers";
    let token = bench.token().await;
    let logins = async || {
        let rows = bench.get(&format!("{team}/members"), &token).await.body;
        let rows = rows.as_array().unwrap().iter();
        let logins = rows.map(|row| row["login"].as_str().unwrap().to_owned());
        logins.collect::<Vec<_>>()
    };
    assert_eq!(logins().await, ["maya", "rowan"]);
    let member = async |login: &str, token: &str| {
        let path = format!("{team}/memberships/{login}");
        bench.get(&path, token).await
    };
    let maya = member("Maya", &token).await;
    assert_eq!(
        (maya.status, &maya.body["state"], &maya.body["role"]),
        (200, &json!("active"), &json!("member"))
    );
    assert_eq!(member("stranger", &token).await.status, 404);
    forge
        .set_team_members("snekbook", "packagers", &["rowan"])
        .unwrap();
    assert_eq!(logins().await, ["rowan"]);
    assert_eq!(member("maya", &token).await.status, 404);
    let absent = bench.get("/orgs/snekbook/teams/absent/members", &token);
    assert_eq!(absent.await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_team_is_shown_to_those_who_may_see_it() {
    let bench = Bench::start().await;
    let forge = &bench.forge;
    forge.create_organisation("other").unwrap();
    for org in ["snekbook", "other"] {
        forge.create_team(org, "packagers", &["maya"]).unwrap();
    }
    let members = |org: &str| format!("/orgs/{org}/teams/packagers/members");
    let scope = json!({ "permissions": { "members": "read" } });
    let token = bench.scoped_token(scope).await;
    let status = async |org: &str, token: &str| bench.get(&members(org), token).await.status;
    assert_eq!(status("snekbook", &token).await, 200);
    assert_eq!(
        status("other", &token).await,
        404,
        "of another installation"
    );
    let scope = json!({ "permissions": { "checks": "read" } });
    let narrow = bench.scoped_token(scope).await;
    assert_eq!(status("snekbook", &narrow).await, 403);
    assert_eq!(status("snekbook", &bench.jwt()).await, 403);
    let (maya, rowan) = (bench.user_token("maya"), bench.user_token("rowan"));
    assert_eq!(status("snekbook", &maya).await, 200);
    assert_eq!(status("snekbook", &rowan).await, 404);
}
