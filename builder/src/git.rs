//! Clones, at exactly one commit, made by a helper process.
//!
//! Only objects are trusted: the recipe's text comes from the commit's tree, not through the file
//! system, so no symbolic link of a repository can make avalanche read something else.

use std::path::PathBuf;
use std::time::Duration;

use api::id::{CommitSha, RecipeFolder};
use ipnet::IpNet;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize, Serializer};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::helper::{self, CallError, Helper};

mod access;
pub(crate) mod child;
mod submodules;

/// How long a clone may take.
const LIMIT: Duration = Duration::from_secs(30 * 60);

/// What to clone.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Job {
    /// A repository of recipes.
    Recipe {
        /// The repository.
        url: Url,
        /// Opens it.
        token: Option<Token>,
        /// The ref under which the commit is found.
        git_ref: String,
        /// The commit.
        commit: CommitSha,
        /// The folder of the recipe.
        folder: RecipeFolder,
        /// An empty folder for git's own files.
        git: PathBuf,
        /// An empty folder for the files of the commit.
        target: PathBuf,
    },
    /// A source that a recipe names.
    Upstream {
        /// The repository.
        url: String,
        /// A branch, a tag or a commit.
        reference: String,
        /// The folder below which nothing is left.
        root: PathBuf,
        /// The folder below it for the clone with its `.git`: made where it is missing, empty, and
        /// never reached through a link.
        directory: PathBuf,
        /// Networks that may be reached although their addresses are not public.
        allow_private: Vec<IpNet>,
        /// The most bytes that servers may send for it and its submodules.
        max_bytes: u64,
    },
}

/// What came of a clone.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cloned {
    /// The commit that is checked out.
    pub commit: CommitSha,
    /// The text of the recipe; none for an upstream.
    pub recipe: Option<RecipeText>,
}

/// A recipe as the commit has it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecipeText {
    /// Its file name: `stone.yaml` or `stone.yml`.
    pub file_name: String,
    /// What it says.
    pub text: String,
}

/// A token on its way to the helper, which is the only place it is written to.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub struct Token(SecretString);

impl Token {
    /// Wraps the token of an order.
    pub fn new(token: SecretString) -> Self {
        Self(token)
    }

    pub(super) fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl Serialize for Token {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose_secret())
    }
}

/// Clones as `job` says. `ca_file`, readable by the helper's user, replaces the system's
/// certificate authorities.
pub async fn clone(
    helper: &Helper,
    job: &Job,
    ca_file: Option<&str>,
    stop: &CancellationToken,
) -> Result<Cloned, CallError> {
    let environment: Vec<(&str, &str)> = ca_file
        .map(|path| ("SSL_CERT_FILE", path))
        .into_iter()
        .collect();
    helper
        .call(helper::GIT, job, &environment, LIMIT, stop)
        .await
}
