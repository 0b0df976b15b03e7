//! Forks.

use std::sync::Arc;

use axum::extract::{Path, State};
use serde::Deserialize;

use crate::forge::{Forge, Shared};
use crate::rest::caller::Caller;
use crate::rest::failure::Failure;
use crate::rest::input::Input;
use crate::rest::output::{Answer, accepted};
use crate::rights::Deed;
use crate::shape;
use crate::state::access::{Level, Permission};

const READ: &[(Permission, Level)] = &[(Permission::Contents, Level::Read)];

/// Where a fork goes: the forge knows but one place, the caller's account.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Wish {
    organization: Option<String>,
    name: Option<String>,
    #[serde(default)]
    default_branch_only: bool,
}

/// `POST /repos/{owner}/{repo}/forks`
pub(crate) async fn create(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path((owner, name)): Path<(String, String)>,
    Input(wish): Input<Wish>,
) -> Answer {
    let person = caller.require_person()?;
    let (parent, login, known) = {
        let state = shared.lock();
        let parent = caller.enter(&state, &owner, &name, READ)?;
        caller.check(&state, parent, Deed::Fork)?;
        wish.check(parent.name.as_str())?;
        let known = state
            .standing_repositories()
            .find(|record| record.owner == person && record.parent == Some(parent.id))
            .map(|record| record.id);
        let login = state.account(person).login.to_string();
        (state.full_name(parent).to_string(), login, known)
    };
    let forge = Forge {
        shared: Arc::clone(&shared),
    };
    let id = match known {
        // Asked for again, GitHub answers with the fork that is there.
        Some(id) => id,
        None => {
            let fork = forge.fork(&parent, &login).await?;
            let state = shared.lock();
            let (owner, name) = (fork.owner().as_str(), fork.name().as_str());
            state
                .find_repository(owner, name)
                .ok_or(Failure::NotFound)?
                .id
        }
    };
    let state = shared.lock();
    let record = state.repository(id);
    accepted(shape::repository::full(
        &state,
        &shared.urls,
        record,
        person,
    ))
}

impl Wish {
    fn check(&self, parent: &str) -> Result<(), Failure> {
        if self.organization.is_some() {
            return Err(Failure::invalid("Forks go into the account of who asks."));
        }
        if self.name.as_ref().is_some_and(|name| name != parent) {
            return Err(Failure::invalid("A fork has the name of its parent."));
        }
        if self.default_branch_only {
            return Err(Failure::invalid("A fork has all branches of its parent."));
        }
        Ok(())
    }
}
