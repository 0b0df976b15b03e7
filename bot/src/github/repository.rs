//! Repositories, branches and pull requests.

use std::collections::BTreeMap;

use api::id::CommitSha;
use http::Method;
use jiff::Timestamp;
use serde::Deserialize;
use url::Url;

use super::App;
use super::call::Error;
use crate::db::Repository;
use crate::domain::name::{InstallationId, RepositoryId, RepositoryName, UserId};
use crate::domain::trust::Origin;

/// A repository as GitHub describes it.
#[derive(Debug, Clone, Deserialize)]
pub struct RepositoryInfo {
    /// Its id.
    pub id: RepositoryId,
    /// `owner/name`.
    pub full_name: RepositoryName,
    /// The default branch.
    pub default_branch: String,
    /// The URL for cloning.
    pub clone_url: Url,
}

impl RepositoryInfo {
    /// The row that summit stores.
    pub fn into_row(self, installation: InstallationId) -> Repository {
        Repository {
            name: self.full_name,
            default_branch: self.default_branch,
            clone_url: self.clone_url,
            installation,
            gone_at: None,
        }
    }
}

/// What the list of repositories says of changes in one: it differs after a push, and when more or
/// fewer issues and pull requests are open.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Mark {
    /// The time of the last push to any branch.
    #[serde(default)]
    pub pushed_at: Option<Timestamp>,
    /// The time of the last change of the repository itself.
    #[serde(default)]
    pub updated_at: Option<Timestamp>,
    /// How many issues and pull requests are open.
    #[serde(rename = "open_issues_count")]
    pub open_issues: u64,
}

/// A pull request as GitHub describes it.
#[derive(Debug, Clone, Deserialize)]
pub struct Pull {
    /// Its number.
    pub number: u64,
    /// `open` or `closed`.
    pub state: String,
    /// True for a draft.
    #[serde(default)]
    pub draft: bool,
    /// Who opened it.
    pub user: Option<Account>,
    /// The branch to merge.
    pub head: PullSide,
    /// The branch to merge into.
    pub base: PullSide,
}

/// An account.
#[derive(Debug, Clone, Deserialize)]
pub struct Account {
    /// The id.
    pub id: UserId,
    /// The present login.
    pub login: String,
    /// GitHub's type of it: a user, a bot, an organisation.
    #[serde(default, rename = "type")]
    kind: Option<String>,
}

impl Account {
    /// True for an App.
    pub fn is_bot(&self) -> bool {
        self.kind.as_deref() == Some("Bot")
    }
}

/// One side of a pull request.
#[derive(Debug, Clone, Deserialize)]
pub struct PullSide {
    /// The branch.
    #[serde(rename = "ref")]
    pub branch: String,
    /// Its head.
    pub sha: CommitSha,
    /// The repository; `None` when the fork was deleted.
    pub repo: Option<PullRepository>,
}

/// The repository of one side of a pull request.
#[derive(Debug, Clone, Deserialize)]
pub struct PullRepository {
    /// Its id.
    pub id: RepositoryId,
    /// The account that it belongs to.
    pub owner: Option<Account>,
}

impl Pull {
    /// True while it is open.
    pub fn is_open(&self) -> bool {
        self.state == "open"
    }

    /// Where its head lies.
    pub fn origin(&self) -> Origin<'_> {
        let Some(head) = &self.head.repo else {
            return Origin::Gone;
        };
        if self
            .base
            .repo
            .as_ref()
            .is_some_and(|base| base.id == head.id)
        {
            return Origin::Own;
        }
        match (&head.owner, &self.user) {
            (Some(owner), Some(author)) if owner.id == author.id => Origin::AuthorsFork,
            (Some(owner), _) => Origin::ForkOf(&owner.login),
            (None, _) => Origin::Gone,
        }
    }
}

