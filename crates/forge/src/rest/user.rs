//! People, and what they may do.

use std::sync::Arc;

use axum::extract::{Path, State};

use crate::forge::Shared;
use crate::id::AccountId;
use crate::rest::caller::Caller;
use crate::rest::failure::Failure;
use crate::rest::output::{Answer, ok};
use crate::shape;
use crate::state::access::{Level, Permission};
use crate::state::account::Kind;
use crate::state::repository::Role;

/// `GET /user`
pub(crate) async fn own(State(shared): State<Arc<Shared>>, caller: Caller) -> Answer {
    let person = caller.require_person()?;
    let state = shared.lock();
    ok(shape::account::public(&shared.urls, state.account(person)))
}

/// `GET /user/{account_id}`
pub(crate) async fn by_id(
    State(shared): State<Arc<Shared>>,
    _caller: Caller,
    Path(id): Path<AccountId>,
) -> Answer {
    let state = shared.lock();
    let account = state.accounts.get(&id).ok_or(Failure::NotFound)?;
    ok(shape::account::public(&shared.urls, account))
}

/// `GET /repos/{owner}/{repo}/collaborators/{username}/permission`
pub(crate) async fn permission(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path((owner, name, login)): Path<(String, String, String)>,
) -> Answer {
    let state = shared.lock();
    let repository = caller.enter(
        &state,
        &owner,
        &name,
        &[(Permission::Metadata, Level::Read)],
    )?;
    let account = state.find_account(&login).ok_or(Failure::NotFound)?;
    let role = match account.kind {
        // GitHub knows the rights of an App's account by its installation, and says nothing of them.
        Kind::Bot => Role::None,
        Kind::User | Kind::Organisation => state.role(repository, account.id),
    };
    ok(shape::account::permission(&shared.urls, account, &role))
}
