//! The names of check runs.
//!
//! For each name, GitHub uses the newest run on a head, and branch protection rules require checks
//! by name. So each recipe of a repository has a check name of its own. The name depends only on
//! the recipe's folder and name, never on the other recipes of a push.

use api::id::{Architecture, RecipeFolder, RecipeName, Sha256};

/// How many characters of a folder's path a check name has at most.
const MAX_FOLDER: usize = 160;

/// The check name of a head, whatever it changes; the one that branch rules require.
pub const HEAD: &str = "snekbook";

/// Whether a recipe holds the claim on its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameClaim {
    /// It does.
    Holder,
    /// Another recipe holds the claim.
    Refused,
}

/// The check name of a recipe.
///
/// It is `build nano` when the recipe nano holds its name and lies in a folder called `nano`, or at
/// the top of the repository. Otherwise it has the whole folder. A folder is always written with a
/// `/`, which no recipe name has, so the two forms cannot collide.
///
/// With more than one profile, the profile is appended.
pub fn of_recipe(
    folder: &RecipeFolder,
    name: &RecipeName,
    standing: NameClaim,
    profile: Option<&Architecture>,
) -> String {
    let name = of_folder(folder, name, standing);
    match profile {
        Some(profile) => format!("{name} ({profile})"),
        None => name,
    }
}

fn of_folder(folder: &RecipeFolder, name: &RecipeName, standing: NameClaim) -> String {
    let path = folder.as_str();
    let last = path.rsplit('/').next().unwrap_or(path);
    let is_called_alike = path == "." || last == name.as_str();
    match standing {
        NameClaim::Holder if is_called_alike => format!("build {name}"),
        NameClaim::Holder | NameClaim::Refused => match path {
            "." => "build ./".to_owned(),
            path if path.chars().count() > MAX_FOLDER => {
                let start: String = path.chars().take(MAX_FOLDER).collect();
                let digest = Sha256::of(path.as_bytes()).to_string();
                format!("build {start}…/{}", &digest[..12])
            }
            path if path.contains('/') => format!("build {path}"),
            path => format!("build ./{path}"),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_name_is_one_recipes_alone() {
        let cases = [
            ("n/nano", "nano", NameClaim::Holder, "build nano"),
            ("nano", "nano", NameClaim::Refused, "build ./nano"),
            ("m/nano", "nano", NameClaim::Refused, "build m/nano"),
            ("n/nano-git", "nano", NameClaim::Refused, "build n/nano-git"),
            ("n/nano-git", "pico", NameClaim::Holder, "build n/nano-git"),
            ("pico", "tiny", NameClaim::Holder, "build ./pico"),
            (".", "top", NameClaim::Holder, "build top"),
            (".", "nano", NameClaim::Refused, "build ./"),
        ];
        for (folder, name, standing, expected) in cases {
            let named = of_recipe(
                &folder.parse().unwrap(),
                &name.parse().unwrap(),
                standing,
                None,
            );
            assert_eq!(named, expected);
        }
        let deep = |end: &str| format!("{}/{end}", "d".repeat(400)).parse().unwrap();
        let named = ["a", "b"].map(|end| {
            of_recipe(
                &deep(end),
                &"nano".parse().unwrap(),
                NameClaim::Holder,
                None,
            )
        });
        assert_eq!(BTreeSet::from(named.clone()).len(), 2);
        assert!(named[0].chars().count() < 200);
    }
}
