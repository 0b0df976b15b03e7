//! Repositories that are made, from nothing or as forks.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config;
use crate::forge::{Forge, blocking};
use crate::git;
use crate::git::refs::{self, Refs};
use crate::id::{AccountId, RepositoryId};
use crate::name::{Branch, FullName, Login};
use crate::people::{Refused, account, repository};
use crate::push;
use crate::state::repository::{Activity, Repository, Standing, Visibility};
use crate::state::{self, State};
use crate::webhook::event;

impl Forge {
    /// Makes a repository `owner/name` with the default branch `main`, or takes over the one
    /// that an earlier forge left in the data folder.
    ///
    /// # Errors
    /// When the name is none or taken, the owner is missing, or git fails.
    pub async fn create_repository(&self, name: &str) -> Result<RepositoryId, Refused> {
        self.create_repository_on(name, config::main_branch()).await
    }

    /// As [`Self::create_repository`], with another default branch.
    ///
    /// # Errors
    /// When the name is none or taken, the owner is missing, or git fails.
    pub async fn create_repository_on(
        &self,
        name: &str,
        default_branch: Branch,
    ) -> Result<RepositoryId, Refused> {
        let full_name: FullName = name.parse()?;
        let place = self.free_place(full_name)?;
        let (folder, branch) = (place.path.clone(), default_branch.clone());
        let refs = blocking(move || {
            git::init(&folder, &branch)?;
            refs::read(&folder)
        });
        let refs = refs.await?;
        self.insert_repository(place, default_branch, &refs, None)
    }

    /// Where a repository that is not there yet is made.
    fn free_place(&self, name: FullName) -> Result<Place, Refused> {
        let state = self.shared.lock();
        if state.has_repository(name.owner(), name.name()) {
            return Err(Refused::taken("repository", name));
        }
        let owner = account(&state, name.owner().as_str())?;
        let root = state::repository::root(&self.shared.data);
        let own = state::repository::folder(&state.account(owner).login, name.name());
        let folder = free_folder(&state, owner, &name, &root);
        let path = root.join(folder.as_ref().unwrap_or(&own));
        Ok(Place {
            name,
            owner,
            folder,
            path,
        })
    }

    fn insert_repository(
        &self,
        place: Place,
        default_branch: Branch,
        refs: &Refs,
        parent: Option<RepositoryId>,
    ) -> Result<RepositoryId, Refused> {
        let now = self.shared.clock.now();
        let mut state = self.shared.lock();
        if state.has_repository(place.name.owner(), place.name.name()) {
            return Err(Refused::taken("repository", place.name));
        }
        let id = state.insert_repository(Repository {
            id: RepositoryId::new(0),
            owner: place.owner,
            name: place.name.name().clone(),
            default_branch,
            parent,
            standing: Standing::Here,
            roles: BTreeMap::new(),
            folder: place.folder,
            activity: Activity::Active,
            visibility: Visibility::Private,
            path: place.path,
            last_number: 0,
            created_at: now,
            pushed_at: now,
            refs_lock: Arc::default(),
        });
        push::adopt(&mut state, id, refs);
        if let Some(parent) = parent {
            let (parent, fork) = (
                state.repository(parent).clone(),
                state.repository(id).clone(),
            );
            event::forked(&self.shared, &mut state, &parent, &fork, place.owner);
        }
        drop(state);
        self.shared.changed();
        Ok(id)
    }

    /// Forks a repository into a person's account, under the same name.
    ///
    /// # Errors
    /// When either is missing, the fork is there already, or git fails.
    pub async fn fork(&self, parent: &str, login: &str) -> Result<FullName, Refused> {
        let (name, parent_id, from, branch) = {
            let state = self.shared.lock();
            let parent = repository(&state, parent)?;
            let owner: Login = login.parse()?;
            let name = FullName::new(owner, parent.name.clone());
            (
                name,
                parent.id,
                parent.path.clone(),
                parent.default_branch.clone(),
            )
        };
        let place = self.free_place(name.clone())?;
        let (into, default) = (place.path.clone(), branch.clone());
        let refs = blocking(move || {
            git::fork(&from, &into, &default)?;
            refs::read(&into)
        });
        let refs = refs.await?;
        self.insert_repository(place, branch, &refs, Some(parent_id))?;
        Ok(name)
    }
}

/// Where a repository is to be made.
struct Place {
    name: FullName,
    owner: AccountId,
    /// Below the folder of all, if not where its name says.
    folder: Option<String>,
    path: PathBuf,
}

/// Where a repository is to be made, if a renamed one lies where its name says.
fn free_folder(state: &State, owner: AccountId, name: &FullName, root: &Path) -> Option<String> {
    let taken: BTreeSet<_> = state
        .standing_repositories()
        .map(|record| record.path.as_path())
        .collect();
    let is_free = |folder: &String| !taken.contains(root.join(folder).as_path());
    let login = &state.account(owner).login;
    if is_free(&state::repository::folder(login, name.name())) {
        return None;
    }
    (2..)
        .map(|attempt| state::repository::other_folder(login, name.name(), attempt))
        .find(is_free)
}
