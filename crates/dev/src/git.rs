//! A packager at work: recipes are committed and pushed with the git that is installed.

use std::io;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustix::process::{Pid, Signal, kill_process_group};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::process::Command;

/// How long one git command may take.
const LIMIT: Duration = Duration::from_secs(120);

/// A git command that did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It could not be started.
    #[error("cannot run git {command}")]
    Start {
        /// The subcommand.
        command: String,
        /// Why.
        source: io::Error,
    },
    /// It failed.
    #[error("git {command} failed: {said}")]
    Failed {
        /// The subcommand.
        command: String,
        /// What it wrote to its standard error.
        said: String,
    },
    /// It took too long.
    #[error("git {command} did not end within {} seconds", LIMIT.as_secs())]
    TimedOut {
        /// The subcommand.
        command: String,
    },
}

/// Who pushes, and where to.
#[derive(Debug)]
pub struct Remote<'a> {
    /// The repository's URL, without credentials.
    pub url: &'a str,
    /// The packager's login.
    pub login: &'a str,
    /// The packager's token.
    pub token: SecretString,
}

/// Commits all that is in `folder` as one commit on `main`, and pushes it. Returns the commit.
///
/// # Errors
/// When git fails.
pub async fn commit_and_push(
    folder: &Path,
    message: &str,
    remote: &Remote<'_>,
) -> Result<String, Error> {
    git(folder, &["init", "--quiet", "--initial-branch=main"], &[]).await?;
    git(folder, &["add", "--all", "--force", "."], &[]).await?;
    let email = format!("{}@snekbook.invalid", remote.login);
    let person = [
        ("GIT_AUTHOR_NAME", remote.login),
        ("GIT_AUTHOR_EMAIL", &email),
        ("GIT_COMMITTER_NAME", remote.login),
        ("GIT_COMMITTER_EMAIL", &email),
    ];
    git(
        folder,
        &["commit", "--quiet", "--message", message],
        &person,
    )
    .await?;
    let head = git(folder, &["rev-parse", "HEAD"], &[]).await?;
    // In the environment, where other users of the machine cannot see it.
    let basic = STANDARD.encode(format!("{}:{}", remote.login, remote.token.expose_secret()));
    let header = format!("Authorization: Basic {basic}");
    let credentials = [
        ("GIT_CONFIG_COUNT", "1"),
        ("GIT_CONFIG_KEY_0", "http.extraHeader"),
        ("GIT_CONFIG_VALUE_0", &header),
    ];
    git(
        folder,
        &["push", "--quiet", remote.url, "main"],
        &credentials,
    )
    .await?;
    Ok(head.trim().to_owned())
}

/// Runs git in `folder`.
async fn git(
    folder: &Path,
    arguments: &[&str],
    environment: &[(&str, &str)],
) -> Result<String, Error> {
    let command = arguments.first().copied().unwrap_or_default().to_owned();
    let start = |source| Error::Start {
        command: command.clone(),
        source,
    };
    let mut git = Command::from(plain_git::command());
    git.args(arguments)
        .current_dir(folder)
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    let child = git.spawn().map_err(start)?;
    let group = child
        .id()
        .and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    let output: Output = match tokio::time::timeout(LIMIT, child.wait_with_output()).await {
        Ok(output) => output.map_err(start)?,
        Err(_) => {
            if let Some(group) = group {
                // It may have ended just now.
                let _ = kill_process_group(group, Signal::KILL);
            }
            return Err(Error::TimedOut { command });
        }
    };
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(Error::Failed { command, said })
}
