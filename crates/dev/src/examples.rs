//! The sample recipes in `examples/` and the archives of their sources, built into the binary so
//! that it needs nothing beside itself.

use std::borrow::Cow;

use crate::archive;
use crate::recipes::{File, Recipe, Recipes};

/// A file of `examples/`.
struct Example {
    path: &'static str,
    content: &'static [u8],
}

macro_rules! examples {
    ($($path:literal,)*) => {
        &[$(Example {
            path: $path,
            content: include_bytes!(concat!("../../../examples/", $path)),
        }),*]
    };
}

/// All files but the sources.
const RECIPES: &[Example] = examples![
    "recipes/snekcoil/manifest.x86_64.bin",
    "recipes/snekcoil/manifest.x86_64.jsonc",
    "recipes/snekcoil/stone.yaml",
    "recipes/sneksay/manifest.x86_64.bin",
    "recipes/sneksay/manifest.x86_64.jsonc",
    "recipes/sneksay/stone.yaml",
];

/// The sources.
const SOURCES: &[Example] = examples![
    "sources/snekcoil/Makefile",
    "sources/snekcoil/check.c",
    "sources/snekcoil/snekcoil.3",
    "sources/snekcoil/snekcoil.c",
    "sources/snekcoil/snekcoil.h",
    "sources/snekcoil/snekcoil.map",
    "sources/snekcoil/snekcoil.pc.in",
    "sources/sneksay/Makefile",
    "sources/sneksay/sneksay.1",
    "sources/sneksay/sneksay.c",
    "sources/sneksay/tests/hello.txt",
];

/// Each folder of sources, and the name and version that its archive has.
const ARCHIVES: [(&str, &str); 2] = [("snekcoil", "snekcoil-1.0.0"), ("sneksay", "sneksay-2.1.0")];

/// The sample recipes.
pub fn recipes() -> Recipes {
    let mut recipes: Vec<Recipe> = Vec::new();
    for example in RECIPES {
        let (folder, path) = example
            .path
            .strip_prefix("recipes/")
            .and_then(|path| path.split_once('/'))
            .expect("every recipe has a folder below `recipes`");
        let file = File {
            path: path.to_owned(),
            content: Cow::Borrowed(example.content),
        };
        match recipes.last_mut() {
            Some(recipe) if recipe.folder == folder => recipe.files.push(file),
            Some(_) | None => recipes.push(Recipe {
                folder: folder.to_owned(),
                files: vec![file],
            }),
        }
    }
    Recipes::new(recipes)
}

/// The archives of the samples' sources: file name and bytes.
pub fn archives() -> Vec<(String, Vec<u8>)> {
    let pack = |(folder, top): (&str, &str)| {
        let files: Vec<(&str, &[u8])> = SOURCES
            .iter()
            .filter_map(|example| {
                let path = example.path.strip_prefix("sources/")?;
                let path = path.strip_prefix(folder)?.strip_prefix('/')?;
                Some((path, example.content))
            })
            .collect();
        let packed = archive::pack(top, &files).expect("the samples' paths are short");
        (format!("{top}.tar.gz"), packed)
    };
    ARCHIVES.into_iter().map(pack).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::id::Sha256;
    use std::path::Path;

    fn examples() -> &'static Path {
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples"))
    }

    #[test]
    fn the_recipes_name_the_archives_by_their_hashes() {
        let mut wrong = Vec::new();
        for ((folder, _), (name, bytes)) in ARCHIVES.iter().zip(archives()) {
            let path = examples().join("recipes").join(folder).join("stone.yaml");
            let recipe = std::fs::read_to_string(&path).unwrap();
            let wanted = format!("{name} : {}", Sha256::of(&bytes));
            if !recipe.contains(&wanted) {
                wrong.push(format!("{} should say: …/{wanted}", path.display()));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn the_binary_has_every_file() {
        for (part, listed) in [("recipes", RECIPES), ("sources", SOURCES)] {
            let mut found: Vec<String> = walkdir::WalkDir::new(examples().join(part))
                .into_iter()
                .map(Result::unwrap)
                .filter(|entry| entry.file_type().is_file())
                .map(|entry| {
                    let path = entry.path().strip_prefix(examples()).unwrap();
                    path.to_str().unwrap().to_owned()
                })
                .collect();
            found.sort();
            let mut listed: Vec<&str> = listed.iter().map(|example| example.path).collect();
            listed.sort_unstable();
            assert_eq!(listed, found);
        }
    }

    #[test]
    fn the_recipes_read_without_a_remark() {
        for recipe in recipes().iter() {
            let text = recipe.files.iter().find(|file| file.path == "stone.yaml");
            let text = std::str::from_utf8(&text.unwrap().content).unwrap();
            let (read, remarks) = moss_format::recipe::Recipe::parse(text).unwrap();
            assert_eq!(read.name.as_str(), recipe.folder);
            assert!(remarks.is_empty(), "{remarks:?}");
        }
    }
}
