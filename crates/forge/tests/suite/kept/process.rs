//! A forge in a process of its own, started by the binary and ended without warning.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

use http::Method;
use serde_json::Value;

use crate::bench::{Answer, LIMIT, Receiver, SECRET, jwt};

/// A `forge.toml` as people have it.
pub(super) fn write_config(folder: &Path, receiver: &Receiver, token: &str) -> PathBuf {
    let text = format!(
        r#"
data = "{data}"
organisations = ["snekbook"]

[listen]
address = "127.0.0.1:0"

[app]
public_key = """
{key}"""
webhook_url = "{url}"
webhook_secret = "{SECRET}"

[users.maya]
token = "{token}"

[repositories."snekbook/recipes"]
roles = {{ maya = "write" }}
"#,
        data = folder.join("data").display(),
        key = include_str!("../app.pub.pem"),
        url = receiver.url,
    );
    let path = folder.join("forge.toml");
    std::fs::write(&path, text).unwrap();
    path
}

/// A running forge.
pub(super) struct Process {
    child: Child,
    pub(super) url: String,
    client: reqwest::Client,
}

impl Process {
    /// Starts it and waits until it answers.
    pub(super) fn start(config: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_forge"))
            .arg("--config")
            .arg(config)
            .env("NO_COLOR", "1")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (opened, address) = mpsc::channel();
        // Read to its end, so that the process never waits for a reader.
        std::thread::spawn(move || {
            let mut said = Vec::new();
            for line in stderr.lines().map_while(Result::ok) {
                if let Some((_, rest)) = line.split_once("the forge is open address=") {
                    let address = rest.split(' ').next().unwrap_or_default();
                    let _ = opened.send(Ok(address.to_owned()));
                }
                said.push(line);
            }
            let _ = opened.send(Err(said.join("\n")));
        });
        let address = address.recv_timeout(LIMIT).unwrap();
        let address = address.unwrap_or_else(|said| panic!("the forge did not start: {said}"));
        let client = reqwest::Client::builder()
            .no_proxy()
            .user_agent("kept")
            .build();
        Self {
            child,
            url: format!("http://{address}"),
            client: client.unwrap(),
        }
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it without warning.
    pub(super) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until something else ended it.
    pub(super) fn wait(mut self) {
        self.child.wait().unwrap();
    }

    pub(super) fn caller(&self) -> Caller {
        Caller {
            api: format!("{}/api/v3", self.url),
            client: self.client.clone(),
        }
    }

    /// Where a person pushes to.
    pub(super) fn push_url(&self, token: &str) -> String {
        let base = self.url.replace("://", &format!("://maya:{token}@"));
        format!("{base}/{}.git", crate::bench::REPOSITORY)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks the forge, also when it may be gone.
#[derive(Clone)]
pub(super) struct Caller {
    api: String,
    client: reqwest::Client,
}

impl Caller {
    /// The answer; none when the forge ended before it was whole.
    pub(super) async fn try_call(
        &self,
        method: Method,
        path: &str,
        token: &str,
        body: Option<Value>,
    ) -> Option<Answer> {
        let url = format!("{}{path}", self.api);
        let mut request = self.client.request(method, url).bearer_auth(token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.ok()?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.bytes().await.ok()?;
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Some(Answer {
            status,
            headers,
            body,
        })
    }

    pub(super) async fn get(&self, path: &str, token: &str) -> Answer {
        let answer = self.try_call(Method::GET, path, token, None).await;
        answer.expect("the forge is there")
    }

    /// A new installation token; none when the forge ended.
    pub(super) async fn mint(&self) -> Option<String> {
        let jwt = app_jwt();
        let path = "/orgs/snekbook/installation";
        let found = self.try_call(Method::GET, path, &jwt, None).await?;
        let path = format!("/app/installations/{}/access_tokens", found.body["id"]);
        let minted = self.try_call(Method::POST, &path, &jwt, None).await?;
        assert_eq!(minted.status, 201, "{}", minted.body);
        Some(minted.body["token"].as_str().unwrap().to_owned())
    }
}

/// A JWT of the App that is good now.
pub(super) fn app_jwt() -> String {
    let now = jiff::Timestamp::now().as_second();
    jwt(&serde_json::json!({ "iss": "77", "iat": now - 60, "exp": now + 500 }))
}
