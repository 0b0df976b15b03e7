//! The names of check runs.
//!
//! GitHub counts the newest run of a name on a head, and rules of branches require checks by their
//! names. So a name is one recipe's alone in a repository, and follows from where the recipe lies
//! and what it is called, not from what else a push brings.

use api::id::{Architecture, RecipeFolder, RecipeName, Sha256};

/// The most characters of a folder in a name.
const MAX_FOLDER: usize = 160;

/// The run of a build that stands for all recipes of a head.
pub const WHOLE: &str = "recipes";

/// Whether a recipe has its name for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It has.
    Holder,
    /// Another recipe has it.
    Refused,
}

/// The name of the check run of a recipe: `build nano` where the recipe nano lies in a folder of
/// that name, or at the top; else with the whole folder, which holds a `/` as no recipe's name does.
///
/// Where there is more than one profile, the name ends with that which is built for.
pub fn of_recipe(
    folder: &RecipeFolder,
    name: &RecipeName,
    standing: Standing,
    profile: Option<&Architecture>,
) -> String {
    let name = of_folder(folder, name, standing);
    match profile {
        Some(profile) => format!("{name} ({profile})"),
        None => name,
    }
}

fn of_folder(folder: &RecipeFolder, name: &RecipeName, standing: Standing) -> String {
    let path = folder.as_str();
    let last = path.rsplit('/').next().unwrap_or(path);
    let is_called_alike = path == "." || last == name.as_str();
    match standing {
        Standing::Holder if is_called_alike => format!("build {name}"),
        Standing::Holder | Standing::Refused => match path {
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
            ("n/nano", "nano", Standing::Holder, "build nano"),
            ("nano", "nano", Standing::Refused, "build ./nano"),
            ("m/nano", "nano", Standing::Refused, "build m/nano"),
            ("n/nano-git", "nano", Standing::Refused, "build n/nano-git"),
            ("n/nano-git", "pico", Standing::Holder, "build n/nano-git"),
            ("pico", "tiny", Standing::Holder, "build ./pico"),
            (".", "top", Standing::Holder, "build top"),
            (".", "nano", Standing::Refused, "build ./"),
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
        let named = ["a", "b"]
            .map(|end| of_recipe(&deep(end), &"nano".parse().unwrap(), Standing::Holder, None));
        assert_eq!(BTreeSet::from(named.clone()).len(), 2);
        assert!(named[0].chars().count() < 200);
    }
}
