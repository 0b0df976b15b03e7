//! Who asks: the App with its JWT, an installation with its token, or a person with theirs.

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, header};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, Validation};
use serde::Deserialize;

use crate::forge::Shared;
use crate::id::AccountId;
use crate::rest::failure::Failure;
use crate::rights::{self, Deed, SUSPENDED};
use crate::state::State;
use crate::state::access::{Grant, Level, Permission};
use crate::state::repository::{Repository, Right};

/// The one who asks.
#[derive(Debug, Clone)]
pub(crate) enum Caller {
    /// The App itself.
    App,
    /// An installation of it.
    Installation(Grant),
    /// A person.
    User(AccountId),
}

/// As long as an App's JWT may live.
const MAX_LIFE: i64 = 600;
/// How far the App's clock may be ahead.
const MAX_SKEW: i64 = 60;

const NOT_ACCESSIBLE: &str = "Resource not accessible by integration";
const NO_JWT: &str = "A JSON web token could not be decoded";

impl Caller {
    /// Reads the `Authorization` header.
    pub(crate) fn identify(shared: &Shared, headers: &HeaderMap) -> Result<Self, Failure> {
        let value = headers
            .get(header::AUTHORIZATION)
            .ok_or(Failure::NoCredentials)?;
        let value = value
            .to_str()
            .map_err(|_| Failure::Credentials("Bad credentials"))?;
        let token = match value.split_once(' ') {
            Some((scheme, token))
                if scheme.eq_ignore_ascii_case("bearer")
                    || scheme.eq_ignore_ascii_case("token") =>
            {
                token.trim().to_owned()
            }
            _ => crate::smart::password(headers).ok_or(Failure::Credentials("Bad credentials"))?,
        };
        if token.bytes().filter(|byte| *byte == b'.').count() == 2 {
            verify_app(shared, &token)?;
            return Ok(Self::App);
        }
        let state = shared.lock();
        if let Some(grant) = state.tokens.find_grant(&token, shared.clock.now()) {
            if state.suspensions.contains_key(&grant.installation) {
                return Err(Failure::Forbidden(SUSPENDED));
            }
            return Ok(Self::Installation(grant.clone()));
        }
        state
            .tokens
            .find_user(&token)
            .map(Self::User)
            .ok_or(Failure::Credentials("Bad credentials"))
    }

    /// Lets only the App on.
    pub(crate) fn require_app(&self) -> Result<(), Failure> {
        match self {
            Self::App => Ok(()),
            Self::Installation(_) | Self::User(_) => Err(Failure::Credentials(NO_JWT)),
        }
    }

    /// Lets only an installation on.
    pub(crate) fn require_installation(&self) -> Result<&Grant, Failure> {
        match self {
            Self::Installation(grant) => Ok(grant),
            Self::App | Self::User(_) => Err(Failure::Forbidden(
                "You must authenticate with an installation access token in order to list \
                 repositories for an installation.",
            )),
        }
    }

