//! Reads and expands every real recipe there is.

#[path = "corpus/bundle.rs"]
mod bundle;
#[path = "corpus/place.rs"]
mod place;
mod recipes {
    pub(crate) mod history;
}

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZeroU32;

use anyhow::{Context as _, Result};
use moss_format::recipe::{Phase, Recipe};
use moss_format::script::{self, Context, Folders};
use recipes::history;

fn context(recipe: &Recipe) -> Result<Context> {
    let folders = Folders {
        pkgdir: "/build/recipe/pkg".parse()?,
        sourcedir: "/build/sources".parse()?,
        workdir: "/build/root/source".parse()?,
        installroot: "/build/install".parse()?,
        buildroot: "/build/root".parse()?,
    };
    Ok(Context::new(
        recipe,
        folders,
        NonZeroU32::MIN,
        1_700_000_000,
    ))
}

#[test]
fn recipes_with_archives_parse_and_expand() -> Result<()> {
    let Some(corpus) = place::find()? else {
        return Ok(());
    };
    let mut recipes = 0;
    for entry in fs::read_dir(corpus.join("recipes"))? {
        let path = entry?.path().join("stone.yaml");
        let text = fs::read_to_string(&path)?;
        let named = || format!("{}", path.display());
        let (recipe, _) = Recipe::parse(&text).with_context(named)?;
        let install = script::assemble(&recipe, Phase::Install, &context(&recipe)?)?;
        assert!(install.is_some(), "{}", path.display());
        for phase in Phase::ALL {
            script::assemble(&recipe, phase, &context(&recipe)?).with_context(named)?;
        }
        recipes += 1;
    }
    assert_eq!(recipes, 18);
    Ok(())
}

#[test]
fn recipes_at_the_tip_parse_and_expand() -> Result<()> {
    let Some(corpus) = place::find()? else {
        return Ok(());
    };
    let repository = bundle::check_out(&corpus)?;
    let recipes = history::at_tip(repository.path())?;
    assert_eq!(recipes.len(), 835);
    for (path, text) in recipes {
        let (recipe, _) = Recipe::parse(&text).with_context(|| path.clone())?;
        for phase in Phase::ALL {
            script::assemble(&recipe, phase, &context(&recipe)?).with_context(|| path.clone())?;
        }
    }
    Ok(())
}

/// One blob is a template with nothing filled in, wrong up to its line 10; one
/// has the release 0, which was allowed when it was written.
#[test]
fn the_history_parses_but_for_known_recipes() -> Result<()> {
    let Some(corpus) = place::find()? else {
        return Ok(());
    };
    let repository = bundle::check_out(&corpus)?;
    let recipes = history::all(repository.path())?;
    assert_eq!(recipes.len(), 4673);
    let mut failures = Vec::new();
    let mut counts = BTreeMap::new();
    for (blob, text) in &recipes {
        match Recipe::parse(text) {
            Ok((_, found)) => {
                for diagnostic in found {
                    let key = format!("{} {}", diagnostic.severity, diagnostic.code);
                    *counts.entry(key).or_insert(0) += 1;
                }
            }
            Err(failure) => {
                for error in failure.diagnostics().iter().filter(|d| d.is_error()) {
                    failures.push(format!("{}: {error}", &blob[..8]));
                }
            }
        }
    }
    insta::assert_snapshot!("history_failures", failures.join("\n"));
    insta::assert_debug_snapshot!("history_diagnostics", counts);
    Ok(())
}
