//! What a session asks of summit and vessel, each over HTTP as anybody could.

use std::collections::BTreeSet;

use api::id::BuildId;
use api::status::Summit as Status;
use moss_format::Index;
use reqwest::StatusCode;
use serde::de::DeserializeOwned;
use summit::domain::build::Build;
use url::Url;

use super::{Error, Session};

/// The most builds that summit is asked for.
const MOST_BUILDS: usize = 10_000;

/// How many of the newest builds are looked at while the line serves. What was begun earlier and
/// moves still is looked at besides.
const RECENT: usize = 100;

impl Session {
    /// All builds, in the order in which they were planned.
    pub(super) async fn builds(&self) -> Result<Vec<Build>, Error> {
        self.newest_builds(MOST_BUILDS).await
    }

    /// The newest builds and those of `others`, in the order in which they were planned.
    pub(super) async fn recent_builds(
        &self,
        others: &BTreeSet<BuildId>,
    ) -> Result<Vec<Build>, Error> {
        let recent = self.newest_builds(RECENT).await?;
        let seen: BTreeSet<BuildId> = recent.iter().map(|build| build.id).collect();
        let mut builds = Vec::new();
        for id in others.difference(&seen) {
            let url = self.line.summit.join(&format!("api/v1/builds/{id}"))?;
            // summit forgets old builds.
            builds.extend(self.find_json::<Build>(url).await?);
        }
        builds.extend(recent);
        Ok(builds)
    }

    async fn newest_builds(&self, count: usize) -> Result<Vec<Build>, Error> {
        let path = format!("api/v1/builds?limit={count}");
        let mut builds: Vec<Build> = self.json(self.line.summit.join(&path)?).await?;
        builds.reverse();
        Ok(builds)
    }

    /// True when summit has seen to all that it was told of: what is to be built is planned.
    pub(super) async fn has_planned(&self) -> Result<bool, Error> {
        let status: Status = self.json(self.line.summit.join("api/v1/status")?).await?;
        Ok(status.looks + status.commands + status.presses == 0)
    }

    /// What the index lists, in the way that files of packages are named. Nothing while there is no
    /// index.
    pub(super) async fn packages(&self) -> Result<Vec<String>, Error> {
        let Some(bytes) = self.find(self.urls.index.clone()).await? else {
            return Ok(Vec::new());
        };
        let index = Index::decode(&bytes)?;
        let names = index.packages.iter().map(|meta| {
            format!(
                "{}-{}-{}-{}-{}",
                meta.name, meta.version, meta.release, meta.build_release, meta.architecture
            )
        });
        Ok(names.collect())
    }

    /// What is at `url`.
    pub(super) async fn fetch(&self, url: Url) -> Result<Vec<u8>, Error> {
        let answer = self.get(&url).await?;
        let bytes = answer.bytes().await;
        Ok(bytes
            .map_err(|source| Error::Call { url, source })?
            .to_vec())
    }

    async fn json<T: DeserializeOwned>(&self, url: Url) -> Result<T, Error> {
        let answer = self.get(&url).await?;
        let value = answer.json().await;
        value.map_err(|source| Error::Call { url, source })
    }

    async fn find_json<T: DeserializeOwned>(&self, url: Url) -> Result<Option<T>, Error> {
        absent_is_none(self.json(url).await)
    }

    async fn find(&self, url: Url) -> Result<Option<Vec<u8>>, Error> {
        absent_is_none(self.fetch(url).await)
    }

    async fn get(&self, url: &Url) -> Result<reqwest::Response, Error> {
        let failed = |source| Error::Call {
            url: url.clone(),
            source,
        };
        let answer = self.http.get(url.clone()).send().await.map_err(failed)?;
        answer.error_for_status().map_err(failed)
    }
}

fn absent_is_none<T>(answer: Result<T, Error>) -> Result<Option<T>, Error> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(Error::Call { source, .. }) if source.status() == Some(StatusCode::NOT_FOUND) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
