//! Reads recipes from a mirror into candidates for a plan.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use api::id::{Architecture, BuildId, CommitSha, RecipeFolder, RecipeName};
use moss_format::recipe::{Diagnostic, Recipe};
use moss_format::{Dependency, Manifest, Provider, dependency};

use super::manifest::LIMITS;
use crate::db::Repository;
use crate::domain::build::Annotation;
use crate::domain::plan::{Candidate, Described, Unreadable};
use crate::git::{Error, ManifestId, Mirror, Oddity, RecipeFiles, RecipeTree};

/// The packages that splitting makes by default; see the format's description.
const TEMPLATES: [&str; 7] = [
    "-docs",
    "-devel",
    "-dbginfo",
    "-libs",
    "-32bit",
    "-32bit-devel",
    "-demos",
];

/// Reads the changed recipes of `head`, all of them for each of `profiles`.
///
/// # Errors
/// When the mirror is broken. An unreadable recipe is not an error, but an unreadable candidate.
pub fn candidates(
    mirror: &Mirror,
    repository: &Repository,
    head: CommitSha,
    changed: Vec<RecipeTree>,
    profiles: &[Architecture],
) -> Result<BTreeMap<Architecture, Vec<Candidate>>, Error> {
    let none = |profile: &Architecture| (profile.clone(), Vec::with_capacity(changed.len()));
    let mut candidates: BTreeMap<_, _> = profiles.iter().map(none).collect();
    let mut manifests = Manifests::new(mirror);
    for changed in changed {
        let RecipeTree { folder, tree, .. } = changed;
        let fallback = fallback_name(&folder, repository);
        let read = if let Some(oddity) = changed.oddity {
            Err(odd(&folder, oddity, fallback))
        } else {
            let Some(files) = mirror.find_recipe(head, &folder)? else {
                continue;
            };
            match describe(&files, &fallback) {
                Ok(described) if described.profiles(profiles).is_empty() => {
                    Err(described.meant_for_others(profiles))
                }
                Ok(described) => Ok((files, described)),
                Err(unreadable) => Err(unreadable),
            }
        };
        let meant = match &read {
            Ok((_, described)) => described.profiles(profiles),
            Err(_) => profiles.iter().collect(),
        };
        for profile in meant {
            let Some(candidates) = candidates.get_mut(profile) else {
                continue;
            };
            let recipe = match &read {
                Ok((files, described)) => {
                    let past = manifests.read(files, profile)?;
                    Ok(described.clone().with_past(&past.needs, &past.provides))
                }
                Err(unreadable) => Err(unreadable.clone()),
            };
            candidates.push(Candidate {
                id: BuildId::new(),
                folder: folder.clone(),
                tree,
                recipe,
            });
        }
    }
    Ok(candidates)
}

/// The name of an unreadable recipe: that of its folder.
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

/// A recipe at a place where summit builds nothing.
fn odd(folder: &RecipeFolder, oddity: Oddity, name: RecipeName) -> Unreadable {
    Unreadable {
        name,
        message: format!("summit does not read the recipe in the folder {folder}: {oddity}"),
        annotations: Vec::new(),
    }
}

/// The needs and providers of a recipe's last build, from its manifest.
#[derive(Default)]
struct Past {
    needs: Vec<Dependency>,
    provides: Vec<Provider>,
}

/// The manifests of a repository. Many folders may share one object, so each object is decoded
/// once.
struct Manifests<'m> {
    mirror: &'m Mirror,
    known: HashMap<ManifestId, Rc<Past>>,
}

impl<'m> Manifests<'m> {
    fn new(mirror: &'m Mirror) -> Self {
        Self {
            mirror,
            known: HashMap::new(),
        }
    }

    /// The manifest of a recipe's last build for a profile.
    fn read(&mut self, files: &RecipeFiles, profile: &Architecture) -> Result<Rc<Past>, Error> {
        match files.manifests.get(profile.as_str()) {
            Some(manifest) => self.decode(*manifest),
            None => Ok(Rc::default()),
        }
    }

    fn decode(&mut self, manifest: ManifestId) -> Result<Rc<Past>, Error> {
        if let Some(known) = self.known.get(&manifest) {
            return Ok(Rc::clone(known));
        }
        let bytes = self.mirror.read_manifest(manifest)?;
        let mut past = Past::default();
        match Manifest::decode_within(&bytes, LIMITS) {
            Ok(read) => {
                for package in read.packages {
                    past.needs.extend(package.build_depends);
                    past.provides.extend(package.provides);
                }
            }
            // The manifest only helps to order builds. The build itself does not need it.
            Err(error) => tracing::warn!(%error, "a manifest is ignored"),
        }
        let past = Rc::new(past);
        self.known.insert(manifest, Rc::clone(&past));
        Ok(past)
    }
}

