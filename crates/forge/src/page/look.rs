//! What pages read of the forge's tables: everything that a page needs at once, as it stood at one
//! moment.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use jiff::Timestamp;

use crate::forge::Shared;
use crate::id::{AccountId, RepositoryId};
use crate::name::{Branch, Sha};
use crate::page::door::{Actor, Visitor};
use crate::page::refusal::Refusal;
use crate::rights::{self, Deed};
use crate::state::State;
use crate::state::account::Kind;
use crate::state::check_run::{CheckRun, Status};
use crate::state::comment::{Comment, Subject};
use crate::state::pull::PullRequest;
use crate::state::repository::{Repository, Right};

/// A repository that the visitor may look at, and what they may do in it.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) id: RepositoryId,
    /// `owner/name`
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) default_branch: Branch,
    /// What it is a fork of, `owner/name`.
    pub(crate) parent: Option<String>,
    pub(crate) open_pulls: usize,
    pub(crate) may_fork: bool,
    pub(crate) may_press: bool,
    pub(crate) may_comment: bool,
}

/// Lets a visitor in. On loopback whoever reaches the forge may look; elsewhere those who may
/// read the repository.
pub(crate) fn enter(
    shared: &Shared,
    visitor: &Visitor,
    owner: &str,
    name: &str,
) -> Result<Place, Refusal> {
    let state = shared.lock();
    let name = name.strip_suffix(".git").unwrap_or(name);
    state
        .find_by_any_name(owner, name)
        .filter(|record| may_look(shared, &state, visitor, record))
        .map(|record| place(&state, visitor, record))
        .ok_or_else(Refusal::missing)
}

/// Lets in a person whose role lets them do something there.
pub(crate) fn permit(
    shared: &Shared,
    visitor: &Visitor,
    actor: &Actor,
    (owner, name): (&str, &str),
    deed: Deed,
) -> Result<Place, Refusal> {
    let place = enter(shared, visitor, owner, name)?;
    let state = shared.lock();
    rights::check(&state, state.repository(place.id), actor.person.id, deed)?;
    Ok(place)
}

fn may_look(shared: &Shared, state: &State, visitor: &Visitor, record: &Repository) -> bool {
    let may_read = |person| state.role(record, person).right() >= Right::Pull;
    shared.is_local() || visitor.account().is_some_and(may_read)
}

fn place(state: &State, visitor: &Visitor, record: &Repository) -> Place {
    let may = |deed| {
        visitor
            .account()
            .is_some_and(|person| rights::check(state, record, person, deed).is_ok())
    };
    let parent = record.parent.map(|parent| state.repository(parent));
    Place {
        id: record.id,
        name: state.full_name(record).to_string(),
        path: record.path.clone(),
        default_branch: record.default_branch.clone(),
        parent: parent.map(|parent| state.full_name(parent).to_string()),
        open_pulls: state
            .pulls
            .values()
            .filter(|pull| pull.repository == record.id && pull.is_open())
            .count(),
        may_fork: may(Deed::Fork) && visitor.account() != Some(record.owner),
        may_press: may(Deed::Press),
        may_comment: may(Deed::Comment),
    }
}

/// All repositories that the visitor may look at, by name.
pub(crate) fn repositories(shared: &Shared, visitor: &Visitor) -> Vec<Row> {
    let state = shared.lock();
    let mut rows: Vec<_> = state
        .standing_repositories()
        .filter(|record| may_look(shared, &state, visitor, record))
        .map(|record| Row {
            place: place(&state, visitor, record),
            role: visitor
                .account()
                .map(|person| state.role(record, person).name().to_owned()),
            pushed_at: record.pushed_at,
        })
        .collect();
    rows.sort_by(|one, other| one.place.name.cmp(&other.place.name));
    rows
}

/// A repository in a list.
pub(crate) struct Row {
    pub(crate) place: Place,
    /// What the visitor is in it.
    pub(crate) role: Option<String>,
    pub(crate) pushed_at: Timestamp,
}

/// The logins of all people, by name.
pub(crate) fn people(shared: &Shared) -> Vec<String> {
    let state = shared.lock();
    let people = state
        .accounts
        .values()
        .filter(|account| account.kind == Kind::User);
    let mut logins: Vec<_> = people.map(|account| account.login.to_string()).collect();
    logins.sort();
    logins
}

