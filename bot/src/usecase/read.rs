//! Reading recipes out of a mirror, into what planning needs.

use api::id::{BuildId, CommitSha, RecipeFolder, RecipeName};
use moss_format::recipe::{Diagnostic, Recipe};
use moss_format::{Dependency, Manifest, Provider, dependency};

use crate::db::Repository;
use crate::domain::build::Annotation;
use crate::domain::plan::{Candidate, Described, Unreadable};
use crate::git::{Error, Mirror, RecipeFiles, RecipeTree};

/// Packages that splitting makes without being told; see the format's description.
const TEMPLATES: [&str; 7] = [
    "-docs",
    "-devel",
    "-dbginfo",
    "-libs",
    "-32bit",
    "-32bit-devel",
    "-demos",
];

/// Reads the changed recipes of `head`.
///
/// # Errors
/// When the mirror is broken; a recipe that cannot be read is a candidate that says so.
pub fn candidates(
    mirror: &Mirror,
    repository: &Repository,
    head: CommitSha,
    changed: Vec<RecipeTree>,
) -> Result<Vec<Candidate>, Error> {
    let mut candidates = Vec::with_capacity(changed.len());
    for RecipeTree { folder, tree } in changed {
        let Some(files) = mirror.find_recipe(head, &folder)? else {
            continue;
        };
        let recipe = describe(&files, &fallback_name(&folder, repository));
        candidates.push(Candidate {
            id: BuildId::new(),
            folder,
            tree,
            recipe,
        });
    }
    Ok(candidates)
}

/// The name for a recipe that does not tell its own: that of its folder.
fn fallback_name(folder: &RecipeFolder, repository: &Repository) -> RecipeName {
    let last = match folder.as_str() {
        "." => repository.name.name(),
        path => path.rsplit('/').next().unwrap_or(path),
    };
    let plain: String = last
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || "._+-".contains(c) {
                c
            } else {
                '-'
            }
        })
        .collect();
    plain
        .parse()
        .or_else(|_| format!("recipe-{plain}").parse())
        .unwrap_or_else(|_| "recipe".parse().expect("a valid name"))
}

fn describe(files: &RecipeFiles, fallback: &RecipeName) -> Result<Described, Unreadable> {
    let unreadable = |message: String, annotations| Unreadable {
        name: fallback.clone(),
        message,
        annotations,
    };
    let recipe = files.recipe.as_ref().map_err(|error| {
        let message = format!("{} is not read: {error}", files.path);
        unreadable(message, Vec::new())
    })?;
    let text = std::str::from_utf8(recipe).map_err(|error| {
        let line = recipe[..error.valid_up_to()]
            .iter()
            .filter(|b| **b == b'\n')
            .count()
            + 1;
        let message = format!("{} is not UTF-8", files.path);
        let annotation = Annotation {
            path: files.path.clone(),
            line: u32::try_from(line).unwrap_or(u32::MAX),
            is_error: true,
            title: "not-utf-8".to_owned(),
            message: message.clone(),
        };
        unreadable(message, vec![annotation])
    })?;
    let (recipe, notes) = Recipe::parse(text).map_err(|failure| {
        let message = format!("{}: {failure}", files.path);
        let annotations = failure
            .diagnostics()
            .iter()
            .map(|d| annotation(&files.path, d));
        unreadable(message, annotations.collect())
    })?;
    let at = |line: u32, message: String| Annotation {
        path: files.path.clone(),
        line,
        is_error: true,
        title: "invalid".to_owned(),
        message,
    };
    let name: RecipeName = recipe
        .name
        .as_str()
        .parse()
        .map_err(|error: api::id::InvalidId| {
            let annotation = at(recipe.name.span().start.line, error.to_string());
            unreadable(error.to_string(), vec![annotation])
        })?;
    let needs = needs(&recipe);
    let manifests = manifests(&name, files);
    Ok(Described {
        name,
        version: recipe.version.as_str().to_owned(),
        release: *recipe.release,
        release_at: (files.path.clone(), recipe.release.span().start.line),
        hints: hints(&manifests, &needs),
        provides: provides(&recipe, &manifests),
        needs,
        warnings: notes
            .iter()
            .map(|note| annotation(&files.path, note))
            .collect(),
    })
}

/// What must be there before the recipe is built.
fn needs(recipe: &Recipe) -> Vec<Dependency> {
    let mut needs: Vec<Dependency> = recipe
        .build_dependencies()
        .map(|need| (**need).clone())
        .collect();
    needs.sort();
    needs.dedup();
    needs
}

/// What the last builds needed and the recipe does not ask for. It may not need it any longer, or
/// get it through something else that it asks for.
fn hints(manifests: &[Manifest], needs: &[Dependency]) -> Vec<Dependency> {
    let packages = manifests.iter().flat_map(|manifest| &manifest.packages);
    let mut hints: Vec<Dependency> = packages
        .flat_map(|package| &package.build_depends)
        .filter(|hint| needs.binary_search(hint).is_err())
        .cloned()
        .collect();
    hints.sort();
    hints.dedup();
    hints
}

/// The manifests of its last builds, one for each architecture.
fn manifests(recipe: &RecipeName, files: &RecipeFiles) -> Vec<Manifest> {
    let mut manifests = Vec::with_capacity(files.manifests.len());
    for bytes in &files.manifests {
        match Manifest::decode(bytes) {
            Ok(manifest) => manifests.push(manifest),
            // It only helps to order; the build itself does not need it.
            Err(error) => tracing::warn!(%recipe, %error, "a manifest is passed over"),
        }
    }
    manifests
}

/// The names of its packages, and what the last builds provided.
fn provides(recipe: &Recipe, manifests: &[Manifest]) -> Vec<Provider> {
    let name = recipe.name.as_str();
    let mut names = vec![name.to_owned()];
    names.extend(TEMPLATES.iter().map(|suffix| format!("{name}{suffix}")));
    names.extend(
        recipe
            .packages
            .iter()
            .map(|package| package.name.as_str().to_owned()),
    );
    let mut provides: Vec<Provider> = names
        .iter()
        .filter_map(|name| Provider::new(dependency::Kind::PackageName, name).ok())
        .collect();
    let packages = manifests.iter().flat_map(|manifest| &manifest.packages);
    provides.extend(packages.flat_map(|package| package.provides.iter().cloned()));
    provides.sort();
    provides.dedup();
    provides
}

fn annotation(path: &str, found: &Diagnostic) -> Annotation {
    let mut message = found.message.clone();
    if let Some(help) = &found.help {
        message.push('\n');
        message.push_str(help);
    }
    Annotation {
        path: path.to_owned(),
        line: found.span.start.line,
        is_error: found.is_error(),
        title: found.code.to_string(),
        message,
    }
}