/// Describes a recipe by its text alone, without its last manifest.
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
    // The recipe is readable, but every builder would refuse it.
    let mut errors = notes.iter().filter(|note| note.is_error());
    if let Some(first) = errors.next() {
        let more = match errors.count() {
            0 => String::new(),
            1 => "; there is 1 more error".to_owned(),
            count => format!("; there are {count} more errors"),
        };
        let (line, said) = (first.span.start.line, &first.message);
        let message = format!("{}, line {line}: {said}{more}", files.path);
        let annotations = notes.iter().map(|note| annotation(&files.path, note));
        return Err(unreadable(message, annotations.collect()));
    }
    let needs = needs(&recipe);
    Ok(Described {
        name,
        version: recipe.version.as_str().to_owned(),
        release: *recipe.release,
        release_at: (files.path.clone(), recipe.release.span().start.line),
        name_line: recipe.name.span().start.line,
        architectures: recipe
            .architectures
            .iter()
            .map(|known| known.value().clone())
            .collect(),
        architectures_line: recipe
            .architectures
            .first()
            .map_or(1, |known| known.span().start.line),
        hints: Vec::new(),
        provides: provides(&recipe),
        needs,
        warnings: notes
            .iter()
            .map(|note| annotation(&files.path, note))
            .collect(),
    })
}

/// The needs at build and check time.
fn needs(recipe: &Recipe) -> Vec<Dependency> {
    let mut needs: Vec<Dependency> = recipe
        .build_dependencies()
        .map(|need| (**need).clone())
        .collect();
    needs.sort();
    needs.dedup();
    needs
}

/// The names of its packages.
fn provides(recipe: &Recipe) -> Vec<Provider> {
    let name = recipe.name.as_str();
    let mut names = vec![name.to_owned()];
    names.extend(TEMPLATES.iter().map(|suffix| format!("{name}{suffix}")));
    names.extend(
        recipe
            .packages
            .iter()
            .map(|package| package.name.as_str().to_owned()),
    );
    let provides = names.iter();
    provides
        .filter_map(|name| Provider::new(dependency::Kind::PackageName, name).ok())
        .collect()
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

#[cfg(test)]
mod tests {
    use git2::{Repository as Git, Signature, Time};

    use super::*;
    use crate::domain::name::RepositoryId;
    use crate::git::{Bounds, Mirrors};

    /// A head with three recipes of one tree: the same recipe and manifest in each folder.
    fn thrice(folder: &std::path::Path, manifest: &[u8]) -> (Mirror, CommitSha) {
        let mirror = Mirrors::new(folder.to_owned())
            .open(RepositoryId::new(1))
            .unwrap();
        let git = Git::open_bare(folder.join("1.git")).unwrap();
        let mut recipe = git.treebuilder(None).unwrap();
        for (name, bytes) in [
            ("stone.yaml", &b"name: x"[..]),
            ("manifest.x86_64.bin", manifest),
        ] {
            let blob = git.blob(bytes).unwrap();
            recipe.insert(name, blob, 0o100_644).unwrap();
        }
        let recipe = recipe.write().unwrap();
        let mut top = git.treebuilder(None).unwrap();
        for name in ["a", "b", "c"] {
            top.insert(name, recipe, 0o040_000).unwrap();
        }
        let top = git.find_tree(top.write().unwrap()).unwrap();
        let who = Signature::new("A", "a@example.org", &Time::new(1, 0)).unwrap();
        let head = git.commit(None, &who, &who, "Add", &top, &[]).unwrap();
        (mirror, head.to_string().parse().unwrap())
    }

    /// Thousands of folders may share one manifest, and decoding takes time.
    #[test]
    fn a_manifest_is_decoded_once_wherever_it_lies() {
        let folder = tempfile::tempdir().unwrap();
        let (mirror, head) = thrice(folder.path(), b"no manifest");
        let profile: Architecture = "x86_64".parse().unwrap();
        let mut manifests = Manifests::new(&mirror);
        let changes = mirror.changed_recipes(None, head, Bounds::TRUSTED);
        let read: Vec<Rc<Past>> = changes
            .unwrap()
            .unwrap()
            .changed
            .iter()
            .map(|recipe| {
                let files = mirror.find_recipe(head, &recipe.folder).unwrap().unwrap();
                manifests.read(&files, &profile).unwrap()
            })
            .collect();
        assert_eq!(read.len(), 3);
        assert!(read.iter().all(|past| Rc::ptr_eq(past, &read[0])));
    }
}