/// The newest check run of each name on a commit, by name.
pub(crate) fn runs_on(state: &State, id: RepositoryId, sha: &Sha) -> Vec<CheckRun> {
    let mut runs: Vec<_> = state.newest_runs_on(id, sha).cloned().collect();
    runs.sort_by(|one, other| one.name.cmp(&other.name));
    runs
}

/// How the check runs of commits stand.
pub(crate) fn verdicts(
    state: &State,
    id: RepositoryId,
    commits: impl IntoIterator<Item = Sha>,
) -> BTreeMap<Sha, Verdict> {
    let wanted: BTreeSet<Sha> = commits.into_iter().collect();
    let mut names = BTreeSet::new();
    let mut verdicts = BTreeMap::new();
    let runs = state.check_runs.values().rev();
    for run in runs.filter(|run| run.repository == id && wanted.contains(&run.head_sha)) {
        if names.insert((&run.head_sha, &run.name)) {
            let verdict = verdicts
                .entry(run.head_sha.clone())
                .or_insert(Verdict::Good);
            *verdict = (*verdict).max(Verdict::of(run));
        }
    }
    verdicts
}

/// How check runs stand together: the worst of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    Good,
    Open,
    Bad,
}

impl Verdict {
    fn of(run: &CheckRun) -> Self {
        use crate::state::check_run::Conclusion;
        match run.status {
            Status::Queued | Status::InProgress => Self::Open,
            Status::Completed { conclusion, .. } => match conclusion {
                Conclusion::Success | Conclusion::Neutral | Conclusion::Skipped => Self::Good,
                Conclusion::ActionRequired => Self::Open,
                Conclusion::Cancelled
                | Conclusion::Failure
                | Conclusion::Stale
                | Conclusion::TimedOut => Self::Bad,
            },
        }
    }
}

/// A comment with the names of those who had a part in it.
pub(crate) struct Said {
    pub(crate) comment: Comment,
    pub(crate) author: String,
    /// Each reaction's word, and by whom.
    pub(crate) reactions: Vec<(&'static str, String)>,
}

/// The comments of a repository on something, oldest first.
pub(crate) fn comments(
    state: &State,
    id: RepositoryId,
    wanted: impl Fn(&Subject) -> bool,
) -> Vec<Said> {
    let login = |account: AccountId| state.account(account).login.to_string();
    state
        .comments
        .values()
        .filter(|comment| comment.repository == id && wanted(&comment.subject))
        .map(|comment| Said {
            author: login(comment.author),
            reactions: comment
                .reactions
                .iter()
                .map(|reaction| (reaction.content.word(), login(reaction.author)))
                .collect(),
            comment: comment.clone(),
        })
        .collect()
}

/// A pull request with the names that stand in it.
#[derive(Debug, Clone)]
pub(crate) struct Pull {
    pub(crate) pull: PullRequest,
    pub(crate) author: String,
    /// The repository that it comes from, `owner/name`.
    pub(crate) source: String,
    pub(crate) merged_by: Option<String>,
}

/// The pull requests of a repository, newest first.
pub(crate) fn pulls(state: &State, id: RepositoryId) -> Vec<Pull> {
    let of_it = state.pulls.values().rev();
    of_it
        .filter(|pull| pull.repository == id)
        .map(|pull| named(state, pull))
        .collect()
}

/// One pull request.
pub(crate) fn find_pull(state: &State, id: RepositoryId, number: u64) -> Result<Pull, Refusal> {
    let found = state.pulls.get(&(id, number));
    found
        .map(|pull| named(state, pull))
        .ok_or_else(Refusal::missing)
}

fn named(state: &State, pull: &PullRequest) -> Pull {
    use crate::state::pull::State as PullState;
    let login = |account: AccountId| state.account(account).login.to_string();
    Pull {
        author: login(pull.author),
        source: state
            .full_name(state.repository(pull.head.repository))
            .to_string(),
        merged_by: match pull.state {
            PullState::Merged { by, .. } => Some(login(by)),
            PullState::Open | PullState::Closed { .. } => None,
        },
        pull: pull.clone(),
    }
}