    /// Lets on whoever has any of the permissions in the repository. Where it may not even be
    /// seen it does not exist.
    pub(crate) fn enter<'state>(
        &self,
        state: &'state State,
        owner: &str,
        name: &str,
        any_of: &[(Permission, Level)],
    ) -> Result<&'state Repository, Failure> {
        let repository = state
            .find_repository(owner, name)
            .ok_or(Failure::NotFound)?;
        match self {
            Self::App => Err(Failure::Forbidden(NOT_ACCESSIBLE)),
            Self::Installation(grant) => {
                if !self.may_see(state, repository) {
                    return Err(Failure::NotFound);
                }
                let allowed = any_of
                    .iter()
                    .any(|(permission, level)| grant.allows(*permission, *level));
                if allowed {
                    Ok(repository)
                } else {
                    Err(Failure::Forbidden(NOT_ACCESSIBLE))
                }
            }
            Self::User(account) => {
                if !self.may_see(state, repository) {
                    return Err(Failure::NotFound);
                }
                let right = state.role(repository, *account).right();
                let allowed = any_of.iter().any(|(permission, level)| {
                    needed(*permission, *level).is_some_and(|needed| right >= needed)
                });
                if allowed {
                    Ok(repository)
                } else {
                    Err(Failure::Forbidden(
                        "You must authenticate via a GitHub App.",
                    ))
                }
            }
        }
    }

    /// Lets on an installation on an organisation that has a permission, and the people of its teams.
    /// Gives the organisation.
    pub(crate) fn enter_organisation(
        &self,
        state: &State,
        login: &str,
        (permission, level): (Permission, Level),
    ) -> Result<AccountId, Failure> {
        let account = state.find_account(login).ok_or(Failure::NotFound)?.id;
        match self {
            Self::App => Err(Failure::Forbidden(NOT_ACCESSIBLE)),
            Self::Installation(grant) => {
                if state.installations.get(&grant.installation) != Some(&account) {
                    return Err(Failure::NotFound);
                }
                if grant.allows(permission, level) {
                    Ok(account)
                } else {
                    Err(Failure::Forbidden(NOT_ACCESSIBLE))
                }
            }
            Self::User(person) => state
                .teams
                .iter()
                .any(|((of, _), team)| *of == account && team.members.contains(person))
                .then_some(account)
                .ok_or(Failure::NotFound),
        }
    }

    /// Whether a repository is there for the caller.
    pub(crate) fn may_see(&self, state: &State, repository: &Repository) -> bool {
        match self {
            Self::App => false,
            Self::Installation(grant) => {
                let installation = state.installation_of(repository);
                installation == Some(grant.installation) && grant.reaches(repository.id)
            }
            Self::User(account) => state.role(repository, *account).right() >= Right::Pull,
        }
    }

    /// Refuses a person whose role does not suffice. What an App may do, its permissions say.
    pub(crate) fn check(
        &self,
        state: &State,
        repository: &Repository,
        deed: Deed,
    ) -> Result<(), Failure> {
        match self {
            Self::App | Self::Installation(_) => Ok(()),
            Self::User(person) => Ok(rights::check(state, repository, *person, deed)?),
        }
    }

    /// Lets only a person on.
    pub(crate) fn require_person(&self) -> Result<AccountId, Failure> {
        match self {
            Self::App | Self::Installation(_) => Err(Failure::Forbidden(NOT_ACCESSIBLE)),
            Self::User(person) => Ok(*person),
        }
    }

    /// The account that acts.
    pub(crate) fn account(&self, state: &State) -> AccountId {
        match self {
            Self::App | Self::Installation(_) => state.bot,
            Self::User(account) => *account,
        }
    }
}

/// The right a person needs for what an App needs a permission for. Check runs are only for Apps.
fn needed(permission: Permission, level: Level) -> Option<Right> {
    match level {
        Level::Read => Some(Right::Pull),
        Level::Write if permission == Permission::Checks => None,
        Level::Write if matches!(permission, Permission::Issues | Permission::PullRequests) => {
            Some(Right::Pull)
        }
        Level::Write => Some(Right::Push),
    }
}

#[derive(Deserialize)]
struct Claims {
    iss: Issuer,
    iat: i64,
    exp: i64,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Issuer {
    Number(u64),
    Text(String),
}

fn verify_app(shared: &Shared, token: &str) -> Result<(), Failure> {
    let mut validation = Validation::new(Algorithm::RS256);
    // Times are checked below, against the forge's clock and GitHub's rules.
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let claims = jsonwebtoken::decode::<Claims>(token, &shared.app_key, &validation)
        .map_err(|_| Failure::Credentials(NO_JWT))?
        .claims;
    let known = match &claims.iss {
        Issuer::Number(number) => *number == shared.app.id,
        Issuer::Text(text) => *text == shared.app.client_id || *text == shared.app.id.to_string(),
    };
    if !known {
        return Err(Failure::Credentials("Integration not found"));
    }
    check_times(claims.iat, claims.exp, shared.clock.now())
}

fn check_times(iat: i64, exp: i64, now: Timestamp) -> Result<(), Failure> {
    let now = now.as_second();
    if iat > now + MAX_SKEW {
        return Err(Failure::Credentials(
            "'Issued at' claim ('iat') must be an Integer representing the time that the \
             assertion was issued",
        ));
    }
    if exp <= now {
        return Err(Failure::Credentials(
            "'Expiration time' claim ('exp') must be a numeric value representing the future \
             time at which the assertion expires",
        ));
    }
    if exp > now + MAX_LIFE {
        return Err(Failure::Credentials(
            "'Expiration time' claim ('exp') is too far in the future",
        ));
    }
    Ok(())
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Failure> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or(Failure::NoCredentials)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jwt_lives_ten_minutes_at_most() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        assert!(check_times(999_940, 1_000_600, now).is_ok());
        assert!(check_times(999_940, 1_000_601, now).is_err(), "too far");
        assert!(check_times(999_940, 1_000_000, now).is_err(), "over");
        assert!(
            check_times(1_000_061, 1_000_300, now).is_err(),
            "from the future"
        );
    }
}
