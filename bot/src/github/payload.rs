//! Webhook payloads: the fields that summit reads. A payload only tells summit where to look.

use api::id::{BuildId, CommitSha};
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::check_run::HEAD_ID;
use super::repository::RepositoryInfo;
use crate::db::Reported;
use crate::domain::name::{CommentId, InstallationId, UserId};

/// A parsed webhook.
#[derive(Debug, Clone)]
pub enum Payload {
    /// A branch moved.
    Push {
        /// The repository and installation.
        source: Source,
        /// The branch.
        branch: String,
        /// Its head; none when it was deleted.
        head: Option<Reported>,
    },
    /// A pull request changed.
    Pull {
        /// The repository and installation.
        source: Source,
        /// Its number.
        number: u64,
        /// Its head, if the change made that its head.
        head: Option<Reported>,
    },
    /// Somebody commented on a pull request.
    PullComment {
        /// The repository and installation.
        source: Source,
        /// The pull request.
        number: u64,
        /// The comment.
        comment: Comment,
    },
    /// Somebody commented on a commit.
    CommitComment {
        /// The repository and installation.
        source: Source,
        /// The commit.
        commit: CommitSha,
        /// The comment.
        comment: Comment,
    },
    /// Somebody pressed "Re-run" on a check run.
    Rerun {
        /// The repository and installation.
        source: Source,
        /// The person.
        sender: Option<Author>,
        /// The build of the check run.
        build: BuildId,
    },
    /// Somebody pressed a button of a check run.
    Act {
        /// The repository and installation.
        source: Source,
        /// The person.
        sender: Option<Author>,
        /// The build of the check run.
        build: BuildId,
        /// The button's identifier: the name of a command.
        command: String,
    },
    /// Somebody pressed "Re-run all checks" on a commit.
    RerunAll {
        /// The repository and installation.
        source: Source,
        /// The person.
        sender: Option<Author>,
        /// The commit.
        commit: CommitSha,
    },
    /// The App's list of repositories may have changed, or a repository was renamed.
    Repositories,
    /// summit does nothing for this event.
    Nothing {
        /// The reason, for people.
        reason: &'static str,
    },
}

/// The repository that a webhook is about.
#[derive(Debug, Clone)]
pub struct Source {
    /// The repository.
    pub repository: RepositoryInfo,
    /// The installation.
    pub installation: Option<Installation>,
}

impl Source {
    // Not read by serde's `flatten`, which copies the whole body first.
    fn new(repository: RepositoryInfo, installation: Option<Installation>) -> Self {
        Self {
            repository,
            installation,
        }
    }
}

/// The installation that a webhook comes from.
#[derive(Debug, Clone, Deserialize)]
pub struct Installation {
    /// Its id.
    pub id: InstallationId,
}

/// A comment.
#[derive(Debug, Clone, Deserialize)]
pub struct Comment {
    /// Its id.
    pub id: CommentId,
    /// The text.
    pub body: String,
    /// When it was written.
    #[serde(default)]
    pub created_at: Option<Timestamp>,
    /// The author.
    pub user: Option<Author>,
}

/// The author of a comment, or the person who pressed a button.
#[derive(Debug, Clone, Deserialize)]
pub struct Author {
    /// The id.
    pub id: UserId,
    /// The login.
    pub login: String,
    /// GitHub's account type: a user, a bot, an organisation.
    #[serde(default, rename = "type")]
    kind: Option<String>,
}

impl Author {
    /// True for an App, including summit itself.
    pub fn is_bot(&self) -> bool {
        self.kind.as_deref() == Some("Bot")
    }
}

/// The events that summit knows. It answers others with 202 and logs them.
pub fn is_known(event: &str) -> bool {
    matches!(
        event,
        "push"
            | "pull_request"
            | "merge_group"
            | "issue_comment"
            | "commit_comment"
            | "check_run"
            | "check_suite"
            | "ping"
    ) || is_about_repositories(event)
}

