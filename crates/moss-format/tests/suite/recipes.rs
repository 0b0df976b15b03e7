//! Recipes: reading them, what is said about them, expanding their scripts;
//! first on texts made for it, then on every real recipe there is.

mod diagnostics;
mod expansion;
mod growth;
mod history;
mod reading;
mod shapes;
mod spans;

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use expansion::context;
use moss_format::Manifest;
use moss_format::recipe::{Code, Diagnostic, Phase, Recipe};
use moss_format::script::{self, BuildPath};

#[test]
fn recipes_with_archives_parse_and_expand() -> Result<()> {
    let Some(corpus) = testbed::corpus::find() else {
        return Ok(());
    };
    let mut recipes = 0;
    for entry in fs::read_dir(corpus.join("recipes"))? {
        let path = entry?.path().join("stone.yaml");
        let text = fs::read_to_string(&path)?;
        let named = || format!("{}", path.display());
        let (recipe, _) = Recipe::parse(&text).with_context(named)?;
        let context = context(&recipe, "/b")?;
        let install = script::assemble(&recipe, Phase::Install, &context)?;
        assert!(install.is_some(), "{}", path.display());
        for phase in Phase::ALL {
            script::assemble(&recipe, phase, &context).with_context(named)?;
        }
        recipes += 1;
    }
    assert_eq!(recipes, 18);
    Ok(())
}

/// Every recipe at the tip reads, and bash takes what its scripts become.
#[test]
fn recipes_at_the_tip_become_bash() -> Result<()> {
    let Some(corpus) = testbed::corpus::find() else {
        return Ok(());
    };
    let repository = history::check_out(&corpus)?;
    let recipes = history::at_tip(repository.path())?;
    assert_eq!(recipes.len(), 835);
    let root: BuildPath = "/b".parse()?;
    let file = tempfile::NamedTempFile::new()?;
    for (path, text) in recipes {
        let (recipe, _) = Recipe::parse(&text).with_context(|| path.clone())?;
        for source in &recipe.upstreams {
            if let Some(directory) = source.directory() {
                root.join(directory).with_context(|| path.clone())?;
            }
        }
        let context = context(&recipe, "/b")?;
        let mut scripts = String::new();
        for phase in Phase::ALL {
            let script =
                script::assemble(&recipe, phase, &context).with_context(|| path.clone())?;
            scripts.push_str(&script.unwrap_or_default());
        }
        fs::write(file.path(), scripts)?;
        let checked = Command::new("bash").arg("-n").arg(file.path()).output()?;
        ensure!(
            checked.status.success(),
            "{path}: {}",
            String::from_utf8_lossy(&checked.stderr)
        );
    }
    Ok(())
}

/// A template with nothing filled in, wrong up to its line 10.
const TEMPLATE: &str = "89e9946b";

/// A recipe of the release 0, which was allowed when it was written.
const RELEASE_0: &str = "a3c39c0a";

#[test]
fn the_history_parses_but_for_known_recipes() -> Result<()> {
    let Some(corpus) = testbed::corpus::find() else {
        return Ok(());
    };
    let repository = history::check_out(&corpus)?;
    let recipes = history::all(repository.path())?;
    assert_eq!(recipes.len(), 4673);
    let (mut parsed, mut refused) = (0, Vec::new());
    let mut without_release = Vec::new();
    let mut failures = Vec::new();
    let mut counts = BTreeMap::new();
    for (blob, text) in &recipes {
        let named = blob.get(..8).unwrap_or(blob);
        match Recipe::parse(text) {
            Ok((recipe, found)) => {
                parsed += 1;
                let is_refused = |found: &Diagnostic| found.code == Code::BadRelease;
                assert_eq!(*recipe.release == 0, found.iter().any(is_refused));
                if *recipe.release == 0 {
                    without_release.push(named);
                }
                for diagnostic in found {
                    let key = format!("{} {}", diagnostic.severity, diagnostic.code);
                    *counts.entry(key).or_insert(0) += 1;
                }
            }
            Err(failure) => {
                let errors = failure.diagnostics().iter().filter(|d| d.is_error());
                refused.push((named, errors.map(|error| error.span.start.line).max()));
                for error in failure.diagnostics().iter().filter(|d| d.is_error()) {
                    failures.push(format!("{named}: {error}"));
                }
            }
        }
    }
    assert_eq!(parsed, 4672);
    assert_eq!(refused, [(TEMPLATE, Some(10))]);
    assert_eq!(without_release, [RELEASE_0]);
    insta::assert_snapshot!("history_failures", failures.join("\n"));
    insta::assert_debug_snapshot!("history_diagnostics", counts);
    Ok(())
}

/// Folders of the history with a recipe whose version has a leading zero, and
/// the manifest that the real tool wrote for it.
const LEADING_ZEROS: [(&str, &str, &str); 2] = [
    ("d1b9927f28b803c2fc699d9fec8a986a93b0d281", "057", "47"),
    ("3a9dc4aea297c3d2dfcdf182d5e58217b33c231e", "059", "059"),
];

#[test]
fn leading_zeros_are_read_as_the_real_tool_did() -> Result<()> {
    let Some(corpus) = testbed::corpus::find() else {
        return Ok(());
    };
    let repository = history::check_out(&corpus)?;
    for (folder, written, read) in LEADING_ZEROS {
        let file = |name| history::file(repository.path(), folder, name);
        let manifest = Manifest::decode(&file("manifest.x86_64.bin")?)?;
        let (recipe, found) = Recipe::parse(&String::from_utf8(file("stone.yml")?)?)?;
        assert_eq!(recipe.version.as_str(), written);
        for package in &manifest.packages {
            assert_eq!(package.version, read);
            assert_eq!(package.release, *recipe.release);
        }
        let asked = found
            .iter()
            .find(|found| found.code == Code::UnquotedVersion);
        assert_eq!(asked.is_some(), written != read);
        if let Some(asked) = asked {
            let said = format!("read the version {written} as {read}");
            assert!(asked.message.ends_with(&said), "{asked}");
        }
    }
    Ok(())
}
