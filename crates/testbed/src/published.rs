//! What users see: the channel over plain HTTP, as a moss client reads it.

use std::io::Cursor;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use api::id::Sha256;
use moss_format::package::Package;
use moss_format::unpack::{FolderModes, unpack_before_modes};
use moss_format::{Index, Meta};
use reqwest::{Client, StatusCode};
use url::Url;

/// The newest state of a channel.
#[derive(Debug)]
pub struct Published {
    http: Client,
    url: Url,
    index: Index,
}

impl Published {
    /// Reads the newest index of the channel `main` below `base`; an empty one where nothing was
    /// published.
    ///
    /// # Errors
    /// When the answer is no index.
    pub async fn read(base: &Url) -> Result<Self> {
        Self::read_with(crate::http::client(), base).await
    }

    /// As [`Self::read`], with a client that is there already.
    ///
    /// # Errors
    /// When the answer is no index.
    pub async fn read_with(http: Client, base: &Url) -> Result<Self> {
        let url = base.join("main/stream/volatile/x86_64/stone.index")?;
        let answer = http.get(url.clone()).send().await?;
        if answer.status() == StatusCode::NOT_FOUND {
            let index = Index::default();
            return Ok(Self { http, url, index });
        }
        let bytes = answer.error_for_status()?.bytes().await?;
        let index = Index::decode(&bytes).context("the index cannot be read")?;
        index.validate().context("the index is not sound")?;
        Ok(Self { http, url, index })
    }

    /// The packages, as `name-version-release-build release`, sorted.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.packages().iter().map(full_name).collect();
        names.sort();
        names
    }

    /// The packages.
    pub fn packages(&self) -> &[Meta] {
        &self.index.packages
    }

    /// The package of that name.
    ///
    /// # Errors
    /// When there is none.
    pub fn package(&self, name: &str) -> Result<&Meta> {
        let mut packages = self.packages().iter();
        packages
            .find(|package| package.name == name)
            .with_context(|| format!("{name} is not in the index: {:?}", self.names()))
    }

    /// Fetches a package as a client does, and checks size, hash, and all that is in it.
    ///
    /// # Errors
    /// When something is wrong with it.
    pub async fn fetch(&self, meta: &Meta) -> Result<Package<Cursor<Vec<u8>>>> {
        let name = full_name(meta);
        let url = self.url.join(meta.uri.as_deref().context("no URI")?)?;
        let answer = self.http.get(url).send().await?;
        let bytes = answer.error_for_status()?.bytes().await?;
        ensure!(Some(bytes.len() as u64) == meta.size, "{name}: its size");
        let hash = Some(Sha256::of(&bytes).to_string());
        ensure!(hash == meta.hash, "{name}: its hash");
        let mut package = Package::open(Cursor::new(bytes.to_vec()))?;
        package
            .verify()
            .with_context(|| format!("{name} is damaged"))?;
        let own = full_name(package.meta());
        ensure!(own == name, "{name} says that it is {own}");
        Ok(package)
    }

    /// Fetches all packages.
    ///
    /// # Errors
    /// When something is wrong with one.
    pub async fn verify(&self) -> Result<()> {
        for meta in self.packages() {
            self.fetch(meta).await?;
        }
        Ok(())
    }

    /// Unpacks all packages that a recipe made below `folder`.
    ///
    /// # Errors
    /// When there is none, or something is wrong with one.
    pub async fn unpack_recipe(&self, recipe: &str, folder: &Path) -> Result<()> {
        let names = self.packages().iter();
        let names: Vec<&str> = names
            .filter(|package| package.source_id == recipe)
            .map(|package| package.name.as_str())
            .collect();
        ensure!(!names.is_empty(), "nothing of {recipe} is in the index");
        let mut modes = FolderModes::default();
        for name in names {
            let mut package = self.fetch(self.package(name)?).await?;
            let options = Default::default();
            unpack_before_modes(&mut package, folder, &options, |_| true, &mut modes)?;
        }
        Ok(modes.set(folder)?)
    }

    /// Unpacks a package below `folder`.
    ///
    /// # Errors
    /// When something is wrong with it.
    pub async fn unpack(&self, name: &str, folder: &Path) -> Result<()> {
        let mut package = self.fetch(self.package(name)?).await?;
        moss_format::unpack::unpack(&mut package, folder, &Default::default())?;
        Ok(())
    }
}

fn full_name(meta: &Meta) -> String {
    format!(
        "{}-{}-{}-{}",
        meta.name, meta.version, meta.release, meta.build_release
    )
}