impl App {
    /// All repositories that an installation may see, with what is said of changes in them.
    ///
    /// # Errors
    /// When the request to GitHub fails.
    pub async fn repositories(
        &self,
        installation: InstallationId,
    ) -> Result<Vec<(RepositoryInfo, Mark)>, Error> {
        #[derive(Clone, Deserialize)]
        struct Page {
            repositories: Vec<Listed>,
        }
        #[derive(Clone, Deserialize)]
        struct Listed {
            #[serde(flatten)]
            info: RepositoryInfo,
            #[serde(flatten)]
            mark: Mark,
        }
        let mut all = Vec::new();
        let mut query = Some("per_page=100".to_owned());
        while let Some(page) = query {
            let path = format!("/installation/repositories?{page}");
            let answer = self.watch::<Page>(installation, &path).await?;
            let listed = answer.body.repositories.into_iter();
            all.extend(listed.map(|listed| (listed.info, listed.mark)));
            query = answer.next_page;
        }
        Ok(all)
    }

    /// True when the App cannot see a repository any more: it was deleted, or the App was removed from
    /// it, or another repository has its name.
    ///
    /// # Errors
    /// When the request to GitHub fails.
    pub async fn is_gone(&self, id: RepositoryId, repository: &Repository) -> Result<bool, Error> {
        #[derive(Deserialize)]
        struct Seen {
            id: RepositoryId,
        }
        let path = format!("/repos/{}", repository.name);
        let installation = repository.installation;
        let answer = self
            .as_installation::<Seen>(installation, Method::GET, &path, None::<&()>)
            .await;
        match answer {
            Ok(seen) => Ok(seen.body.id != id),
            Err(error) if error.is_missing() => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// The head of a branch; `None` when the branch does not exist.
    ///
    /// # Errors
    /// When the request to GitHub fails.
    pub async fn find_branch_head(
        &self,
        repository: &Repository,
        branch: &str,
    ) -> Result<Option<CommitSha>, Error> {
        #[derive(Clone, Deserialize)]
        struct Branch {
            commit: Head,
        }
        #[derive(Clone, Deserialize)]
        struct Head {
            sha: CommitSha,
        }
        let branch =
            percent_encoding::utf8_percent_encode(branch, percent_encoding::NON_ALPHANUMERIC);
        let path = format!("/repos/{}/branches/{branch}", repository.name);
        let answer = self.watch::<Branch>(repository.installation, &path).await;
        match answer {
            Ok(answer) => Ok(Some(answer.body.commit.sha)),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The temporary branches of a repository's merge queues, with their heads.
    ///
    /// # Errors
    /// When the request to GitHub fails.
    pub async fn merge_groups(
        &self,
        repository: &Repository,
    ) -> Result<BTreeMap<String, CommitSha>, Error> {
        #[derive(Clone, Deserialize)]
        struct Ref {
            #[serde(rename = "ref")]
            name: String,
            object: Object,
        }
        #[derive(Clone, Deserialize)]
        struct Object {
            sha: CommitSha,
        }
        let path = format!(
            "/repos/{}/git/matching-refs/heads/gh-readonly-queue/",
            repository.name
        );
        let answer = self.watch::<Vec<Ref>>(repository.installation, &path).await;
        let refs = match answer {
            Ok(answer) => answer.body,
            // The repository is empty.
            Err(error) if error.is_missing() => Vec::new(),
            Err(error) => return Err(error),
        };
        let groups = refs.into_iter().filter_map(|found| {
            let name = found.name.strip_prefix("refs/heads/")?;
            Some((name.to_owned(), found.object.sha))
        });
        Ok(groups.collect())
    }

    /// The open pull requests of a repository.
    ///
    /// # Errors
    /// When the request to GitHub fails.
    pub async fn open_pulls(&self, repository: &Repository) -> Result<Vec<Pull>, Error> {
        let mut all = Vec::new();
        let mut query = Some("state=open&per_page=100".to_owned());
        while let Some(page) = query {
            let path = format!("/repos/{}/pulls?{page}", repository.name);
            let answer = self
                .watch::<Vec<Pull>>(repository.installation, &path)
                .await?;
            all.extend(answer.body);
            query = answer.next_page;
        }
        Ok(all)
    }

    /// One pull request; `None` when the number does not exist.
    ///
    /// # Errors
    /// When the request to GitHub fails.
    pub async fn find_pull(
        &self,
        repository: &Repository,
        number: u64,
    ) -> Result<Option<Pull>, Error> {
        let path = format!("/repos/{}/pulls/{number}", repository.name);
        let answer = self
            .as_installation::<Pull>(repository.installation, Method::GET, &path, None::<&()>)
            .await;
        match answer {
            Ok(answer) => Ok(Some(answer.body)),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error),
        }
    }
}