/// True for events after which the App may see other repositories, or a repository may have a new
/// name.
pub fn is_about_repositories(event: &str) -> bool {
    matches!(
        event,
        "installation" | "installation_repositories" | "repository"
    )
}

/// True for a comment or a pressed button: only the webhook reports it. A sweep finds pushes, pull
/// requests and repositories without a webhook.
pub fn is_told_once(event: &str, action: Option<&str>) -> bool {
    matches!(
        (event, action),
        ("issue_comment" | "commit_comment", Some("created"))
            | ("check_run" | "check_suite", Some("rerequested"))
            | ("check_run", Some("requested_action"))
    )
}

impl Payload {
    /// The repository of the event, if summit acts on the event.
    pub fn find_source(&self) -> Option<&Source> {
        match self {
            Self::Push { source, .. }
            | Self::Pull { source, .. }
            | Self::PullComment { source, .. }
            | Self::CommitComment { source, .. }
            | Self::Rerun { source, .. }
            | Self::Act { source, .. }
            | Self::RerunAll { source, .. } => Some(source),
            Self::Repositories | Self::Nothing { .. } => None,
        }
    }

    /// Reads the body of `event`.
    ///
    /// # Errors
    /// When the body is not JSON or does not match GitHub's description.
    pub fn parse(event: &str, body: &[u8]) -> Result<Self, serde_json::Error> {
        Ok(match event {
            "push" => push(serde_json::from_slice(body)?),
            "pull_request" => pull(serde_json::from_slice(body)?),
            "merge_group" => merge_group(serde_json::from_slice(body)?),
            "issue_comment" => issue_comment(serde_json::from_slice(body)?),
            "commit_comment" => commit_comment(serde_json::from_slice(body)?),
            "check_run" => check_run(serde_json::from_slice(body)?),
            "check_suite" => check_suite(serde_json::from_slice(body)?),
            _ => {
                let IgnoredAny = serde_json::from_slice(body)?;
                match is_about_repositories(event) {
                    true => Self::Repositories,
                    false => Self::Nothing {
                        reason: "the event needs nothing done",
                    },
                }
            }
        })
    }
}

#[derive(Deserialize)]
struct PushBody {
    repository: PushedRepository,
    installation: Option<Installation>,
    #[serde(rename = "ref")]
    git_ref: String,
    #[serde(default)]
    deleted: bool,
    #[serde(default)]
    after: Option<CommitSha>,
}

