//! Answers to comments: a reaction, and a comment if a reaction is not enough.

use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::App;
use super::call::Error;
use super::pace::Turn;
use crate::db::{CommentPlace, Repository};
use crate::domain::name::CommentId;

impl App {
    /// Reacts to a comment. The call is idempotent: GitHub keeps one reaction of each kind per
    /// author.
    ///
    /// # Errors
    /// When the request to GitHub fails.
    pub async fn react(
        &self,
        turn: Turn,
        repository: &Repository,
        place: &CommentPlace,
        comment: CommentId,
        reaction: &str,
    ) -> Result<(), Error> {
        let path = match place {
            CommentPlace::Pull { .. } => {
                format!(
                    "/repos/{}/issues/comments/{comment}/reactions",
                    repository.name
                )
            }
            CommentPlace::Commit { .. } => {
                format!("/repos/{}/comments/{comment}/reactions", repository.name)
            }
        };
        let body = json!({ "content": reaction });
        let sent = self
            .as_installation::<Value>(repository.installation, Method::POST, &path, Some(&body))
            .await;
        turn.spend(sent).map(drop)
    }

    /// True when a comment at `place` contains `marker`. Then summit answered before a crash.
    ///
    /// # Errors
    /// When the request to GitHub fails.
    pub async fn has_comment(
        &self,
        repository: &Repository,
        place: &CommentPlace,
        marker: &str,
    ) -> Result<bool, Error> {
        #[derive(Deserialize)]
        struct Comment {
            #[serde(default)]
            body: Option<String>,
        }
        let mut query = Some("per_page=100".to_owned());
        while let Some(page) = query {
            let path = format!("{}?{page}", comments_path(repository, place));
            let answer = self
                .as_installation::<Vec<Comment>>(
                    repository.installation,
                    Method::GET,
                    &path,
                    None::<&()>,
                )
                .await?;
            let ours = |comment: &Comment| {
                comment
                    .body
                    .as_deref()
                    .is_some_and(|body| body.contains(marker))
            };
            if answer.body.iter().any(ours) {
                return Ok(true);
            }
            query = answer.next_page;
        }
        Ok(false)
    }

    /// Writes a comment at `place`.
    ///
    /// # Errors
    /// When the request to GitHub fails.
    pub async fn comment(
        &self,
        turn: Turn,
        repository: &Repository,
        place: &CommentPlace,
        markdown: &str,
    ) -> Result<(), Error> {
        let path = comments_path(repository, place);
        let body = json!({ "body": markdown });
        let sent = self
            .as_installation::<Value>(repository.installation, Method::POST, &path, Some(&body))
            .await;
        turn.spend(sent).map(drop)
    }
}

fn comments_path(repository: &Repository, place: &CommentPlace) -> String {
    match place {
        CommentPlace::Pull { number } => {
            format!("/repos/{}/issues/{number}/comments", repository.name)
        }
        CommentPlace::Commit { commit } => {
            format!("/repos/{}/commits/{commit}/comments", repository.name)
        }
    }
}
