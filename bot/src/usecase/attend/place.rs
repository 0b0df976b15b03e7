//! Annotations: the line of a recipe that made an attempt fail.

use api::attempt::{Phase, Reason, State as AttemptState};

use super::Summit;
use crate::domain::build::{Annotation, Build};
use crate::git::RecipeFiles;

impl Summit {
    /// Annotates the line of the recipe that caused the failure, if one did.
    pub(super) async fn annotations(&self, build: &Build, state: &AttemptState) -> Vec<Annotation> {
        let AttemptState::Failed { failure, .. } = state else {
            return Vec::new();
        };
        let (line, title) = match &failure.reason {
            Reason::RecipeInvalid { line } => (line.unwrap_or(1), "recipe-invalid"),
            Reason::HashMismatch { expected, .. } if failure.phase == Phase::Fetch => (
                self.line_of(build, expected.to_string()).await,
                "hash-mismatch",
            ),
            Reason::FetchFailed { url } => (self.line_of(build, url.clone()).await, "fetch-failed"),
            Reason::SourceMissing { url } => {
                (self.line_of(build, url.clone()).await, "source-missing")
            }
            Reason::HashMismatch { .. }
            | Reason::CloneFailed
            | Reason::UnpackFailed
            | Reason::HostLacks { .. }
            | Reason::ScriptFailed { .. }
            | Reason::LimitReached { .. }
            | Reason::SandboxRefused
            | Reason::PackagingFailed
            | Reason::DiskFull { .. }
            | Reason::Interrupted
            | Reason::Internal => return Vec::new(),
        };
        let path = self.recipe_path(build).await;
        vec![Annotation {
            path,
            line,
            is_error: true,
            title: title.to_owned(),
            message: failure.message.clone(),
        }]
    }

    /// The first line of the recipe that contains `text`; line 1 when none does.
    async fn line_of(&self, build: &Build, text: String) -> u32 {
        let Some(files) = self.recipe_files(build).await else {
            return 1;
        };
        let Ok(recipe) = &files.recipe else {
            return 1;
        };
        let recipe = String::from_utf8_lossy(recipe);
        let found = recipe.lines().position(|line| line.contains(&text));
        found
            .and_then(|line| u32::try_from(line + 1).ok())
            .unwrap_or(1)
    }

    async fn recipe_path(&self, build: &Build) -> String {
        match self.recipe_files(build).await {
            Some(files) => files.path,
            None => build.folder.to_string(),
        }
    }

    async fn recipe_files(&self, build: &Build) -> Option<RecipeFiles> {
        let (mirrors, build) = (self.mirrors.clone(), build.clone());
        let read = move || {
            mirrors
                .open(build.repository)?
                .find_recipe(build.commit, &build.folder)
        };
        tokio::task::spawn_blocking(read).await.ok()?.ok()?
    }
}
