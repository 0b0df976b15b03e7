//! Opening and changing pull requests.

use std::sync::Arc;

use axum::extract::{Path, State};
use serde::Deserialize;

use super::answer;
use crate::forge::{Forge, Shared};
use crate::people::pulls::find_source;
use crate::people::{EditPull, OpenPull, Refused};
use crate::rest::caller::Caller;
use crate::rest::comment::check_length;
use crate::rest::failure::Failure;
use crate::rest::input::Input;
use crate::rest::output::{Answer, created, ok};
use crate::rights::Deed;
use crate::state::State as Tables;
use crate::state::access::{Level, Permission};
use crate::state::pull::{PullRequest, State as PullState};
use crate::state::repository::Repository;

const WRITE: &[(Permission, Level)] = &[(Permission::PullRequests, Level::Write)];

/// A pull request to open.
#[derive(Debug, Deserialize)]
pub(crate) struct New {
    title: Option<String>,
    head: String,
    base: String,
    body: Option<String>,
    head_repo: Option<String>,
    issue: Option<u64>,
    #[serde(default)]
    draft: bool,
}

/// `POST /repos/{owner}/{repo}/pulls`
pub(crate) async fn create(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path((owner, name)): Path<(String, String)>,
    Input(new): Input<New>,
) -> Answer {
    let title = new.check()?;
    let (id, name, login) = {
        let state = shared.lock();
        let target = caller.enter(&state, &owner, &name, WRITE)?;
        caller.check(&state, target, Deed::OpenPull)?;
        let (source, _) = find_source(&state, target, &new.head).map_err(unprocessable)?;
        if source.id != target.id && state.installation_of(source).is_none() {
            // An App sees no repository that it is not installed in.
            caller.require_person()?;
        }
        caller.check(&state, source, Deed::OfferBranch)?;
        let login = state.account(caller.account(&state)).login.to_string();
        (target.id, state.full_name(target).to_string(), login)
    };
    let forge = Forge {
        shared: Arc::clone(&shared),
    };
    let open = OpenPull {
        repository: &name,
        author: &login,
        head: &new.head,
        base: &new.base,
        title,
        body: new.body.as_deref(),
        draft: new.draft,
    };
    let number = forge.open_pull(open).await.map_err(unprocessable)?;
    created(answer(&shared, id, number).await?)
}

impl New {
    /// The title, if the rest is something that the forge has too.
    fn check(&self) -> Result<&str, Failure> {
        if self.issue.is_some() {
            return Err(Failure::invalid(
                "There are no issues to turn into pull requests.",
            ));
        }
        if self.head_repo.is_some() {
            return Err(Failure::invalid("Name a fork's branch as `owner:branch`."));
        }
        check_length(self.body.as_deref().unwrap_or_default())?;
        check_title(self.title.as_deref().unwrap_or_default())
    }
}

/// As long as a title may be, in characters.
pub(crate) const MAX_TITLE: usize = 256;

fn check_title(title: &str) -> Result<&str, Failure> {
    if title.trim().is_empty() {
        return Err(Failure::invalid("title can't be blank"));
    }
    if title.chars().count() > MAX_TITLE {
        return Err(Failure::invalid(
            "title is too long (maximum is 256 characters)",
        ));
    }
    Ok(title)
}

/// What is missing for a pull request is a fault of its body, not of its address.
fn unprocessable(refused: Refused) -> Failure {
    match refused {
        Refused::Missing { .. } => Failure::invalid(refused.to_string()),
        Refused::Name(_)
        | Refused::Taken { .. }
        | Refused::Forbidden { .. }
        | Refused::Conflict(_)
        | Refused::Moved(_)
        | Refused::Blocked(_)
        | Refused::State(_)
        | Refused::Unrecorded(_)
        | Refused::Git(_) => refused.into(),
    }
}

/// What of a pull request is to be another.
#[derive(Debug, Deserialize)]
pub(crate) struct Change {
    title: Option<String>,
    body: Option<String>,
    state: Option<Wanted>,
    base: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Wanted {
    Open,
    Closed,
}

/// `PATCH /repos/{owner}/{repo}/pulls/{pull_number}`
pub(crate) async fn update(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path((owner, name, number)): Path<(String, String, u64)>,
    Input(change): Input<Change>,
) -> Answer {
    if let Some(title) = &change.title {
        check_title(title)?;
    }
    check_length(change.body.as_deref().unwrap_or_default())?;
    let (id, name, login, is_open) = {
        let state = shared.lock();
        let record = caller.enter(&state, &owner, &name, WRITE)?;
        let pull = state
            .pulls
            .get(&(record.id, number))
            .ok_or(Failure::NotFound)?;
        change.permit(&state, &caller, record, pull)?;
        let name = state.full_name(record).to_string();
        (record.id, name, login(&state, &caller), pull.is_open())
    };
    let forge = Forge {
        shared: Arc::clone(&shared),
    };
    // What is open is edited before it is closed, and what is closed once it is open.
    if change.state == Some(Wanted::Open) && !is_open {
        forge
            .reopen_pull(&name, number, &login)
            .await
            .map_err(unprocessable)?;
    }
    if change.title.is_some() || change.body.is_some() {
        let edit = EditPull {
            title: change.title.as_deref(),
            body: change.body.as_deref(),
        };
        forge
            .edit_pull(&name, number, &login, edit)
            .await
            .map_err(unprocessable)?;
    }
    if let Some(base) = &change.base {
        forge
            .retarget_pull(&name, number, &login, base)
            .await
            .map_err(unprocessable)?;
    }
    if change.state == Some(Wanted::Closed) && is_open {
        forge.close_pull(&name, number, &login).await?;
    }
    ok(answer(&shared, id, number).await?)
}

impl Change {
    fn permit(
        &self,
        state: &Tables,
        caller: &Caller,
        record: &Repository,
        pull: &PullRequest,
    ) -> Result<(), Failure> {
        if self.edits() {
            caller.check(state, record, Deed::EditPull(pull.author))?;
        }
        if self.state.is_some() {
            caller.check(state, record, Deed::ClosePull(pull.author))?;
        }
        let is_merged = matches!(pull.state, PullState::Merged { .. });
        if self.state == Some(Wanted::Open) && is_merged {
            let problem = "A merged pull request cannot be reopened.";
            return Err(Failure::invalid(problem));
        }
        Ok(())
    }

    fn edits(&self) -> bool {
        self.title.is_some() || self.body.is_some() || self.base.is_some()
    }
}

pub(super) fn login(state: &Tables, caller: &Caller) -> String {
    state.account(caller.account(state)).login.to_string()
}
