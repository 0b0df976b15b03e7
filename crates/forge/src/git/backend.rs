//! Git's own server, `git http-backend`, run as the CGI program that it is. Bodies stream both
//! ways; a gzipped request is unpacked by git itself.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::sync::{mpsc, oneshot};

/// As long as one clone or push may take.
const TIMEOUT: Duration = Duration::from_secs(600);
/// As long as git may take to say where its programs are.
const ASKING: Duration = Duration::from_secs(30);
/// More than git ever sends as a CGI header, in bytes.
const MAX_HEAD: usize = 16 * 1024;
/// As much of git's stderr as is kept, in bytes.
const MAX_STDERR: u64 = 16 * 1024;

/// Git cannot be used.
#[derive(Debug, Error)]
pub enum BackendError {
    /// There is no git to ask.
    #[error("cannot run `git --exec-path`: install git")]
    NoGit(#[source] std::io::Error),
    /// There is a git without its HTTP server.
    #[error("{} is missing: install git with its http-backend", .0.display())]
    NoHttpBackend(PathBuf),
    /// It does not start.
    #[error("cannot start git http-backend")]
    Start(#[source] std::io::Error),
    /// It ended without an answer.
    #[error("git http-backend ended without an answer")]
    NoAnswer,
}

/// Git's own server.
#[derive(Debug, Clone)]
pub(crate) struct Backend {
    exec_path: PathBuf,
}

/// A request of a git client, let in already.
pub(crate) struct Request {
    pub(crate) method: Method,
    /// `/owner/name.git/info/refs` and the like.
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    /// Whom git's reflog names.
    pub(crate) user: String,
    pub(crate) body: Body,
}

/// Status and headers of git's answer.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
}

/// Where a session's answer goes: the head once, then the body in pieces.
pub(crate) struct Answer {
    pub(crate) head: oneshot::Sender<Head>,
    pub(crate) body: mpsc::Sender<Bytes>,
}

/// A started git, not yet fed.
pub(crate) struct Session {
    child: Child,
    stdin: ChildStdin,
    stdout: ChildStdout,
    stderr: ChildStderr,
    body: Body,
}

impl Backend {
    /// Asks git where its programs are.
    pub(crate) async fn find() -> Result<Self, BackendError> {
        let mut git = Command::from(plain_git::command());
        git.arg("--exec-path").kill_on_drop(true);
        let output = tokio::time::timeout(ASKING, git.output())
            .await
            .map_err(std::io::Error::from)
            .and_then(|answered| answered)
            .map_err(BackendError::NoGit)?;
        let exec_path = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
        let program = exec_path.join("git-http-backend");
        if program.is_file() {
            Ok(Self { exec_path })
        } else {
            Err(BackendError::NoHttpBackend(program))
        }
    }

