//! The App's RSA key, which GitHub would give out.

use std::path::{Path, PathBuf};

use rsa::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, EncodePublicKey as _, LineEnding};
use rsa::{RsaPrivateKey, rand_core::OsRng};

use crate::file::write_private;

/// A key that cannot be read or made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read or written.
    #[error("cannot use {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file holds no key, or none can be made.
    #[error("no RSA key: {0}")]
    Key(String),
}

/// The App's key: the private half in a file, the public half for the forge.
#[derive(Debug, Clone)]
pub struct AppKey {
    public_pem: String,
}

impl AppKey {
    /// Reads the key in the file at `path`; makes one there if there is none.
    ///
    /// # Errors
    /// When the file cannot be used or holds no key.
    pub fn load_or_create(path: &Path) -> Result<Self, Error> {
        let file = |source| Error::File {
            path: path.to_owned(),
            source,
        };
        let broken = |error: &dyn std::fmt::Display| Error::Key(error.to_string());
        let key = if path.exists() {
            let pem = std::fs::read_to_string(path).map_err(file)?;
            RsaPrivateKey::from_pkcs8_pem(&pem).map_err(|error| broken(&error))?
        } else {
            let key = RsaPrivateKey::new(&mut OsRng, 2048).map_err(|error| broken(&error))?;
            let pem = key
                .to_pkcs8_pem(LineEnding::LF)
                .map_err(|error| broken(&error))?;
            write_private(path, pem.as_bytes()).map_err(file)?;
            key
        };
        let public_pem = key
            .to_public_key()
            .to_public_key_pem(LineEnding::LF)
            .map_err(|error| broken(&error))?;
        Ok(Self { public_pem })
    }

    /// The public half, in PEM.
    pub fn public_pem(&self) -> &str {
        &self.public_pem
    }
}
