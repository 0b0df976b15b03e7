//! What fuzzing starts from: the real files of the corpus, and the sample recipes of this
//! repository where there is no corpus.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use moss_format::payload::{Decoder, Kind};
use moss_format::recipe::{Phase, Recipe};
use moss_format::stone::View;
use moss_format::{Limits, Meta};

use super::sample;

/// Every how many files of the history one is a seed: enough for variety, few enough to be read
/// in the seconds that CI gives.
const STEP: usize = 8;

/// Writes a folder of seeds for each target.
pub(crate) fn write(folder: &Path, root: &Path) -> Result<()> {
    for target in super::TARGETS {
        let folder = folder.join(target);
        fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    }
    let mut seeds = Seeds { folder, count: 0 };
    let examples = root.join("examples");
    for recipe in below(&examples, is_recipe)? {
        seeds.recipe(&fs::read(&recipe)?)?;
    }
    for made in [
        sample::package_of(&examples.join("recipes"))?,
        sample::package_of_all_kinds()?,
    ] {
        seeds.stone(&made)?;
        seeds.stone(&sample::uncompressed(&made)?)?;
    }
    let Some(corpus) = testbed::corpus::find() else {
        crate::say("there is no corpus: the seeds are the sample recipes only");
        return Ok(());
    };
    for stone in below(&corpus.join("stones"), |_| true)? {
        seeds.stone(&fs::read(&stone)?)?;
    }
    let clone = root.join("target/fuzz/recipes");
    if !clone.is_dir() {
        let bundle = corpus.join("recipes-2025.bundle");
        let mut git = Command::new("git");
        git.args(["clone", "--quiet", "--branch", "main"]);
        let status = git
            .arg(&bundle)
            .arg(&clone)
            .status()
            .context("running git")?;
        ensure!(status.success(), "cloning {} failed", bundle.display());
    }
    for recipe in below(&clone, is_recipe)?.iter().step_by(STEP) {
        seeds.recipe(&fs::read(recipe)?)?;
    }
    for manifest in below(&clone, is_manifest)?.iter().step_by(STEP) {
        let bytes = fs::read(manifest)?;
        seeds.stone(&bytes)?;
        seeds.add("manifest", &sample::uncompressed(&bytes)?)?;
    }
    Ok(())
}

struct Seeds<'a> {
    folder: &'a Path,
    count: usize,
}

impl Seeds<'_> {
    fn add(&mut self, target: &str, bytes: &[u8]) -> Result<()> {
        self.count += 1;
        let path = self.folder.join(target).join(format!("{:06}", self.count));
        fs::write(&path, bytes).with_context(|| format!("writing {}", path.display()))
    }

    fn recipe(&mut self, bytes: &[u8]) -> Result<()> {
        self.add("recipe", bytes)?;
        let Ok((recipe, _)) = Recipe::parse(&String::from_utf8_lossy(bytes)) else {
            return Ok(());
        };
        for phase in Phase::ALL {
            if let Some(script) = recipe.scripts.of(phase) {
                self.add("macro_expansion", script.text().as_bytes())?;
            }
        }
        Ok(())
    }

    /// A container, an index of the packages in it, and its payloads, which the target wants as kind,
    /// number of records, and plain bytes.
    fn stone(&mut self, bytes: &[u8]) -> Result<()> {
        for target in ["container", "manifest", "unpack"] {
            self.add(target, bytes)?;
        }
        let mut metas = Vec::new();
        let mut decoder = Decoder::new(Limits::default());
        for payload in View::new(bytes)?.payloads() {
            let payload = payload?;
            let header = payload.header();
            if header.kind == Kind::Meta {
                metas.push(Meta::decode(&decoder.plain(&payload)?, header.records)?);
            }
            let (Kind::Meta | Kind::Layout | Kind::Index, Ok(records)) =
                (header.kind, u8::try_from(header.records))
            else {
                continue;
            };
            let plain = decoder.plain(&payload)?;
            let head = [header.kind.as_byte(), records];
            self.add("payloads", &[&head, plain.as_ref()].concat())?;
        }
        // Some real manifests have packages without what an index needs.
        if let Ok(index) = sample::index_of(&metas) {
            self.add("index", &index)?;
            self.add("index", &sample::uncompressed(&index)?)?;
        }
        Ok(())
    }
}

fn is_recipe(name: &str) -> bool {
    matches!(name, "stone.yaml" | "stone.yml")
}

fn is_manifest(name: &str) -> bool {
    name.starts_with("manifest.") && name.ends_with(".bin")
}

/// The files below a folder whose names are wanted, in the order of their paths.
fn below(folder: &Path, wanted: fn(&str) -> bool) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries =
            fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))?;
        for entry in entries {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else if wanted(&entry.file_name().to_string_lossy()) {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}
