//! Keeps the claims on names, and revives a recipe that gets its name.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use api::id::{BuildId, RecipeFolder, RecipeName};
use jiff::Timestamp;
use moss_db::{Error, RoTxn, RwTxn};

use super::released::Released;
use crate::db::{RecipePlace, Tables, Write, claim_key};
use crate::domain::build::{FailureKind, State, Target};
use crate::domain::claim::{self, Claim, Holder, Names};
use crate::domain::name::RepositoryId;
use crate::domain::plan::{self, Frame};

/// The holders of the names in a plan.
#[derive(Debug, Default)]
pub(super) struct Standings {
    /// The recipes whose name belongs to another one.
    pub(super) taken: BTreeMap<RecipeFolder, Holder>,
    /// The last known names of unreadable recipes.
    pub(super) known: HashMap<RecipeFolder, RecipeName>,
    /// The claims that became first on their name.
    pub(super) freed: Vec<Claim>,
}

/// Updates the claims of a branch to its head. Compares the recipes of a target with all claims.
/// `branch` is the branch into which a pull request or a merge group is to be merged.
pub(super) fn settle(
    tables: &Tables,
    txn: &mut RwTxn<'_>,
    frame: &Frame,
    branch: Option<&str>,
    names: &Names,
    removed: &BTreeSet<RecipeFolder>,
) -> Result<Standings, Error> {
    match &frame.target {
        Target::Branch { name } => {
            settle_branch(tables, txn, frame.repository, name, names, removed)
        }
        Target::Pull { .. } | Target::Group { .. } => {
            let wanted: BTreeSet<&RecipeName> = names.values().flatten().collect();
            let mut claims = Vec::new();
            for name in wanted {
                claims.extend(standing(tables, txn, name)?);
            }
            // Another branch of the repository has recipes of its own.
            let is_ours = |claim: &Claim| claim.repository == frame.repository;
            claims.retain(|claim| !is_ours(claim) || Some(claim.branch.as_str()) == branch);
            Ok(Standings {
                taken: claim::taken_in_pull(frame.repository, names, removed, claims),
                ..Standings::default()
            })
        }
    }
}

fn settle_branch(
    tables: &Tables,
    txn: &mut RwTxn<'_>,
    repository: RepositoryId,
    branch: &str,
    names: &Names,
    removed: &BTreeSet<RecipeFolder>,
) -> Result<Standings, Error> {
    let target = Target::Branch {
        name: branch.to_owned(),
    };
    let mut standings = Standings::default();
    let mut given_up: BTreeSet<RecipeName> = BTreeSet::new();
    let rows = tables.claims.iter_prefix(txn, &repository.number())?;
    let rows = rows.collect::<Result<Vec<_>, Error>>()?;
    let mut kept = BTreeSet::new();
    for (key, claim) in rows {
        let stays = match names.get(&claim.folder) {
            _ if claim.branch != branch => false,
            Some(Some(name)) => *name == claim.name,
            Some(None) => {
                // An unreadable recipe keeps its claim; it may be readable again soon.
                standings
                    .known
                    .insert(claim.folder.clone(), claim.name.clone());
                true
            }
            None => !removed.contains(&claim.folder),
        };
        if stays {
            kept.insert(claim.folder);
        } else {
            tables.claims.delete(txn, &key)?;
            given_up.insert(claim.name);
        }
    }
    for (folder, name) in names {
        if let Some(name) = name
            && !kept.contains(folder)
        {
            let claim = Claim {
                repository,
                branch: branch.to_owned(),
                folder: folder.clone(),
                name: name.clone(),
                since: tables.claimed.next(txn)?,
            };
            let key = claim_key(repository, &target, folder);
            tables.claims.put(txn, &key, &claim)?;
        }
    }
    for (folder, name) in names {
        let known = standings.known.get(folder);
        if let Some(name) = name.as_ref().or(known)
            && let Some(holder) = holder(tables, txn, name)?
            && (holder.repository, &holder.folder) != (repository, folder)
        {
            standings.taken.insert(folder.clone(), holder.into());
        }
    }
    for name in given_up {
        standings.freed.extend(holder(tables, txn, &name)?);
    }
    Ok(standings)
}

/// Deletes all claims of a repository. Returns the claims that became first on their name.
pub(super) fn let_go(
    tables: &Tables,
    txn: &mut RwTxn<'_>,
    repository: RepositoryId,
) -> Result<Vec<Claim>, Error> {
    let rows = tables.claims.iter_prefix(txn, &repository.number())?;
    let rows = rows.collect::<Result<Vec<_>, Error>>()?;
    let mut given_up = BTreeSet::new();
    for (key, claim) in rows {
        tables.claims.delete(txn, &key)?;
        given_up.insert(claim.name);
    }
    let mut freed = Vec::new();
    for name in given_up {
        freed.extend(holder(tables, txn, &name)?);
    }
    Ok(freed)
}

/// The valid claims on a name: those of branches that are still published.
fn standing(tables: &Tables, txn: &RoTxn<'_>, name: &RecipeName) -> Result<Vec<Claim>, Error> {
    let rows = tables
        .claims
        .find_by(txn, &tables.claims_by_name, &name.to_string())?;
    let mut claims = Vec::new();
    for row in rows {
        let (_, claim) = row?;
        let repository = tables.repositories.find(txn, &claim.repository.number())?;
        if repository.is_some_and(|repository| repository.default_branch == claim.branch) {
            claims.push(claim);
        }
    }
    Ok(claims)
}

/// The holder of a name.
///
/// # Errors
/// When the database fails.
pub(in crate::usecase) fn holder(
    tables: &Tables,
    txn: &RoTxn<'_>,
    name: &RecipeName,
) -> Result<Option<Claim>, Error> {
    Ok(claim::first(standing(tables, txn, name)?))
}

/// Makes new builds of recipes that were refused and now hold their name, in this repository or
/// another. The caller orders them with the rest. `names` are the repository's recipes in this
/// plan.
pub(super) fn revive(
    tables: &Tables,
    txn: &mut Write<'_, '_>,
    (repository, now): (RepositoryId, Timestamp),
    freed: Vec<Claim>,
    names: &Names,
    channels: &Released,
) -> Result<Vec<BuildId>, Error> {
    let mut revived = Vec::new();
    for claim in freed {
        let is_planned = claim.repository == repository && names.contains_key(&claim.folder);
        if is_planned {
            continue;
        }
        let target = Target::Branch { name: claim.branch };
        for (profile, released) in &channels.0 {
            let place = RecipePlace {
                repository: claim.repository,
                target: &target,
                profile,
                folder: &claim.folder,
            };
            let Some(refused) = tables.newest_of_recipe(txn, place)? else {
                continue;
            };
            let is_refused = matches!(
                &refused.state,
                State::Failed(failure) if failure.kind == FailureKind::NameTaken
            );
            if is_refused {
                let build = plan::again(
                    &refused,
                    BuildId::new(),
                    now,
                    released.snapshot.release_of(refused.recipe.as_str()),
                );
                tables.put_build(txn, &build)?;
                revived.push(build.id);
            }
        }
    }
    Ok(revived)
}

#[cfg(test)]
pub(super) mod tests;
