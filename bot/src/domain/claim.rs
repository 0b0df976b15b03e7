//! Which recipe holds a name.
//!
//! In the channel a name belongs to one recipe: two recipes of one name would overwrite each
//! other's packages. So every recipe at the head of a default branch claims its name. The oldest
//! claim wins, for as long as its recipe exists under that name. Names in a pull request are
//! checked as if it were merged, but a pull request claims nothing.

use std::collections::{BTreeMap, BTreeSet};

use api::id::{RecipeFolder, RecipeName};
use serde::{Deserialize, Serialize};

use super::name::RepositoryId;

/// A recipe's claim on its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The repository.
    pub repository: RepositoryId,
    /// The repository's default branch.
    pub branch: String,
    /// Where the recipe lies.
    pub folder: RecipeFolder,
    /// The name.
    pub name: RecipeName,
    /// Its number among all claims; a lower number is an older claim.
    pub since: u64,
}

/// The names of a head's changed recipes by folder; none for a recipe that cannot be read.
pub type Names = BTreeMap<RecipeFolder, Option<RecipeName>>;

/// The recipe that holds a name which another recipe wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The repository.
    pub repository: RepositoryId,
    /// The folder.
    pub folder: RecipeFolder,
}

impl From<Claim> for Holder {
    fn from(claim: Claim) -> Self {
        Self {
            repository: claim.repository,
            folder: claim.folder,
        }
    }
}

/// The oldest of the claims on one name: the one that wins.
pub fn first(claims: impl IntoIterator<Item = Claim>) -> Option<Claim> {
    claims.into_iter().min_by_key(|claim| claim.since)
}

/// The recipes of a pull request whose name another recipe holds, each with that holder.
///
/// `claims` are all claims on these names. A claim of the pull request's own `repository` counts
/// only if it would survive a merge.
pub fn taken_in_pull(
    repository: RepositoryId,
    names: &Names,
    removed: &BTreeSet<RecipeFolder>,
    claims: Vec<Claim>,
) -> BTreeMap<RecipeFolder, Holder> {
    let stands = |claim: &Claim| {
        claim.repository != repository
            || match names.get(&claim.folder) {
                Some(Some(name)) => *name == claim.name,
                Some(None) => true,
                None => !removed.contains(&claim.folder),
            }
    };
    let mut holders: BTreeMap<RecipeName, Holder> = BTreeMap::new();
    let mut claims: Vec<Claim> = claims.into_iter().filter(stands).collect();
    claims.sort_by_key(|claim| claim.since);
    for claim in claims {
        holders.entry(claim.name).or_insert(Holder {
            repository: claim.repository,
            folder: claim.folder,
        });
    }
    let mut taken = BTreeMap::new();
    for (folder, name) in names {
        let Some(name) = name else {
            continue;
        };
        let own = Holder {
            repository,
            folder: folder.clone(),
        };
        let holder = holders.entry(name.clone()).or_insert_with(|| own.clone());
        if *holder != own {
            taken.insert(folder.clone(), holder.clone());
        }
    }
    taken
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use super::*;

    fn claim(repository: u64, folder: &str, name: &str, since: u64) -> Claim {
        Claim {
            repository: RepositoryId::new(repository),
            branch: "main".to_owned(),
            folder: folder.parse().unwrap(),
            name: name.parse().unwrap(),
            since,
        }
    }

    fn taken(brings: &[(&str, Option<&str>)], removed: &[&str], claims: &[Claim]) -> Vec<String> {
        let names = brings.iter().map(|(folder, name)| {
            let name = name.map(|name| name.parse().unwrap());
            (folder.parse().unwrap(), name)
        });
        let removed = removed.iter().map(|folder| folder.parse().unwrap());
        let own = RepositoryId::new(1);
        let taken = taken_in_pull(own, &names.collect(), &removed.collect(), claims.to_vec());
        let said = taken
            .iter()
            .map(|(folder, holder)| format!("{folder}: {} {}", holder.repository, holder.folder));
        said.collect()
    }

    #[test]
    fn a_newcomer_does_not_get_a_name_that_is_taken() {
        let nano = claim(1, "n/nano", "nano", 1);
        let brings = [("n/nano-git", Some("nano"))];
        assert_eq!(taken(&brings, &[], &[]), [""; 0]);
        assert_eq!(
            taken(&brings, &[], from_ref(&nano)),
            ["n/nano-git: 1 n/nano"]
        );
        // Moved, not copied.
        assert_eq!(taken(&brings, &["n/nano"], from_ref(&nano)), [""; 0]);
        // Of another repository, a folder of that path is none of ours.
        let foreign = claim(2, "n/nano", "nano", 1);
        assert_eq!(
            taken(&brings, &["n/nano"], &[foreign]),
            ["n/nano-git: 2 n/nano"]
        );
        // The holder may change, also so that it cannot be read, and may give the name away.
        let with = |nano_is| [("n/nano", nano_is), ("n/nano-git", Some("nano"))];
        let held = ["n/nano-git: 1 n/nano"];
        assert_eq!(taken(&with(Some("nano")), &[], from_ref(&nano)), held);
        assert_eq!(taken(&with(None), &[], from_ref(&nano)), held);
        assert_eq!(taken(&with(Some("pico")), &[], &[nano]), [""; 0]);
    }

    #[test]
    fn of_two_newcomers_the_first_folder_counts() {
        let brings = [("b", Some("nano")), ("a", Some("nano")), ("c", None)];
        assert_eq!(taken(&brings, &[], &[]), ["b: 1 a"]);
    }

    #[test]
    fn the_first_claim_counts() {
        let claims = [claim(1, "a", "nano", 7), claim(2, "b", "nano", 3)];
        assert_eq!(first(claims.clone()).unwrap().since, 3);
        // One that was refused before stays so.
        let brings = [("a", Some("nano"))];
        assert_eq!(taken(&brings, &[], &claims), ["a: 2 b"]);
    }
}