#[derive(Deserialize)]
struct PushedRepository {
    #[serde(flatten)]
    info: RepositoryInfo,
    /// The time of the push. Only here GitHub gives it in Unix seconds.
    #[serde(default)]
    pushed_at: Option<Seconds>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Seconds {
    Unix(i64),
    Text(Timestamp),
}

impl Seconds {
    fn time(&self) -> Option<Timestamp> {
        match self {
            Self::Unix(seconds) => Timestamp::from_second(*seconds).ok(),
            Self::Text(time) => Some(*time),
        }
    }
}

fn push(body: PushBody) -> Payload {
    let PushedRepository { info, pushed_at } = body.repository;
    let head = match (body.after, pushed_at.and_then(|at| at.time())) {
        (Some(commit), Some(at)) if !body.deleted => Some(Reported { commit, at }),
        _ => None,
    };
    match body.git_ref.strip_prefix("refs/heads/") {
        Some(branch) => Payload::Push {
            branch: branch.to_owned(),
            head,
            source: Source::new(info, body.installation),
        },
        None => Payload::Nothing {
            reason: "the ref is no branch",
        },
    }
}

#[derive(Deserialize)]
struct PullBody {
    repository: RepositoryInfo,
    installation: Option<Installation>,
    number: u64,
    action: String,
    #[serde(default)]
    pull_request: Option<ChangedPull>,
}

#[derive(Deserialize)]
struct ChangedPull {
    head: Option<ChangedHead>,
    updated_at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct ChangedHead {
    sha: CommitSha,
}

impl ChangedPull {
    fn head(self) -> Option<Reported> {
        Some(Reported {
            commit: self.head?.sha,
            at: self.updated_at?,
        })
    }
}

fn pull(body: PullBody) -> Payload {
    let brings_head = matches!(body.action.as_str(), "opened" | "synchronize" | "reopened");
    match body.action.as_str() {
        "opened" | "synchronize" | "reopened" | "closed" | "edited" | "ready_for_review"
        | "converted_to_draft" => Payload::Pull {
            source: Source::new(body.repository, body.installation),
            number: body.number,
            head: match brings_head {
                true => body.pull_request.and_then(ChangedPull::head),
                false => None,
            },
        },
        _ => Payload::Nothing {
            reason: "the change of the pull request does not concern builds",
        },
    }
}

#[derive(Deserialize)]
struct MergeGroupBody {
    repository: RepositoryInfo,
    installation: Option<Installation>,
    merge_group: MergeGroup,
}

#[derive(Deserialize)]
struct MergeGroup {
    head_ref: String,
}

fn merge_group(body: MergeGroupBody) -> Payload {
    match body.merge_group.head_ref.strip_prefix("refs/heads/") {
        Some(branch) => Payload::Push {
            branch: branch.to_owned(),
            head: None,
            source: Source::new(body.repository, body.installation),
        },
        None => Payload::Nothing {
            reason: "the ref is no branch",
        },
    }
}

#[derive(Deserialize)]
struct IssueCommentBody {
    repository: RepositoryInfo,
    installation: Option<Installation>,
    action: String,
    issue: Issue,
    comment: Comment,
}

#[derive(Deserialize)]
struct Issue {
    number: u64,
    #[serde(default)]
    pull_request: Option<IgnoredAny>,
}

fn issue_comment(body: IssueCommentBody) -> Payload {
    if body.action != "created" {
        return Payload::Nothing {
            reason: "only new comments are read",
        };
    }
    if body.issue.pull_request.is_none() {
        return Payload::Nothing {
            reason: "the comment is on an issue",
        };
    }
    Payload::PullComment {
        source: Source::new(body.repository, body.installation),
        number: body.issue.number,
        comment: body.comment,
    }
}

#[derive(Deserialize)]
struct CommitCommentBody {
    repository: RepositoryInfo,
    installation: Option<Installation>,
    action: String,
    comment: CommitComment,
}

#[derive(Deserialize)]
struct CommitComment {
    commit_id: CommitSha,
    #[serde(flatten)]
    comment: Comment,
}

fn commit_comment(body: CommitCommentBody) -> Payload {
    if body.action != "created" {
        return Payload::Nothing {
            reason: "only new comments are read",
        };
    }
    let CommitComment {
        commit_id: commit,
        comment,
    } = body.comment;
    Payload::CommitComment {
        source: Source::new(body.repository, body.installation),
        commit,
        comment,
    }
}

#[derive(Deserialize)]
struct CheckRunBody {
    repository: RepositoryInfo,
    installation: Option<Installation>,
    action: String,
    sender: Option<Author>,
    check_run: CheckRun,
    #[serde(default)]
    requested_action: Option<RequestedAction>,
}

#[derive(Deserialize)]
struct RequestedAction {
    identifier: String,
}

#[derive(Deserialize)]
struct CheckRun {
    head_sha: CommitSha,
    #[serde(default)]
    external_id: Option<String>,
}

fn check_run(body: CheckRunBody) -> Payload {
    let id = body.check_run.external_id;
    let source = Source::new(body.repository, body.installation);
    let sender = body.sender;
    let commit = body.check_run.head_sha;
    let is_button = matches!(body.action.as_str(), "rerequested" | "requested_action");
    if is_button && id.as_deref() == Some(HEAD_ID) {
        // Its only button rebuilds, too.
        return Payload::RerunAll {
            source,
            sender,
            commit,
        };
    }
    let build = id.and_then(|id| id.parse().ok());
    match (body.action.as_str(), body.requested_action, build) {
        ("rerequested", _, Some(build)) => Payload::Rerun {
            source,
            sender,
            build,
        },
        ("requested_action", Some(action), Some(build)) => Payload::Act {
            source,
            sender,
            build,
            command: action.identifier,
        },
        ("rerequested" | "requested_action", _, _) => Payload::Nothing {
            reason: "the check run is none of ours",
        },
        _ => Payload::Nothing {
            reason: "no button of the check run was pressed",
        },
    }
}

#[derive(Deserialize)]
struct CheckSuiteBody {
    repository: RepositoryInfo,
    installation: Option<Installation>,
    action: String,
    sender: Option<Author>,
    check_suite: CheckSuite,
}

#[derive(Deserialize)]
struct CheckSuite {
    head_sha: CommitSha,
}

fn check_suite(body: CheckSuiteBody) -> Payload {
    if body.action == "rerequested" {
        Payload::RerunAll {
            source: Source::new(body.repository, body.installation),
            sender: body.sender,
            commit: body.check_suite.head_sha,
        }
    } else {
        Payload::Nothing {
            reason: "the check suite is not to be run again",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    const EVENTS: [&str; 10] = [
        "push",
        "pull_request",
        "issue_comment",
        "commit_comment",
        "check_run",
        "check_suite",
        "installation",
        "repository",
        "ping",
        "star",
    ];

    /// JSON with the fields that the parser reads, each with any value.
    fn body() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            "(refs/heads/|refs/tags/|created|rerequested|a/b)?[a-z/]{0,6}".prop_map(Value::from),
        ];
        let name = prop_oneof![
            Just("repository"),
            Just("installation"),
            Just("ref"),
            Just("action"),
            Just("number"),
            Just("issue"),
            Just("comment"),
            Just("check_run"),
            Just("check_suite"),
            Just("external_id"),
            Just("head_sha"),
            Just("id"),
            Just("full_name"),
            Just("default_branch"),
            Just("clone_url"),
        ];
        leaf.prop_recursive(4, 64, 8, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map(name.clone().prop_map(str::to_owned), inner, 0..8)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_body_can_be_read(event in prop::sample::select(&EVENTS[..]), body in body()) {
            let _ = Payload::parse(event, body.to_string().as_bytes());
        }

        /// The content of events that ask for nothing does not matter.
        #[test]
        fn what_is_not_read_is_no_fault(event in "[a-z_]{1,20}", body in body()) {
            prop_assume!(!is_known(&event) || is_about_repositories(&event));
            prop_assert!(Payload::parse(&event, body.to_string().as_bytes()).is_ok());
        }
    }

    #[test]
    fn what_becomes_of_an_installation_asks_for_a_sweep() {
        for action in [
            "created",
            "deleted",
            "suspend",
            "unsuspend",
            "new_permissions_accepted",
        ] {
            let body = serde_json::json!({ "action": action, "installation": { "id": 5 } });
            let read = Payload::parse("installation", body.to_string().as_bytes());
            assert!(matches!(read, Ok(Payload::Repositories)), "{action}");
        }
    }

    #[test]
    fn only_comments_and_buttons_are_told_once() {
        for (event, action, expected) in [
            ("issue_comment", Some("created"), true),
            ("issue_comment", Some("edited"), false),
            ("commit_comment", Some("created"), true),
            ("check_run", Some("rerequested"), true),
            ("check_run", Some("requested_action"), true),
            ("check_run", Some("completed"), false),
            ("check_suite", Some("rerequested"), true),
            ("push", None, false),
            ("pull_request", Some("opened"), false),
            ("repository", Some("deleted"), false),
        ] {
            assert_eq!(
                super::is_told_once(event, action),
                expected,
                "{event} {action:?}"
            );
        }
    }
}
