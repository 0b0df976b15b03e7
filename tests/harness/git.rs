//! A real git client: the command line, with nothing of the machine's own configuration.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use forge::Sha;
use tokio::process::Command;

/// How long a git command may take.
const LIMIT: Duration = Duration::from_secs(60);

/// A file as it is to be in a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    path: String,
    content: Option<Vec<u8>>,
}

impl File {
    /// A file with this content.
    pub fn new(path: impl Into<String>, content: impl Into<Vec<u8>>) -> Self {
        Self {
            path: path.into(),
            content: Some(content.into()),
        }
    }

    /// A file that is to be gone.
    pub fn removed(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            content: None,
        }
    }

    /// What is in it; nothing for one that is to be gone.
    pub fn content(&self) -> &[u8] {
        self.content.as_deref().unwrap_or_default()
    }

    /// Where it is.
    pub fn path(&self) -> &str {
        &self.path
    }
}

/// A person's clone of a repository.
#[derive(Debug)]
pub struct Checkout {
    folder: PathBuf,
    person: String,
    ca_file: Option<PathBuf>,
}

impl Checkout {
    /// Clones `url` into `folder`, unless that was done before.
    ///
    /// # Errors
    /// When git fails.
    pub(crate) async fn open(
        folder: PathBuf,
        url: &str,
        person: &str,
        ca_file: Option<PathBuf>,
    ) -> Result<Self> {
        let checkout = Self {
            folder,
            person: person.to_owned(),
            ca_file,
        };
        if !checkout.folder.join(".git").exists() {
            std::fs::create_dir_all(&checkout.folder)?;
            checkout.git(&["clone", "--quiet", url, "."]).await?;
        }
        Ok(checkout)
    }

    /// Goes to a new state of `branch`: what the forge has of it, else what it has of `base`, else
    /// an empty one.
    ///
    /// # Errors
    /// When git fails.
    pub async fn switch(&self, branch: &str, base: &str) -> Result<()> {
        self.git(&["fetch", "--quiet", "--prune", "origin"]).await?;
        for remote in [branch, base] {
            let remote = format!("origin/{remote}");
            if self
                .git(&["rev-parse", "--verify", "--quiet", &remote])
                .await
                .is_ok()
            {
                self.git(&["checkout", "--quiet", "-B", branch, &remote])
                    .await?;
                return Ok(());
            }
        }
        let head = format!("refs/heads/{branch}");
        self.git(&["symbolic-ref", "HEAD", &head]).await?;
        Ok(())
    }

    /// Commits these files to the branch that is checked out.
    ///
    /// # Errors
    /// When nothing changes, or git fails.
    pub async fn commit(&self, files: &[File]) -> Result<Sha> {
        for file in files {
            let path = self.folder.join(&file.path);
            match &file.content {
                Some(content) => {
                    let folder = path.parent().context("a file lies in a folder")?;
                    std::fs::create_dir_all(folder)?;
                    std::fs::write(&path, content)?;
                }
                None => std::fs::remove_file(&path)?,
            }
        }
        self.git(&["add", "--all"]).await?;
        let message = match files {
            [file] => format!("Change {}", file.path),
            files => format!("Change {} files", files.len()),
        };
        self.git(&["commit", "--quiet", "--message", &message])
            .await?;
        self.head().await
    }

    /// Goes back to a commit, as `git reset --hard`.
    ///
    /// # Errors
    /// When git fails.
    pub async fn reset(&self, commit: &Sha) -> Result<()> {
        self.git(&["reset", "--quiet", "--hard", commit.as_str()])
            .await?;
        Ok(())
    }

    /// Goes back to what the remote has of a branch.
    ///
    /// # Errors
    /// When git fails.
    pub async fn reset_to(&self, branch: &str) -> Result<()> {
        let remote = format!("origin/{branch}");
        self.git(&["reset", "--quiet", "--hard", &remote]).await?;
        Ok(())
    }

    /// A file of a commit, if it is there.
    ///
    /// # Errors
    /// When git fails.
    pub async fn show(&self, commit: &Sha, path: &str) -> Result<Option<String>> {
        let names = ["ls-tree", "--name-only", commit.as_str(), path];
        if self.git(&names).await?.is_empty() {
            return Ok(None);
        }
        let file = format!("{}:{path}", commit.as_str());
        Ok(Some(self.git(&["show", &file]).await?))
    }

    /// Where two commits part.
    ///
    /// # Errors
    /// When they have nothing in common, or git fails.
    pub async fn merge_base(&self, one: &Sha, other: &Sha) -> Result<Sha> {
        let base = self
            .git(&["merge-base", one.as_str(), other.as_str()])
            .await?;
        Ok(base.trim().parse()?)
    }

    /// The commit that is checked out.
    ///
    /// # Errors
    /// When git fails.
    pub async fn head(&self) -> Result<Sha> {
        Ok(self.git(&["rev-parse", "HEAD"]).await?.trim().parse()?)
    }

    /// Pushes what is checked out to `branch`.
    ///
    /// # Errors
    /// When git fails, also because the branch has moved.
    pub async fn push(&self, branch: &str) -> Result<()> {
        let spec = format!("HEAD:refs/heads/{branch}");
        self.git(&["push", "--quiet", "origin", &spec]).await?;
        Ok(())
    }

    /// Pushes what is checked out to `branch`, whatever is there.
    ///
    /// # Errors
    /// When git fails.
    pub async fn push_forced(&self, branch: &str) -> Result<()> {
        let spec = format!("+HEAD:refs/heads/{branch}");
        self.git(&["push", "--quiet", "origin", &spec]).await?;
        Ok(())
    }

    async fn git(&self, arguments: &[&str]) -> Result<String> {
        let mut command = command(&self.folder, &self.person);
        if let Some(ca_file) = &self.ca_file {
            command.env("GIT_SSL_CAINFO", ca_file);
        }
        let output = tokio::time::timeout(LIMIT, command.args(arguments).output())
            .await
            .with_context(|| format!("git {} takes too long", arguments.join(" ")))?
            .context("cannot run git")?;
        ensure!(
            output.status.success(),
            "git {} ended with {}:\n{}",
            arguments.join(" "),
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8(output.stdout)?)
    }
}

/// git in `folder`, as `person`. It never asks and reads no configuration but the repository's.
fn command(folder: &Path, person: &str) -> Command {
    let mut command = Command::from(testbed::git());
    // The login of an App has brackets, which no address may have.
    let address = format!("{}@example.org", person.replace(['[', ']'], "-"));
    command
        .current_dir(folder)
        .env("GIT_AUTHOR_NAME", person)
        .env("GIT_AUTHOR_EMAIL", &address)
        .env("GIT_COMMITTER_NAME", person)
        .env("GIT_COMMITTER_EMAIL", &address)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}
