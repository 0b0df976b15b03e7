//! Real recipes and their real archives, where they are there.

use anyhow::{Context as _, Result, ensure};
use harness::{File, Setup, Stage};

/// All files of a folder, with their paths below `into`.
fn files(folder: &std::path::Path, into: &str) -> Result<Vec<File>> {
    let mut found = Vec::new();
    let mut entries: Vec<_> = std::fs::read_dir(folder)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = format!("{into}/{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            found.extend(files(&entry.path(), &path)?);
        } else {
            found.push(File::new(path, std::fs::read(entry.path())?));
        }
    }
    Ok(found)
}

#[test]
fn a_real_program_goes_from_the_push_to_its_user() {
    let Some(corpus) = testbed::corpus::find() else {
        return;
    };
    Stage::play(Setup::default(), async |stage| {
        let recipe = files(&corpus.join("recipes/xxhash"), "x/xxhash")?;
        let text = std::fs::read_to_string(corpus.join("recipes/xxhash/stone.yaml"))?;
        let hash = text
            .split(|c: char| !c.is_ascii_hexdigit())
            .find(|word| word.len() == 64)
            .context("the recipe names a hash")?;
        let archive = std::fs::read(corpus.join("distfiles").join(hash))?;
        ensure!(stage.mirror.put(&archive).to_string() == hash);
        let head = stage.push(&recipe).await?;
        stage.succeeded(&head, &["xxhash"]).await?;

        let published = stage.published().await?;
        let folder = stage.make_folder("unpacked")?;
        for package in published.packages() {
            published.unpack(&package.name, &folder).await?;
        }
        let file = folder.join("abc");
        std::fs::write(&file, "abc")?;
        let output = std::process::Command::new(folder.join("usr/bin/xxhsum"))
            .arg("-H0")
            .arg(&file)
            .env("LD_LIBRARY_PATH", folder.join("usr/lib"))
            .output()?;
        let said = String::from_utf8(output.stdout)?;
        // The 32-bit hash of these three bytes, from the reference implementation.
        ensure!(said.starts_with("32d153ff"), "{said}");
        Ok(())
    });
}