    /// Starts git on a request. `root` is the folder of `owner/name.git`.
    pub(crate) fn start(&self, root: &Path, request: Request) -> Result<Session, BackendError> {
        let header = |name: &str| {
            request
                .headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
        };
        let mut command =
            Command::from(plain_git::program(self.exec_path.join("git-http-backend")));
        command
            .env(
                "PATH",
                format!("{}:/usr/local/bin:/usr/bin:/bin", self.exec_path.display()),
            )
            .env("GIT_EXEC_PATH", &self.exec_path)
            .env("GIT_PROJECT_ROOT", root)
            .env("GIT_HTTP_EXPORT_ALL", "1")
            .env("GATEWAY_INTERFACE", "CGI/1.1")
            .env("SERVER_PROTOCOL", "HTTP/1.1")
            .env("REQUEST_METHOD", request.method.as_str())
            .env("PATH_INFO", &request.path)
            .env("QUERY_STRING", &request.query)
            .env("CONTENT_TYPE", header("content-type"))
            .env("HTTP_CONTENT_ENCODING", header("content-encoding"))
            .env("GIT_PROTOCOL", header("git-protocol"))
            .env("REMOTE_USER", &request.user)
            .env("REMOTE_ADDR", "127.0.0.1");
        // Without a length git reads until the end, which is what a chunked body needs.
        if !header("content-length").is_empty() {
            command.env("CONTENT_LENGTH", header("content-length"));
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(BackendError::Start)?;
        let pipes = "the pipe was asked for and is taken once";
        Ok(Session {
            stdin: child.stdin.take().expect(pipes),
            stdout: child.stdout.take().expect(pipes),
            stderr: child.stderr.take().expect(pipes),
            child,
            body: request.body,
        })
    }
}

impl Session {
    /// Feeds git, hands its answer on and waits for its end. A client that goes away does not
    /// stop a push that git has taken in.
    pub(crate) async fn run(mut self, answer: Answer) {
        let input = feed(self.stdin, self.body);
        let output = hand_on(self.stdout, answer);
        let mut said = Vec::new();
        let errors = keep(self.stderr, &mut said);
        let end = async {
            tokio::join!(input, output, errors);
            self.child.wait().await
        };
        let ended = tokio::time::timeout(TIMEOUT, end).await;
        let stderr = String::from_utf8_lossy(&said);
        match ended {
            Ok(Ok(status)) if status.success() => {}
            Ok(Ok(status)) => tracing::warn!(%status, %stderr, "git http-backend failed"),
            Ok(Err(error)) => tracing::warn!(%error, "cannot wait for git http-backend"),
            Err(_) => {
                kill_group(&self.child);
                tracing::warn!(%stderr, "git http-backend took too long and was killed");
            }
        }
    }
}

fn kill_group(child: &Child) {
    let group = child
        .id()
        .and_then(|id| i32::try_from(id).ok())
        .and_then(rustix::process::Pid::from_raw);
    if let Some(group) = group {
        // The error would say that it is gone already.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
}

async fn feed(mut stdin: ChildStdin, body: Body) {
    let mut pieces = body.into_data_stream();
    while let Some(piece) = pieces.next().await {
        match piece {
            Ok(piece) => {
                // Git may end before it has read all, for one when it refuses the push.
                if stdin.write_all(&piece).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                tracing::debug!(%error, "a git client went away");
                return;
            }
        }
    }
}

async fn keep(stderr: ChildStderr, kept: &mut Vec<u8>) {
    let mut limited = stderr.take(MAX_STDERR);
    if limited.read_to_end(kept).await.is_err() {
        return;
    }
    let mut rest = limited.into_inner();
    // What is beyond the limit is read all the same: git must not block on it.
    let _ = tokio::io::copy(&mut rest, &mut tokio::io::sink()).await;
}

async fn hand_on(mut stdout: ChildStdout, answer: Answer) {
    let mut buffer = BytesMut::with_capacity(64 * 1024);
    let mut head = Some(answer.head);
    loop {
        buffer.reserve(32 * 1024);
        match stdout.read_buf(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        if let Some(sender) = head.take() {
            let Some(end) = end_of_head(&buffer) else {
                if buffer.len() > MAX_HEAD {
                    return;
                }
                head = Some(sender);
                continue;
            };
            let _ = sender.send(parse_head(&buffer.split_to(end)));
        }
        if !buffer.is_empty() {
            // A client that left: git's output is drained so that it ends.
            let _ = answer.body.send(buffer.split().freeze()).await;
        }
    }
}

/// Where the body begins.
fn end_of_head(bytes: &[u8]) -> Option<usize> {
    bytes
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .map(|at| at + 4)
}

fn parse_head(bytes: &[u8]) -> Head {
    let mut head = Head {
        status: StatusCode::OK,
        headers: HeaderMap::new(),
    };
    for line in String::from_utf8_lossy(bytes).lines() {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        let value = value.trim();
        if name.eq_ignore_ascii_case("status") {
            let code = value.split(' ').next().and_then(|code| code.parse().ok());
            head.status = code.unwrap_or(StatusCode::BAD_GATEWAY);
        } else if let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_str(value),
        ) {
            head.headers.append(name, value);
        }
    }
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cgi_head_gives_status_and_headers() {
        let text = b"Status: 403 Forbidden\r\nCache-Control: no-cache\r\n\r\nbody";
        let end = end_of_head(text).unwrap();
        let head = parse_head(&text[..end]);
        assert_eq!(head.status, StatusCode::FORBIDDEN);
        assert_eq!(head.headers["cache-control"], "no-cache");
        assert_eq!(&text[end..], b"body");
    }
}
