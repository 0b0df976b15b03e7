//! A packager at work: recipes are committed and pushed with the git that is installed.

use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustix::process::{Pid, Signal, kill_process_group};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::io::{AsyncRead, AsyncReadExt as _};
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
    #[error("git {command} did not end within {} seconds: {said}", LIMIT.as_secs())]
    TimedOut {
        /// The subcommand.
        command: String,
        /// What it wrote to its standard error until then.
        said: String,
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

/// How many recipes the bare repository in `folder` has at `commit`.
///
/// # Errors
/// When git fails.
pub async fn recipes(folder: &Path, commit: &str) -> Result<usize, Error> {
    let listed = ["ls-tree", "-r", "-z", "--name-only", "--full-tree", commit];
    let paths = git(folder, &listed, &[]).await?;
    Ok(crate::recipes::count_among(paths.split('\0')))
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
    let mut child = git.spawn().map_err(start)?;
    let group = child
        .id()
        .and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    let (output, errors) = (child.stdout.take(), child.stderr.take());
    let (mut answer, mut said) = (Vec::new(), Vec::new());
    let end = async {
        tokio::try_join!(read(output, &mut answer), read(errors, &mut said))?;
        child.wait().await
    };
    let ended = tokio::time::timeout(LIMIT, end).await;
    let said = String::from_utf8_lossy(&said).trim().to_owned();
    match ended {
        Ok(Ok(status)) if status.success() => Ok(String::from_utf8_lossy(&answer).into_owned()),
        Ok(Ok(_)) => Err(Error::Failed { command, said }),
        Ok(Err(source)) => Err(Error::Start { command, source }),
        Err(_) => {
            if let Some(group) = group {
                // It may have ended just now.
                let _ = kill_process_group(group, Signal::KILL);
            }
            Err(Error::TimedOut { command, said })
        }
    }
}

async fn read(from: Option<impl AsyncRead + Unpin>, into: &mut Vec<u8>) -> io::Result<()> {
    match from {
        Some(mut from) => from.read_to_end(into).await.map(drop),
        None => Ok(()),
    }
}
