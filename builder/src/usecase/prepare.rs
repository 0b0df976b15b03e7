//! The steps before the recipe's own scripts: clone, fetch, unpack.

use std::collections::BTreeSet;
use std::path::PathBuf;

use api::attempt::{Order, Reason};
use api::id::AttemptId;
use moss_format::recipe::upstream::{Archive, Git};
use moss_format::recipe::{Recipe, Upstream};
use secrecy::SecretString;

use super::failure::Halt;
use super::run::Run;
use crate::{git, unpack};

/// Clones the order's commit and reads its recipe.
pub(super) async fn recipe(
    run: &Run<'_>,
    order: &Order,
    token: Option<SecretString>,
) -> Result<Recipe, Halt> {
    let job = git::Job::Recipe {
        url: order.clone_url.clone(),
        token: token.map(git::Token::new),
        git_ref: order.git_ref.clone(),
        commit: order.commit,
        folder: order.folder.clone(),
        git: run.workspace.path("git"),
        target: run.workspace.path("recipe"),
    };
    run.log.say(&format!(
        "cloning {} at {} of {}",
        order.clone_url, order.commit, order.git_ref
    ));
    let cloned = git::clone(&run.helper, &job, run.ca_file()?.as_deref(), run.stop())
        .await
        .map_err(|error| Halt::helper(Reason::CloneFailed, &error))?;
    let text = cloned.recipe.map(|recipe| recipe.text).unwrap_or_default();
    let (recipe, findings) = Recipe::parse(&text).map_err(|failure| Halt::parse(&failure))?;
    // What is an error here is one in every phase after it.
    if let Some(error) = findings.iter().find(|finding| finding.is_error()) {
        return Err(Halt::recipe(error));
    }
    for finding in findings {
        run.log.say(&finding.to_string());
    }
    check(&recipe, order)?;
    run.log.say(&format!(
        "{} {}-{}",
        recipe.name.value(),
        recipe.version.value(),
        recipe.release.value()
    ));
    Ok(recipe)
}

fn check(recipe: &Recipe, order: &Order) -> Result<(), Halt> {
    let name = recipe.name.value().as_str();
    if name != order.recipe.as_str() {
        return Err(Halt::new(
            Reason::RecipeInvalid {
                line: Some(recipe.name.line()),
            },
            format!(
                "the recipe is named {name}, but {} was ordered",
                order.recipe
            ),
        ));
    }
    if *recipe.release == 0 {
        return Err(Halt::new(
            Reason::RecipeInvalid {
                line: Some(recipe.release.line()),
            },
            "the release is 0, and the first one is 1",
        ));
    }
    let architecture = order.architecture.as_str();
    if let Some(first) = recipe.architectures.first()
        && !recipe
            .architectures
            .iter()
            .any(|known| known.value() == architecture)
    {
        return Err(Halt::new(
            Reason::RecipeInvalid {
                line: Some(first.line()),
            },
            format!("the recipe is not for {architecture}"),
        ));
    }
    Ok(())
}

/// What was fetched for a build, in the cache.
pub(super) struct Sources {
    archives: Vec<(Archive, PathBuf)>,
    stones: Vec<PathBuf>,
}

/// Fetches upstreams and the closure.
pub(super) async fn fetch(run: &Run<'_>, order: &Order, recipe: &Recipe) -> Result<Sources, Halt> {
    let mut archives = Vec::new();
    for upstream in &recipe.upstreams {
        match upstream.value() {
            Upstream::Archive(archive) => archives.push(archive.clone()),
            Upstream::Git(git) => clone_upstream(run, git).await?,
        }
    }
    let cache = &run.parts.cache;
    let wanted: Vec<_> = archives
        .iter()
        .map(|archive| cache.archive(archive))
        .chain(order.closure.iter().map(|stone| cache.stone(stone)))
        .collect();
    let mut paths = cache
        .fetch(&wanted, run.parts.clock.now(), &run.log, run.stop())
        .await?;
    let stones = paths.split_off(archives.len());
    Ok(Sources {
        archives: archives.into_iter().zip(paths).collect(),
        stones,
    })
}

async fn clone_upstream(run: &Run<'_>, upstream: &Git) -> Result<(), Halt> {
    let url = upstream.url.as_str();
    if !matches!(upstream.url.scheme().as_str(), "https" | "http") {
        return Err(Halt::new(
            Reason::RecipeInvalid {
                line: Some(upstream.url.line()),
            },
            format!("{url}: git upstreams are cloned over https or http only"),
        ));
    }
    run.log
        .say(&format!("cloning {url} at {}", upstream.reference.value()));
    let job = git::Job::Upstream {
        url: url.to_owned(),
        reference: upstream.reference.value().clone(),
        root: run.workspace.path("build"),
        directory: PathBuf::from(upstream.directory.as_str()),
        allow_private: run.parts.sources.allow_private.clone(),
        max_bytes: run.parts.sources.max_bytes,
    };
    let cloned = git::clone(&run.helper, &job, run.ca_file()?.as_deref(), run.stop())
        .await
        .map_err(|error| {
            Halt::helper(
                Reason::FetchFailed {
                    url: url.to_owned(),
                },
                &error,
            )
        })?;
    run.log
        .say(&format!("{url} is at commit {}", cloned.commit));
    Ok(())
}

/// Unpacks stones into the root and archives into the build's folder. Returns what the stones
/// provide, as text.
pub(super) async fn unpack(run: &Run<'_>, sources: Sources) -> Result<Vec<String>, Halt> {
    let Sources { archives, stones } = sources;
    let mut copies = Vec::with_capacity(stones.len());
    for (number, stone) in stones.into_iter().enumerate() {
        let name = stone.file_name().unwrap_or_default().display().to_string();
        let copy = run.copy(stone, format!("closure/{number}-{name}")).await?;
        copies.push(copy);
    }
    let job = unpack::Job::Stones {
        sources: copies,
        target: run.workspace.stones(),
    };
    let stones = call(run, &job).await?;
    run.log.say(&format!(
        "the closure: {} entries, {} bytes",
        stones.entries, stones.bytes
    ));
    // The copies have served; builds need the space more.
    let closure = run.workspace.path("closure");
    run.blocking("remove copies", move || super::workspace::remove(&closure))
        .await?;

    let mut names = BTreeSet::new();
    for (archive, path) in &archives {
        let name = archive.file_name.as_str();
        if !names.insert(name) {
            return Err(Halt::new(
                Reason::RecipeInvalid {
                    line: Some(archive.url.line()),
                },
                format!("two upstreams are stored under the name {name}; `rename` one of them"),
            ));
        }
        let source = run.copy(path.clone(), format!("sources/{name}")).await?;
        let Some(how) = archive.unpack.value() else {
            continue;
        };
        let job = unpack::Job::Archive {
            source,
            root: run.workspace.path("build"),
            directory: PathBuf::from(how.directory.as_str()),
            strip: *how.strip,
        };
        let unpacked = call(run, &job).await?;
        run.log.say(&format!(
            "{name}: {} entries, {} bytes",
            unpacked.entries, unpacked.bytes
        ));
    }
    Ok(stones.provides)
}

async fn call(run: &Run<'_>, job: &unpack::Job) -> Result<unpack::Unpacked, Halt> {
    unpack::unpack(&run.helper, job, run.stop())
        .await
        .map_err(|error| Halt::helper(Reason::UnpackFailed, &error))
}

/// The name of an attempt's log.
pub(super) fn log_name(id: AttemptId) -> String {
    format!("{id}.log")
}
