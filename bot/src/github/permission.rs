//! Roles: who may write.

use http::Method;
use serde::Deserialize;

use super::App;
use super::call::Error;
use crate::db::Repository;
use crate::domain::name::UserId;

/// A person with the present login.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Person {
    /// The id, which never changes.
    pub id: UserId,
    /// The login, which may change.
    pub login: String,
}

/// What a person may do in a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    name: String,
    writes: bool,
}

/// Proof that the person who asks may write in the repository concerned.
#[derive(Debug)]
pub struct Authorised<T>(T);

impl<T> Authorised<T> {
    /// The authorised request.
    pub fn asked(&self) -> &T {
        &self.0
    }

    /// Carries the proof over to a request derived from this one, in the same repository.
    pub fn comes_to<U>(&self, what: U) -> Authorised<U> {
        Authorised(what)
    }
}

impl Role {
    /// Wraps `asked` in the proof, if the person may push.
    pub fn authorise<T>(&self, asked: T) -> Option<Authorised<T>> {
        self.writes.then_some(Authorised(asked))
    }

    /// The role of a person who may push.
    #[cfg(test)]
    pub(crate) fn writer() -> Self {
        Self {
            name: "write".to_owned(),
            writes: true,
        }
    }

    /// True when the person may push.
    pub fn may_write(&self) -> bool {
        self.writes
    }

    /// The role's name. An organisation may have defined it.
    pub fn name(&self) -> &str {
        &self.name
    }
}

#[derive(Deserialize)]
struct Permission {
    permission: String,
    #[serde(default)]
    role_name: Option<String>,
    user: Option<PermissionUser>,
}

#[derive(Deserialize)]
struct PermissionUser {
    id: UserId,
    permissions: Option<Permissions>,
}

#[derive(Deserialize)]
struct Permissions {
    #[serde(default)]
    push: bool,
    #[serde(default)]
    maintain: bool,
    #[serde(default)]
    admin: bool,
}

impl Permission {
    /// Uses `role_name` if it is one of GitHub's own roles. For a custom role it uses the
    /// permissions.
    fn into_role(self) -> Role {
        let name = self.role_name.unwrap_or_else(|| self.permission.clone());
        let writes = match name.as_str() {
            "admin" | "maintain" | "write" => true,
            "triage" | "read" | "none" | "" => false,
            _ => match self.user.and_then(|user| user.permissions) {
                Some(may) => may.push || may.maintain || may.admin,
                None => matches!(self.permission.as_str(), "admin" | "write"),
            },
        };
        Role { name, writes }
    }
}

impl App {
    /// The present role of the person with this id. A login may have changed hands, so this
    /// function first looks up the login of the id. `None` when the person no longer exists.
    ///
    /// # Errors
    /// When a request to GitHub fails.
    pub async fn find_role(
        &self,
        repository: &Repository,
        id: UserId,
    ) -> Result<Option<(Person, Role)>, Error> {
        let path = format!("/user/{id}");
        let installation = repository.installation;
        let person = match self
            .as_installation::<Person>(installation, Method::GET, &path, None::<&()>)
            .await
        {
            Ok(answer) => answer.body,
            Err(error) if error.is_missing() => return Ok(None),
            Err(error) => return Err(error),
        };
        let login = percent_encoding::utf8_percent_encode(
            &person.login,
            percent_encoding::NON_ALPHANUMERIC,
        );
        let path = format!(
            "/repos/{}/collaborators/{login}/permission",
            repository.name
        );
        let answer = self
            .as_installation::<Permission>(installation, Method::GET, &path, None::<&()>)
            .await;
        let permission = match answer {
            Ok(answer) => answer.body,
            Err(error) if error.is_missing() => return Ok(None),
            Err(error) => return Err(error),
        };
        // The login passed to someone else between the two requests.
        if permission.user.as_ref().is_some_and(|user| user.id != id) {
            return Ok(None);
        }
        Ok(Some((person, permission.into_role())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may_write(json: &str) -> bool {
        serde_json::from_str::<Permission>(json)
            .unwrap()
            .into_role()
            .may_write()
    }

    #[test]
    fn roles_are_read_by_name_and_custom_ones_by_what_they_allow() {
        assert!(may_write(
            r#"{"permission":"write","role_name":"maintain","user":null}"#
        ));
        assert!(!may_write(
            r#"{"permission":"read","role_name":"triage","user":null}"#
        ));
        // The legacy field folds an unknown role into a known one. The user's own permissions are
        // exact.
        assert!(may_write(
            r#"{"permission":"read","role_name":"packager","user":{"id":1,"permissions":{"pull":true,"push":true}}}"#
        ));
        assert!(!may_write(
            r#"{"permission":"write","role_name":"reporter","user":{"id":1,"permissions":{"pull":true,"push":false}}}"#
        ));
        assert!(may_write(
            r#"{"permission":"admin","role_name":"boss","user":{"id":1}}"#
        ));
        assert!(!may_write(
            r#"{"permission":"none","role_name":"","user":null}"#
        ));
    }
}
